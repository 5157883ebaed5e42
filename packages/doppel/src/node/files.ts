/** Files that a user names: read and written with sentences instead of error numbers. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { HostError } from "./errors.ts";

const reasons: Record<string, string> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of its path is no directory",
  EACCES: "permission is denied",
  EPERM: "permission is denied",
  ENOSPC: "the disk is full",
  EROFS: "the file system is read-only",
};

function sentence(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code !== undefined && reasons[code]) || message;
}

/**
 * Reads a whole file.
 * @param what what the file is to the user, for the message: `"kernel"`.
 * @throws {HostError} `HOST_FILE` when it cannot be read.
 */
export async function readInput(path: string, what: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new HostError("HOST_FILE", `The ${what} ${path} cannot be read: ${sentence(error)}.`, { cause: error });
  }
}

/**
 * Writes a whole file; a file of that name is replaced only once the new one is complete.
 * @throws {HostError} `HOST_FILE` when it cannot be written.
 */
export async function writeOutput(path: string, what: string, bytes: Uint8Array): Promise<void> {
  const partial = `${path}.partial`;
  try {
    await writeFile(partial, bytes);
    await rename(partial, path);
  } catch (error) {
    throw new HostError("HOST_FILE", `The ${what} ${path} cannot be written: ${sentence(error)}.`, { cause: error });
  }
}

/** The SHA-256 of bytes, in lower-case hexadecimal. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>)).toString("hex");
}
