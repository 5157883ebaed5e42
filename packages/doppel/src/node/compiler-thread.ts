/** A thread that writes and compiles hot code for machines, so that theirs does not stand still meanwhile. */
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import type { CompileRequest, ModuleCompiler } from "@doppel/translator";
import { startCompiler } from "./start-compiler.ts";

type Answer = "ready" | { readonly id: number; readonly module: WebAssembly.Module };

interface Waiting {
  readonly resolve: (module: WebAssembly.Module) => void;
  readonly reject: (error: unknown) => void;
}

class CompilerThread implements ModuleCompiler {
  isReady = false;
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private ids = 0;

  constructor() {
    this.worker = startCompiler();
    this.worker.on("message", (answer: Answer) => {
      if (answer === "ready") {
        this.isReady = true;
        return;
      }
      const { resolve } = this.waiting.get(answer.id)!;
      this.waiting.delete(answer.id);
      resolve(answer.module);
    });
    // Machines compile by themselves then.
    const fail = (error: unknown): void => {
      this.isReady = false;
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
    };
    this.worker.on("error", fail);
    this.worker.on("exit", () => fail(new Error("the thread that compiles has ended")));
    // It keeps no process alive.
    this.worker.unref();
  }

  async compile(request: CompileRequest): Promise<WebAssembly.Module> {
    return new Promise((resolve, reject) => {
      if (!this.isReady) return reject(new Error("the thread that compiles takes no requests"));
      const id = this.ids++;
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, request });
    });
  }
}

let thread: CompilerThread | undefined;

/**
 * The process's thread that compiles, for the option `compiler` of all its machines; undefined where there is one processor only, which it would have to
 * share with them. It is started when it is first asked for, and is ready a moment later: until then machines compile by themselves. What machines execute is
 * the same and takes the same time, but the host's event loop waits half as long at the 99th percentile: compiling a module is 5 ms of this thread, and up to 30.
 * @example
 * ```ts
 * const vm = await createVm({ ...options, compiler: compilerThread() });
 * ```
 */
export function compilerThread(): ModuleCompiler | undefined {
  if (thread === undefined && availableParallelism() > 1) thread = new CompilerThread();
  return thread;
}
