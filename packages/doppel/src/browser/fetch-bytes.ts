/** Files that a page loads: with progress, and with a sentence when one cannot be had. */
import { DoppelError } from "@doppel/persist";

/** A file that cannot be loaded. */
export class FetchError extends DoppelError {}

/** What is loaded, and how much of it is there: 0 to 1, or undefined while its size is not known. */
export type FetchProgress = (what: string, fraction: number | undefined) => void;

/**
 * Loads a file.
 * @param what what it is to the user, for messages: `"kernel"`
 * @throws {FetchError} `FETCH_FAILED`
 */
export async function fetchBytes(url: string, what: string, progress: FetchProgress = () => {}): Promise<Uint8Array> {
  const response = await fetch(url).catch((cause: unknown) => {
    throw new FetchError("FETCH_FAILED", `the ${what} ${url} cannot be loaded: the server does not answer`, { cause });
  });
  if (!response.ok || response.body === null) {
    throw new FetchError("FETCH_FAILED", `the ${what} ${url} cannot be loaded: the server says ${response.status} ${response.statusText}`.trimEnd());
  }
  // A length counts what was sent, which is something else when it was compressed.
  const length = response.headers.has("content-encoding") ? 0 : Number(response.headers.get("content-length") ?? 0);
  const pieces: Uint8Array[] = [];
  let size = 0;
  progress(what, length > 0 ? 0 : undefined);
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    pieces.push(value);
    size += value.length;
    progress(what, length > 0 ? Math.min(1, size / length) : undefined);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
