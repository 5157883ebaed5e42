// How every package is built for publication: `tsup --config ../../tsup.config.ts` in the package's folder.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { defineConfig, type Options } from "tsup";

/** What bundlers of web pages do with sources and find in a package no more: style sheets as text, and the name of a worker's script. */
const forBrowsers: NonNullable<Options["esbuildPlugins"]>[number] = {
  name: "for-browsers",
  setup(build) {
    build.onResolve({ filter: /\.css\?inline$/ }, ({ path, resolveDir }) =>
      ({ path, namespace: "text", pluginData: createRequire(`${resolveDir}/`).resolve(path.replace(/\?inline$/, "")) as string }));
    build.onLoad({ filter: /./, namespace: "text" }, async ({ pluginData }) => ({ contents: await readFile(pluginData as string, "utf8"), loader: "text" }));
    build.onLoad({ filter: /start-(worker|compiler)\.ts$/ }, async ({ path }) => ({ contents: (await readFile(path, "utf8")).replace(/"(\.\/\w+)\.ts", import\.meta\.url/, '"$1.js", import.meta.url'), loader: "ts" }));
  },
};

/** What is made once, when a package is built: the value of `make` in `NAME.maker.ts` becomes `MADE` of `NAME.made.ts`. */
const madeAtBuild: NonNullable<Options["esbuildPlugins"]>[number] = {
  name: "made-at-build",
  setup(build) {
    build.onLoad({ filter: /\.made\.ts$/ }, async ({ path }) => {
      const { outputFiles } = await build.esbuild.build({
        entryPoints: [path.replace(/made\.ts$/, "maker.ts")], bundle: true, write: false, format: "esm", platform: "neutral", conditions: ["@doppel/source"],
      });
      const { make } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0]!.contents).toString("base64")}`) as { make: () => unknown };
      return { contents: `export const MADE = ${JSON.stringify(make())};`, loader: "js" };
    });
  },
};

export default defineConfig({
  entry: {
    index: "src/index.ts",
    ...(existsSync("src/node/index.ts") ? { "node/index": "src/node/index.ts", "node/compiler": "src/node/compiler.ts" } : {}),
    ...(existsSync("src/browser/index.ts") ? { "browser/index": "src/browser/index.ts", "browser/worker": "src/browser/worker.ts" } : {}),
  },
  // Only the umbrella package has entry points that know Node and browsers.
  ...(existsSync("tsconfig.build.json") ? { tsconfig: "tsconfig.build.json" } : {}),
  esbuildPlugins: [forBrowsers, madeAtBuild],
  format: "esm",
  target: "es2023",
  platform: "neutral",
  external: [/^node:/],
  noExternal: [/\.css\?inline$/],
  dts: true,
  clean: true,
  sourcemap: true,
  treeshake: true,
});
