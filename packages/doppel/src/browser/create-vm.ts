/** `createVm` for a page: the same options and the same methods, with the machine in a worker of its own. */
import type { AnyVm } from "../any-vm.ts";
import type { VmOptions } from "../create-vm.ts";
import { RemoteError, RemoteVm } from "../remote/remote-vm.ts";
import { startWorker } from "./start-worker.ts";

/** What to build, and where. */
export interface BrowserVmOptions extends VmOptions {
  /** Runs in a worker, so that the page stays responsive; true when absent. In the page, it takes turns with everything else there. */
  readonly worker?: boolean;
}

/**
 * Makes a machine. It does not run before `run` is called.
 *
 * @throws what `createVm` of the package `doppel` throws, and {@link RemoteError} `REMOTE_LOST` when the worker does not start
 * @example
 * const vm = await createVm({ kernel: { kernel, initrd, append: "console=ttyS0" }, engine: "auto" });
 * vm.serial[0].onOutput((bytes) => terminal.write(bytes));
 * const stop = await vm.run();
 */
export async function createVm(options: BrowserVmOptions): Promise<AnyVm> {
  const { worker = true, ...machine } = options;
  // Loaded late: a page that uses workers needs no engine of its own.
  if (!worker || typeof Worker === "undefined") return (await import("../create-vm.ts")).createVm(machine);
  const thread = startWorker();
  const lost = new Promise<never>((_, reject) => {
    thread.addEventListener("error", (event) => {
      reject(new RemoteError("REMOTE_LOST", `the machine's worker failed: ${event.message || "its script could not be loaded"}`));
    });
  });
  try {
    return await RemoteVm.create(thread, machine, { lost, end: () => thread.terminate() });
  } catch (error) {
    thread.terminate();
    throw error;
  }
}
