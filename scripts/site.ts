/**
 * `npx pnpm@12.21.0 site [GUEST...]`: the web app, the element for other pages, and the documentation of all packages with the guides, as a folder of static files
 * that any file server can host. Guests that are named are fetched unless they are in the cache, and put beside it.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { getGuest, HostError } from "doppel/node";
import { build } from "vite";
import { writeGuests } from "../apps/web/server/guest-files.ts";

const root = join(import.meta.dirname, "..");
const { positionals, values } = parseArgs({ allowPositionals: true, options: { out: { type: "string", default: join(root, "dist/site") } } });

rmSync(values.out, { recursive: true, force: true });
await build({
  configFile: join(root, "apps/web/vite.config.ts"), configLoader: "native", logLevel: "warn", build: { outDir: values.out, emptyOutDir: true },
});
const typedoc = [join(root, "node_modules/typedoc/bin/typedoc"), "--out", join(values.out, "docs"), "--logLevel", "Warn"];
const docs = spawnSync(process.execPath, typedoc, { cwd: root, stdio: "inherit" });
if (docs.status !== 0) process.exit(docs.status ?? 1);
try {
  for (const name of positionals) await getGuest(name, (line) => console.log(line));
  await writeGuests(values.out, positionals);
} catch (error) {
  if (!(error instanceof HostError)) throw error;
  console.error(`site: ${error.message}`);
  process.exit(2);
}
console.log(`${values.out} is complete: the app, embed/, docs/${positionals.length > 0 ? ` and ${positionals.join(", ")}` : ""}. Any file server can host it.`);
