/** Connects the machine's UARTs to files and TCP ports. Standard input and output belong to the console, which has keys of its own. */
import type { SerialPort, Vm } from "./machine.ts";
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
      if (target.kind === "file") stack.use(recordOutput(uart, target.path, "serial file"));
      else if (target.kind === "tcp") {
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

/**
 * Writes everything that an output says into a file.
 * @throws {HostError} `HOST_FILE` when it cannot be opened.
 */
export function recordOutput(output: Pick<SerialPort, "onOutput">, path: string, what: string): Disposable {
  const file = open(path, what);
  const listening = output.onOutput((bytes) => {
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
  });
  return {
    [Symbol.dispose]: () => {
      listening[Symbol.dispose]();
      closeSync(file);
    },
  };
}

function open(path: string, what: string): number {
  try {
    return openSync(path, "w");
  } catch (error) {
    throw new HostError("HOST_FILE", `The ${what} ${path} cannot be opened: ${(error as Error).message}.`, { cause: error });
  }
}
