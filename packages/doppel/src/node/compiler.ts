/** The whole script of a thread that compiles: it answers each request with a module. */
import module from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import type { CompileRequest } from "@doppel/translator";

const cache = workerData as string | undefined;
// Before anything else is loaded.
if (cache !== undefined) module.enableCompileCache?.(cache);
const { compileRequest } = await import("@doppel/translator");

parentPort!.on("message", ({ id, request }: { id: number; request: CompileRequest }) => {
  parentPort!.postMessage({ id, module: compileRequest(request) });
});
parentPort!.postMessage("ready");
