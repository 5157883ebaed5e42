/**
 * Takes single files out of a Debian binary package, deb(5): an `ar` archive of `debian-binary`, `control.tar.*` and `data.tar.*`.
 * `dpkg-deb` is asked first, because it is several times faster; without it, everything happens here.
 */
import type * as Xz from "xz-decompress";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { Readable } from "node:stream";
import { ReadableStream } from "node:stream/web";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { HostError } from "./errors.ts";

const AR_MAGIC = "!<arch>\n";
const AR_HEADER = 60;

/**
 * Extracts the first file that matches each pattern (a path without leading `./`), and stops reading when it has them all.
 * @throws {HostError} `HOST_BAD_PACKAGE` when the file is no package or lacks one of them.
 */
export async function extractFromDeb(
  deb: string, wanted: Readonly<Record<string, RegExp>>, options: { dpkg?: boolean } = {},
): Promise<Record<string, Uint8Array>> {
  if (options.dpkg !== false) {
    const dpkg = spawn("dpkg-deb", ["--fsys-tarfile", deb], { stdio: ["ignore", "pipe", "ignore"] });
    const started = await new Promise<boolean>((resolve) => {
      dpkg.on("spawn", () => resolve(true));
      dpkg.on("error", () => resolve(false));
    });
    if (started) {
      try {
        return await extractFromTar(dpkg.stdout, deb, wanted);
      } finally {
        dpkg.kill();
      }
    }
  }
  return extractFromTar(dataMember(await readFile(deb), deb), deb, wanted);
}

/** The decompressed `data.tar` of a package in memory. */
export function dataMember(deb: Uint8Array, name: string): Readable {
  const text = (from: number, length: number): string => Buffer.from(deb.buffer, deb.byteOffset + from, length).toString("latin1").trim();
  const bad = (): HostError => new HostError("HOST_BAD_PACKAGE", `${name} is no complete Debian package; remove it and fetch it again.`);
  if (deb.length < AR_MAGIC.length + AR_HEADER || text(0, 8) !== AR_MAGIC.trim()) throw bad();
  for (let at = AR_MAGIC.length; at + AR_HEADER <= deb.length;) {
    const member = text(at, 16).replace(/\/$/, "");
    const size = Number.parseInt(text(at + 48, 10), 10);
    const start = at + AR_HEADER;
    if (!(size >= 0) || start + size > deb.length) throw bad();
    if (member.startsWith("data.tar")) return decompress(member, deb.subarray(start, start + size), bad);
    at = start + size + (size & 1);
  }
  throw bad();
}

function decompress(member: string, bytes: Uint8Array, bad: () => HostError): Readable {
  const source = (): Readable => Readable.from(chunks(bytes));
  switch (member) {
    case "data.tar": return source();
    case "data.tar.gz": return source().pipe(createGunzip());
    case "data.tar.zst": return source().pipe(createZstdDecompress());
    case "data.tar.xz": {
      // A CommonJS bundle whose names Node cannot see from outside.
      const { XzReadableStream } = createRequire(import.meta.url)("xz-decompress") as typeof Xz;
      const stream = new XzReadableStream(ReadableStream.from(chunks(bytes)) as unknown as globalThis.ReadableStream<Uint8Array>);
      return Readable.fromWeb(stream as unknown as ReadableStream<Uint8Array>);
    }
    default: throw bad();
  }
}

function* chunks(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1 << 16) yield bytes.subarray(at, at + (1 << 16));
}

async function extractFromTar(tar: Readable, name: string, wanted: Readonly<Record<string, RegExp>>): Promise<Record<string, Uint8Array>> {
  const found: Record<string, Uint8Array> = {};
  const missing = new Map(Object.entries(wanted));
  // Loaded here: who unpacks nothing need not wait for it.
  const { extract } = await import("tar-stream");
  const unpacked = extract();
  tar.on("error", (error) => unpacked.destroy(error));
  tar.pipe(unpacked);
  try {
    for await (const entry of unpacked) {
      const path = entry.header.name.replace(/^\.?\/+/, "");
      const key = entry.header.type === "file" ? [...missing].find(([, pattern]) => pattern.test(path))?.[0] : undefined;
      if (key === undefined) {
        entry.resume();
        continue;
      }
      const parts: Buffer[] = [];
      for await (const part of entry) parts.push(part as Buffer);
      found[key] = Buffer.concat(parts);
      missing.delete(key);
      if (missing.size === 0) break;
    }
  } catch (error) {
    throw new HostError("HOST_BAD_PACKAGE", `${name} cannot be unpacked; remove it and fetch it again.`, { cause: error });
  }
  tar.destroy();
  if (missing.size > 0) throw new HostError("HOST_BAD_PACKAGE", `${name} holds no file like ${[...missing.values()].map(String).join(" or ")}.`);
  return found;
}
