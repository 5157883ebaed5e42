/**
 * Serves the guests that `doppel guest get` has fetched: `guests/index.json` lists them, `guests/NAME/PART` is a file of one. A folder with the same
 * files serves a static site as well (`writeGuests`).
 */
import type { Connect, Plugin } from "vite";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Guest, getGuest, type GuestBoot, isCached, recipes } from "doppel/node";
import type { GuestEntry } from "../src/guest-entry.ts";

/** The files of a guest by the names under which they are served. */
function parts(boot: GuestBoot): Record<string, Uint8Array> {
  if (boot.kind === "linux") return { kernel: boot.kernel, ...(boot.initrd ? { initrd: boot.initrd } : {}) };
  if (boot.kind === "bios") return { bios: boot.bios, ...(boot.vgaBios ? { vgaBios: boot.vgaBios } : {}) };
  return { image: boot.image, ...Object.fromEntries(boot.modules.map(({ data }, n) => [`module${n}`, data])) };
}

function entryOf({ recipe: { name, says, architecture, memory }, boot }: Guest): GuestEntry {
  return {
    name, says, architecture, memory, kind: boot.kind, append: boot.kind === "bios" ? "" : boot.append, files: Object.keys(parts(boot)),
    moduleArguments: boot.kind === "multiboot" ? boot.modules.map(({ args }) => args) : [],
  };
}

const cached = new Map<string, Promise<Guest>>();

/** Reads a guest from the cache; it is never fetched here. */
function read(name: string): Promise<Guest> {
  let guest = cached.get(name);
  if (guest === undefined) cached.set(name, (guest = getGuest(name, () => {})));
  guest.catch(() => cached.delete(name));
  return guest;
}

/** The guests that are there, as the page gets to know them. */
async function listGuests(): Promise<GuestEntry[]> {
  const guests = await Promise.allSettled(recipes.filter(isCached).map(({ name }) => read(name)));
  return guests.flatMap((guest) => (guest.status === "fulfilled" ? [entryOf(guest.value)] : []));
}

const serve: Connect.NextHandleFunction = (request, response, next) => {
  const match = /^\/guests\/([^/?]+)(?:\/([^/?]+))?(?:\?|$)/.exec(request.url ?? "");
  if (match === null) return next();
  const [, name, part] = match;
  const answer = async (): Promise<[string, Uint8Array | string] | undefined> => {
    if (name === "index.json" && part === undefined) return ["application/json", JSON.stringify(await listGuests())];
    const recipe = recipes.find((known) => known.name === decodeURIComponent(name!));
    const bytes = recipe && isCached(recipe) ? parts((await read(recipe.name)).boot)[part ?? ""] : undefined;
    return bytes === undefined ? undefined : ["application/octet-stream", bytes];
  };
  answer().then((found) => {
    response.statusCode = found === undefined ? 404 : 200;
    const [type, content] = found ?? ["text/plain", "There is no such guest; fetch it with: doppel guest get NAME\n"];
    response.setHeader("Content-Type", type);
    response.setHeader("Content-Length", Buffer.byteLength(content));
    response.end(content);
  }, next);
};

/** The plugin for Vite's servers. */
export function guestFiles(): Plugin {
  return {
    name: "doppel-guest-files",
    configureServer: ({ middlewares }) => void middlewares.use(serve),
    configurePreviewServer: ({ middlewares }) => void middlewares.use(serve),
  };
}

/** Writes guests of the cache into a static site's folder. @throws {HostError} as `getGuest` does */
export async function writeGuests(folder: string, names: readonly string[]): Promise<void> {
  const guests = await Promise.all(names.map(read));
  for (const { recipe, boot } of guests) {
    const own = join(folder, "guests", recipe.name);
    await mkdir(own, { recursive: true });
    for (const [part, bytes] of Object.entries(parts(boot))) await writeFile(join(own, part), bytes);
  }
  await mkdir(join(folder, "guests"), { recursive: true });
  await writeFile(join(folder, "guests/index.json"), JSON.stringify(guests.map(entryOf)));
}
