/**
 * Writes archives in the "new ASCII" format of cpio, which Linux unpacks into its root file system: Linux documentation,
 * "initramfs buffer format".
 *
 *   070701  ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check   8 hex digits each
 *   name, a zero, padding to 4 bytes; data, padding to 4 bytes
 */

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const S_IFCHR = 0o020000;
const TRAILER = "TRAILER!!!";

/** An archive that grows entry by entry. Everything belongs to root, and times are zero, so that equal input gives equal bytes. */
export class CpioArchive {
  #parts: Uint8Array[] = [];
  #length = 0;
  #inode = 0;

  /** Adds a directory; its parents must have been added before. */
  directory(path: string, mode = 0o755): this {
    return this.#entry(path, S_IFDIR | mode, new Uint8Array(0), 2);
  }

  /** Adds a regular file. */
  file(path: string, data: Uint8Array | string, mode = 0o644): this {
    return this.#entry(path, S_IFREG | mode, typeof data === "string" ? new TextEncoder().encode(data) : data);
  }

  /** Adds a symbolic link. */
  link(path: string, target: string): this {
    return this.#entry(path, S_IFLNK | 0o777, new TextEncoder().encode(target));
  }

  /** Adds a character device. */
  device(path: string, major: number, minor: number, mode = 0o600): this {
    return this.#entry(path, S_IFCHR | mode, new Uint8Array(0), 1, major, minor);
  }

  /** The whole archive with its trailer, padded to 512 bytes. */
  finish(): Uint8Array {
    const inode = this.#inode;
    this.#inode = -1;
    this.#entry(TRAILER, 0, new Uint8Array(0), 1);
    this.#inode = inode;
    const archive = new Uint8Array(Math.ceil(this.#length / 512) * 512);
    let offset = 0;
    for (const part of this.#parts) {
      archive.set(part, offset);
      offset += part.length;
    }
    this.#length -= this.#parts.pop()!.length;
    return archive;
  }

  #entry(path: string, mode: number, data: Uint8Array, links = 1, major = 0, minor = 0): this {
    const name = new TextEncoder().encode(`${path.replace(/^\/+/, "")}\0`);
    const fields = [++this.#inode, mode, 0, 0, links, 0, data.length, 0, 0, major, minor, name.length, 0];
    const header = new TextEncoder().encode(`070701${fields.map((field) => field.toString(16).toUpperCase().padStart(8, "0")).join("")}`);
    const dataStart = Math.ceil((header.length + name.length) / 4) * 4;
    const entry = new Uint8Array(Math.ceil((dataStart + data.length) / 4) * 4);
    entry.set(header);
    entry.set(name, header.length);
    entry.set(data, dataStart);
    this.#parts.push(entry);
    this.#length += entry.length;
    return this;
  }
}
