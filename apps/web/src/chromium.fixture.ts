/**
 * Chromium for tests: one that is installed, or Debian's with all its libraries, fetched with apt once. That one is started by its own dynamic loader (ld.so(8)), which
 * has to stand beside it: Chromium looks for its files where the program stands that runs, and starts its other processes by the same script.
 */
import { existsSync } from "node:fs";
import { chmod, copyFile, rename, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { getProgram, HostError } from "doppel/node";

/** Where Chromium is; undefined, with a word on the console, where there is none. */
export async function findChromium(): Promise<string | undefined> {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const installed = ["chromium", "chromium-browser", "google-chrome"].flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
  if (installed !== undefined) return installed;
  try {
    return await fetchChromium();
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    console.log(`The tests in a browser are skipped, for there is no Chromium here: ${error.message}`);
    return undefined;
  }
}

async function fetchChromium(): Promise<string> {
  const [loader, , libraries, program] = await getProgram("chromium", "usr/lib/chromium/chromium", () => {}, ["chromium-common", "fonts-dejavu-core"]);
  const folder = dirname(program!);
  const script = join(folder, "run");
  if (existsSync(script)) return script;
  /** Whole or not at all: another test may do the same now. */
  const place = async (name: string, make: (file: string) => Promise<void>): Promise<void> => {
    const partial = join(folder, `${name}.${process.pid}`);
    await make(partial);
    await rename(partial, join(folder, name));
  };
  const fonts = join(folder, "../../share/fonts");
  await place("loader", (file) => copyFile(loader, file));
  await place("fonts.conf", (file) => writeFile(file, `<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n`
    + `<fontconfig><dir>${fonts}</dir><cachedir>${folder}/fontcache</cachedir></fontconfig>\n`));
  await place("run", async (file) => {
    await writeFile(file, `#!/bin/sh\nexport FONTCONFIG_FILE='${folder}/fonts.conf'\nexec '${folder}/loader' --library-path '${folder}:${libraries}' '${program}' `
      + `--no-zygote --browser-subprocess-path='${script}' "$@"\n`);
    await chmod(file, 0o755);
  });
  return script;
}
