/** `doppel guest list` and `doppel guest get`. */
import type { Streams } from "./streams.ts";
import { EMBEDDED, cacheFolder, getGuest, isCached, recipes } from "doppel/node";
import { progressLine } from "./progress.ts";

/** Prints name, presence and description of every guest to standard output. */
export function listGuests(streams: Streams): void {
  const width = Math.max(...recipes.map((recipe) => recipe.name.length));
  const line = (name: string, here: string, says: string): void => streams.out(`${name.padEnd(width)}  ${here.padEnd(8)}  ${says}\n`);
  line(EMBEDDED, "built in", "a small kernel of our own: memory map, CPU features, timer, monitor prompt");
  for (const recipe of recipes) line(recipe.name, isCached(recipe) ? "here" : "-", recipe.says);
}

/** Fetches a guest unless it is here, and prints what it is made of. */
export async function fetchGuest(name: string, streams: Streams): Promise<void> {
  if (name === EMBEDDED) {
    streams.err("The embedded guest is built in; there is nothing to fetch.\n");
    return;
  }
  const guest = await getGuest(name, progressLine(streams));
  for (const { name: part, version, architecture, sha256 } of guest.packages) streams.out(`${part} ${version} ${architecture} sha256:${sha256}\n`);
  streams.err(`${name} is in ${cacheFolder()}\n`);
}
