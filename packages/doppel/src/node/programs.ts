/**
 * Programs for this machine out of Debian's packages, such as the gdb that is attached to a guest. They come with their own libraries and are
 * started by their own dynamic loader (ld.so(8)), so that they run on any x86-64 Linux, whatever it has installed.
 */
import type { Progress } from "./apt.ts";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Apt } from "./apt.ts";
import { cacheFolder, whileNoOtherFetches } from "./cache.ts";
import { HostError } from "./errors.ts";

const TRIPLE = "x86_64-linux-gnu";
const LOADER = "ld-linux-x86-64.so.2";

/** What of a package's dependencies can hold a shared library; the rest (dpkg, debconf) serves its installation. */
const LIBRARY = /^(lib|zlib)/;

/**
 * Gives the words that start a program: from the cache, or fetched with apt first.
 * @param name the package. @param path the program in it, such as `usr/bin/gdb`. @param also packages beside the libraries that it needs
 * @throws {HostError} `HOST_NO_APT`, also on a machine that is no x86-64 Linux, `HOST_PACKAGE_NOT_FOUND`, `HOST_DOWNLOAD` or `HOST_BAD_PACKAGE`.
 */
export async function getProgram(name: string, path: string, progress: Progress, also: readonly string[] = []): Promise<[string, ...string[]]> {
  const folder = join(cacheFolder(), "programs", name);
  if (!existsSync(folder)) await whileNoOtherFetches(async () => void (existsSync(folder) || (await fetchProgram(name, folder, progress, also))));
  // Debian 13 has them all below /usr.
  const libraries = ["lib", "usr/lib"].map((parent) => join(folder, parent, TRIPLE));
  const loader = libraries.map((library) => join(library, LOADER)).find(existsSync);
  if (loader === undefined) throw new HostError("HOST_BAD_PACKAGE", `${folder} holds no ${LOADER}; remove it and fetch ${name} again.`);
  return [loader, "--library-path", libraries.join(":"), join(folder, path)];
}

async function fetchProgram(name: string, folder: string, progress: Progress, also: readonly string[]): Promise<void> {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new HostError("HOST_NO_APT", `${name} is fetched for x86-64 Linux only, and this machine is ${process.arch} ${process.platform}.`);
  const apt = new Apt(cacheFolder(), "amd64", progress);
  const needed = await apt.find(() => apt.closure(name));
  if (!needed) throw new HostError("HOST_PACKAGE_NOT_FOUND", `apt does not know ${name}: it needs a network, and Debian 12 among its sources.`);
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const wanted = needed.filter((needs) => needs === name || also.includes(needs) || LIBRARY.test(needs));
  progress(`fetching ${name} and ${wanted.length - 1} libraries`);
  await apt.downloadInto(partial, wanted);
  for (const deb of await readdir(partial)) {
    // A host that has apt has dpkg-deb too, and it keeps the links by which libraries are found.
    await promisify(execFile)("dpkg-deb", ["--extract", join(partial, deb), partial]);
    await rm(join(partial, deb));
  }
  await rename(partial, folder);
}
