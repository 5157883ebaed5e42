import module from "node:module";
import { Worker } from "node:worker_threads";

/**
 * Where the thread that compiles comes from; the package's build puts the built file's name into it. It uses the compile cache that this one uses, and
 * of the process's flags what says which files of packages are meant: others, as for a script on the command line, are not for threads.
 */
export function startCompiler(): Worker {
  const execArgv = process.execArgv.filter((flag) => flag.startsWith("--conditions="));
  return new Worker(new URL("./compiler.ts", import.meta.url), { name: "doppel compiler", execArgv, workerData: module.getCompileCacheDir?.() });
}
