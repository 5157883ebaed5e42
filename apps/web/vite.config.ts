/** The web app, the element for other pages (`embed/doppel.js`), and an example page of it. */
import { join } from "node:path";
import { defineConfig } from "vite";
import { guestFiles } from "./server/guest-files.ts";

const here = import.meta.dirname;
const conditions = ["@doppel/source", "import", "module", "browser", "default"];

export default defineConfig({
  root: here,
  // A file that is not there is not there, rather than the start page.
  appType: "mpa",
  // Relative addresses: the built folder works wherever it is put.
  base: "./",
  resolve: { conditions },
  worker: { format: "es" },
  plugins: [guestFiles()],
  server: { port: 5199 },
  build: {
    target: "es2022",
    // The engine is one piece of 540 kB, which a worker loads; compressed it is 190.
    chunkSizeWarningLimit: 700,
    outDir: join(here, "dist"),
    emptyOutDir: true,
    rolldownOptions: {
      input: { index: join(here, "index.html"), example: join(here, "embed/index.html"), doppel: join(here, "embed/doppel.ts") },
      preserveEntrySignatures: "exports-only",
      // The element's script has a name that other pages can count on.
      output: { entryFileNames: ({ name }) => (name === "doppel" ? "embed/doppel.js" : "assets/[name]-[hash].js") },
    },
  },
});
