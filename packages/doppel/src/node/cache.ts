/**
 * The folder for what was fetched, and whose turn it is to fetch: two processes that fill the same folder would spoil each other's files.
 */
import { once } from "node:events";
import { createServer } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sha256 } from "./files.ts";

/** The folder for fetched guests: `DOPPEL_CACHE`, or `doppel` in the user's cache folder (XDG Base Directory Specification). */
export function cacheFolder(): string {
  return process.env["DOPPEL_CACHE"] || join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "doppel");
}

/**
 * Does `work` as soon as no other process fetches into the same folder. The sign of it is a socket in Linux's abstract name space (unix(7)),
 * which goes away with its process however that ends. Elsewhere there are no such names, and no apt either.
 */
export async function whileNoOtherFetches(work: () => Promise<void>): Promise<void> {
  const name = `\0doppel-${(await sha256(new TextEncoder().encode(cacheFolder()))).slice(0, 32)}`;
  const turn = createServer();
  while (process.platform === "linux" && !(await listens(turn, name))) await sleep(200);
  try {
    await work();
  } finally {
    turn.close();
  }
}

async function listens(server: ReturnType<typeof createServer>, name: string): Promise<boolean> {
  server.listen(name);
  return once(server, "listening").then(() => true, (error: NodeJS.ErrnoException) => {
    if (error.code === "EADDRINUSE") return false;
    throw error;
  });
}
