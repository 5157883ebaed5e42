/**
 * The guests that `doppel guest` knows: which Debian packages they come from, which files of those they need, and how they
 * boot. What was fetched is kept in the user's cache with name, version and SHA-256, checked at each use, and needs no network again.
 */
import type { FetchedPackage, Progress } from "./apt.ts";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { Apt } from "./apt.ts";
import { cacheFolder, whileNoOtherFetches } from "./cache.ts";
import { extractFromDeb } from "./debian-package.ts";
import { HostError } from "./errors.ts";
import { readInput, sha256, writeOutput } from "./files.ts";
import { makeInitramfs } from "./initramfs.ts";

/** A package of a recipe: its name, the package it stands for when it is a meta package, and the files wanted from it. */
interface RecipePackage { name: string; follow?: RegExp; files: Readonly<Record<string, RegExp>> }

/** How a guest is made. */
export interface GuestRecipe {
  name: string;
  /** One line for `guest list`. */
  says: string;
  architecture: "i386" | "amd64";
  packages: readonly RecipePackage[];
  /** Memory that it is usually given, in bytes. */
  memory: number;
  boot(files: Readonly<Record<string, Uint8Array>>): GuestBoot;
}

/** What a virtual machine needs to boot the guest. */
export type GuestBoot =
  | { kind: "linux"; kernel: Uint8Array; initrd?: Uint8Array; append: string }
  | { kind: "multiboot"; image: Uint8Array; modules: readonly { data: Uint8Array; args: string }[]; append: string }
  | { kind: "bios"; bios: Uint8Array; vgaBios?: Uint8Array };

/** A guest that is ready to boot. */
export interface Guest { recipe: GuestRecipe; packages: readonly ManifestPackage[]; boot: GuestBoot }

interface ManifestPackage { name: string; version: string; architecture: string; sha256: string }
interface Manifest { guest: string; packages: ManifestPackage[]; files: Record<string, string> }

const MIB = 1 << 20;
const GIB = 1 << 30;
const busybox: RecipePackage = { name: "busybox-static", files: { busybox: /^(usr\/)?bin\/busybox$/ } };
const linuxKernel = (meta: string): RecipePackage => ({ name: meta, follow: /^linux-image-\d/, files: { kernel: /^boot\/vmlinuz-/ } });
const shell = (files: Readonly<Record<string, Uint8Array>>): GuestBoot =>
  ({ kind: "linux", kernel: files["kernel"]!, initrd: makeInitramfs({ busybox: files["busybox"]! }), append: "console=ttyS0" });
const installerPackage = (architecture: string): RecipePackage => {
  const folder = `usr/lib/debian-installer/images/12/${architecture}/text/debian-installer/${architecture}`;
  return {
    name: `debian-installer-12-netboot-${architecture}`,
    files: { kernel: new RegExp(`^${folder}/linux$`), initrd: new RegExp(`^${folder}/initrd\\.gz$`) },
  };
};
const installer = (files: Readonly<Record<string, Uint8Array>>): GuestBoot =>
  ({ kind: "linux", kernel: files["kernel"]!, initrd: files["initrd"]!, append: "console=ttyS0" });
const memtest = (files: Readonly<Record<string, Uint8Array>>): GuestBoot =>
  ({ kind: "linux", kernel: files["kernel"]!, append: "console=ttyS0,115200" });
/**
 * Xen with Debian's kernel as its first domain. The hypervisor is packed with gzip, which boot loaders undo, and drops the first word
 * of each command line, which is a file's name by custom.
 */
const xen = (files: Readonly<Record<string, Uint8Array>>): GuestBoot => ({
  kind: "multiboot", image: gunzipSync(files["xen"]!), append: "xen com1=115200,8n1 console=com1 dom0_mem=512M",
  modules: [
    { data: files["kernel"]!, args: "vmlinuz console=hvc0" },
    { data: makeInitramfs({ busybox: files["busybox"]! }), args: "initrd" },
  ],
});

/** The guest that needs no file: a kernel of our own. */
export const EMBEDDED = "embedded";

