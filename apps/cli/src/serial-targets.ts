/** Connects the machine's UARTs to files and TCP ports. Standard input and output belong to the console, which has keys of its own. */
import type { Vm } from "./machine.ts";
import type { SerialTarget } from "./values.ts";
import { closeSync, openSync, writeSync } from "node:fs";
import { HostError } from "doppel/node";
import { listen } from "./tcp-port.ts";

/**
 * Opens every target but `stdio`.
 * @throws {HostError} `HOST_FILE` or `HOST_PORT` when one cannot be opened.
 */
export async function connectSerial(vm: Vm, targets: readonly SerialTarget[], message: (text: string) => void): Promise<DisposableStack> {
  const stack = new DisposableStack();
  try {
    for (const [index, target] of targets.entries()) {
      const uart = vm.serial[index];
      if (!uart) continue;
      if (target.kind === "file") {
        const file = open(target.path);
        stack.defer(() => closeSync(file));
        stack.use(uart.onOutput((bytes) => {
          for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
        }));
      } else if (target.kind === "tcp") {
        const port = stack.use(await listen(target.address, "serial port", { received: (bytes) => uart.write(bytes) }));
        message(`serial port ${index} listens on ${target.address.host}:${port.port}\n`);
        stack.use(uart.onOutput((bytes) => port.send(bytes)));
      }
    }
    return stack;
  } catch (error) {
    stack.dispose();
    throw error;
  }
}

function open(path: string): number {
  try {
    return openSync(path, "w");
  } catch (error) {
    throw new HostError("HOST_FILE", `The serial file ${path} cannot be opened: ${(error as Error).message}.`, { cause: error });
  }
}
