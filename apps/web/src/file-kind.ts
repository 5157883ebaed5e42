/** What a file is that somebody drops on the page, from its first bytes. */

/** Kinds that the page can use, and `unknown`. */
export type FileKind = "saved" | "kernel" | "multiboot" | "initrd" | "unknown";

/** A file with its kind. */
export interface KnownFile { readonly name: string; readonly kind: FileKind; readonly bytes: Uint8Array }

const SAVED = "DPLS";
/** The Linux boot protocol's signature, at 202h. */
const LINUX = "HdrS";
const LINUX_AT = 0x202;
const ELF = "\x7fELF";
/** Archives and compressions that kernels unpack: cpio, gzip, xz, zstd, bzip2, LZ4, lzma. */
const INITRD = ["070701", "070702", "\x1f\x8b", "\xfd7zXZ", "\x28\xb5\x2f\xfd", "BZh", "\x02\x21\x4c\x18", "\x5d\x00\x00"];
const MULTIBOOT_MAGIC = 0x1badb002;
const MULTIBOOT_SEARCH = 8192;

/** Tells what bytes are. */
export function fileKind(bytes: Uint8Array): FileKind {
  const has = (text: string, at = 0): boolean => [...text].every((character, n) => bytes[at + n] === character.charCodeAt(0));
  if (has(SAVED)) return "saved";
  if (has(LINUX, LINUX_AT)) return "kernel";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 12 <= Math.min(bytes.length, MULTIBOOT_SEARCH); at += 4) if (view.getUint32(at, true) === MULTIBOOT_MAGIC) return "multiboot";
  // An ELF file without a multiboot header may have the note of PVH.
  if (has(ELF)) return "kernel";
  return INITRD.some((text) => has(text)) ? "initrd" : "unknown";
}

/** Reads a file. */
export async function readFile(file: File): Promise<KnownFile> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  return { name: file.name, kind: fileKind(bytes), bytes };
}
