// How every package is built for publication: `tsup --config ../../tsup.config.ts` in the package's folder.
import { existsSync } from "node:fs";
import { defineConfig } from "tsup";

export default defineConfig({
  entry: {
    index: "src/index.ts",
    ...(existsSync("src/node/index.ts") ? { "node/index": "src/node/index.ts" } : {}),
  },
  // Only the umbrella package has an entry point that knows Node.
  ...(existsSync("tsconfig.node.json") ? { tsconfig: "tsconfig.node.json" } : {}),
  format: "esm",
  target: "es2023",
  platform: "neutral",
  external: [/^node:/],
  dts: true,
  clean: true,
  sourcemap: true,
  treeshake: true,
});
