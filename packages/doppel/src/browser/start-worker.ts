/** Where the machine's worker comes from. Bundlers look for exactly this expression; the package's build puts the built file's name into it. */
export function startWorker(): Worker {
  return new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "doppel" });
}