/** All recipes, in the order in which they are listed. */
export const recipes: readonly GuestRecipe[] = [
  {
    name: "debian-12-i386", says: "Linux 6.1 of Debian 12 (686) with a busybox shell on the serial line", architecture: "i386",
    packages: [linuxKernel("linux-image-686"), busybox], memory: 256 * MIB, boot: shell,
  },
  {
    name: "debian-12-i386-pae", says: "Linux 6.1 of Debian 12 (686-pae) with a busybox shell on the serial line", architecture: "i386",
    packages: [linuxKernel("linux-image-686-pae"), busybox], memory: 256 * MIB, boot: shell,
  },
  {
    name: "debian-12-installer-i386", says: "Debian's text installer on the serial line", architecture: "i386",
    packages: [installerPackage("i386")], memory: 512 * MIB, boot: installer,
  },
  {
    name: "memtest86+", says: "memtest86+ 6 (32 bit) on the serial line", architecture: "i386",
    packages: [{ name: "memtest86+", files: { kernel: /^boot\/memtest86\+ia32\.bin$/ } }], memory: 64 * MIB, boot: memtest,
  },
  {
    name: "debian-12-amd64", says: "Linux 6.1 of Debian 12 (amd64) with a busybox shell on the serial line", architecture: "amd64",
    packages: [linuxKernel("linux-image-amd64"), busybox], memory: 256 * MIB, boot: shell,
  },
  {
    name: "debian-12-installer-amd64", says: "Debian's text installer for amd64 on the serial line", architecture: "amd64",
    packages: [installerPackage("amd64")], memory: GIB, boot: installer,
  },
  {
    name: "memtest86+x64", says: "memtest86+ 6 (64 bit) on the serial line", architecture: "amd64",
    packages: [{ name: "memtest86+", files: { kernel: /^boot\/memtest86\+x64\.bin$/ } }], memory: 96 * MIB, boot: memtest,
  },
  {
    name: "xen-4.17", says: "Xen 4.17, with Debian's amd64 kernel as its first domain", architecture: "amd64",
    packages: [{ name: "xen-hypervisor-4.17-amd64", files: { xen: /^boot\/xen-4\.17-amd64\.gz$/ } }, linuxKernel("linux-image-amd64"), busybox],
    memory: GIB, boot: xen,
  },
  {
    name: "seabios", says: "SeaBIOS, from the reset vector", architecture: "i386",
    packages: [{ name: "seabios", files: { bios: /^usr\/share\/seabios\/bios\.bin$/, vgabios: /^usr\/share\/seabios\/vgabios-isavga\.bin$/ } }],
    memory: 64 * MIB,
    boot: (files) => ({ kind: "bios", bios: files["bios"]!, vgaBios: files["vgabios"]! }),
  },
];

/**
 * The recipe of a name.
 * @throws {HostError} `HOST_UNKNOWN_GUEST`.
 */
export function findRecipe(name: string): GuestRecipe {
  const recipe = recipes.find((candidate) => candidate.name === name);
  if (!recipe)
    throw new HostError("HOST_UNKNOWN_GUEST", `There is no guest called ${name}; the guests are ${[EMBEDDED, ...recipes.map((known) => known.name)].join(", ")}.`);
  return recipe;
}

/** Whether a guest is in the cache. */
export function isCached(recipe: GuestRecipe): boolean {
  return existsSync(join(guestFolder(recipe), "manifest.json"));
}

/**
 * Gives a guest from the cache, or fetches it with apt first.
 * @throws {HostError} `HOST_UNKNOWN_GUEST`, `HOST_NO_APT`, `HOST_PACKAGE_NOT_FOUND`, `HOST_DOWNLOAD`, `HOST_BAD_PACKAGE`, or
 * `HOST_HASH_MISMATCH` when a cached file is no longer what was fetched.
 */
export async function getGuest(name: string, progress: Progress): Promise<Guest> {
  const recipe = findRecipe(name);
  if (!isCached(recipe)) await whileNoOtherFetches(async () => void (isCached(recipe) || (await fetchGuest(recipe, progress))));
  const folder = guestFolder(recipe);
  const manifest = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8")) as Manifest;
  const files: Record<string, Uint8Array> = {};
  for (const [file, hash] of Object.entries(manifest.files)) {
    files[file] = await readInput(join(folder, file), `guest file`);
    if ((await sha256(files[file])) !== hash)
      throw new HostError("HOST_HASH_MISMATCH", `${join(folder, file)} is not what was fetched; remove ${folder} and fetch the guest again.`);
  }
  return { recipe, packages: manifest.packages, boot: recipe.boot(files) };
}

function guestFolder(recipe: GuestRecipe): string {
  return join(cacheFolder(), "guests", recipe.name);
}

async function fetchGuest(recipe: GuestRecipe, progress: Progress): Promise<void> {
  const folder = guestFolder(recipe);
  await mkdir(folder, { recursive: true });
  const apt = new Apt(cacheFolder(), recipe.architecture, progress);
  const names = await apt.find(() => resolveAll(apt, recipe));
  if (!names)
    throw new HostError(
      "HOST_PACKAGE_NOT_FOUND",
      `apt does not know ${recipe.packages.map((wanted) => wanted.name).join(" or ")} for ${recipe.architecture}: it needs a network, and Debian 12 among its sources.`,
    );
  const manifest: Manifest = { guest: recipe.name, packages: [], files: {} };
  for (const [index, wanted] of recipe.packages.entries()) {
    const fetched: FetchedPackage = await apt.download(names[index]!);
    progress(`unpacking ${fetched.name}`);
    const bytes = await readInput(fetched.file, "package");
    manifest.packages.push({ name: fetched.name, version: fetched.version, architecture: fetched.architecture, sha256: await sha256(bytes) });
    for (const [file, data] of Object.entries(await extractFromDeb(fetched.file, wanted.files))) {
      await writeOutput(join(folder, file), "guest file", data);
      manifest.files[file] = await sha256(data);
    }
  }
  await writeOutput(join(folder, "manifest.json"), "manifest", new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`));
}

async function resolveAll(apt: Apt, recipe: GuestRecipe): Promise<string[] | undefined> {
  const names: string[] = [];
  for (const { name, follow } of recipe.packages) {
    const real = follow ? await apt.resolve(name, follow) : name;
    if (real === undefined || !(await apt.knows(real))) return undefined;
    names.push(real);
  }
  return names;
}
