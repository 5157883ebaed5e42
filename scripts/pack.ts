/**
 * Packs every public package as it would be published, unpacks them into a scratch project outside the workspace, and imports
 * and type checks them there, so that a missing file, a wrong `exports` entry or a leaked source path is found before a user does.
 * It needs the build, and no network: dependencies that are not ours are linked from this workspace.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";

interface Manifest { name: string; private?: boolean; exports: Record<string, unknown>; dependencies?: Record<string, string> }

const root = join(import.meta.dirname, "..");
const project = mkdtempSync(join(tmpdir(), "doppel-pack-"));
process.on("exit", () => rmSync(project, { recursive: true, force: true }));

function run(cwd: string, command: string, ...args: string[]): string {
  const result = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (result.status !== 0) {
    console.error(`pack: ${command} ${args.join(" ")} (in ${cwd}) failed\n${result.stdout ?? ""}${result.stderr ?? ""}${result.error?.message ?? ""}`);
    process.exit(1);
  }
  return result.stdout;
}

const read = (file: string): Manifest => JSON.parse(readFileSync(file, "utf8")) as Manifest;
const bin = (name: string): string => join(root, "node_modules/.bin", name);
const entries: string[] = [];

const folders = readdirSync(join(root, "packages")).sort().filter((folder) => !read(join(root, "packages", folder, "package.json")).private);
const missing = folders.flatMap((folder) =>
  ["README.md", "dist/index.js", "dist/index.d.ts"].map((file) => join("packages", folder, file)).filter((file) => !existsSync(join(root, file))));
if (missing.length > 0) {
  console.error(`pack: there is no ${missing.join(", no ")}`);
  process.exit(1);
}

for (const folder of folders) {
  const source = join(root, "packages", folder);
  const manifest = read(join(source, "package.json"));
  const tarballs = join(project, "tarballs", folder);
  mkdirSync(tarballs, { recursive: true });
  run(source, "npx", "-y", "pnpm@12.21.0", "pack", "--pack-destination", tarballs);
  run(root, bin("publint"), join(tarballs, readdirSync(tarballs)[0]!), "--strict");

  const target = join(project, "node_modules", manifest.name);
  mkdirSync(target, { recursive: true });
  run(project, "tar", "-xzf", join(tarballs, readdirSync(tarballs)[0]!), "-C", target, "--strip-components=1");
  const packed = read(join(target, "package.json"));
  for (const [dependency, range] of Object.entries(packed.dependencies ?? {})) {
    if (range.startsWith("workspace:")) {
      console.error(`pack: ${manifest.name} would be published with ${dependency} at ${range}`);
      process.exit(1);
    }
    const link = join(project, "node_modules", dependency);
    if (dependency.startsWith("@doppel/") || existsSync(link)) continue;
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(realpathSync(join(source, "node_modules", dependency)), link);
  }
  for (const entry of Object.keys(packed.exports))
    if (entry !== "./package.json") entries.push(packed.name + entry.slice(1));
  console.log(`packed ${manifest.name}`);
}

writeFileSync(join(project, "package.json"), JSON.stringify({ name: "scratch", private: true, type: "module" }));
/** A program that imports entry points. */
function program(file: string, entries: readonly string[]): void {
  const imports = entries.map((entry, index) => `import * as p${index} from "${entry}";`).join("\n");
  const list = entries.map((entry, index) => `["${entry}", p${index}]`).join(", ");
  writeFileSync(
    join(project, file),
    `${imports}\nfor (const [name, exported] of [${list}] as [string, object][])\n`
    + `  if (Object.keys(exported).length === 0) throw new Error(name + " exports nothing");\nexport {};\n`,
  );
}
const isForPages = (entry: string): boolean => entry.endsWith("/browser");
program("main.ts", entries.filter((entry) => !isForPages(entry)));
program("page.ts", entries.filter(isForPages));
mkdirSync(join(project, "node_modules/@types"), { recursive: true });
symlinkSync(realpathSync(join(root, "node_modules/@types/node")), join(project, "node_modules/@types/node"));
symlinkSync(join(root, "types"), join(project, "types"));
// A program for Node knows no page, and what is for pages can at least be loaded without one.
for (const [file, lib, types] of [["main.ts", [], ["types/webassembly.d.ts"]], ["page.ts", ["DOM", "DOM.Iterable"], []]] as const) {
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({
    compilerOptions: {
      target: "ES2023", lib: ["ES2023", "ESNext.Disposable", ...lib], module: "NodeNext", strict: true, noEmit: true, types: lib.length > 0 ? [] : ["node"],
    },
    files: [file, ...types],
  }));
  run(project, bin("tsc"), "-p", ".");
  run(project, bin("node"), file);
}
console.log(`imported ${entries.length} entry points from packed packages`);
