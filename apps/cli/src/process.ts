/** The `doppel` command in its process: streams, signals and exit status around the command line. */
import { readRaw, tuneV8 } from "doppel/node";
import { commandLine } from "./command-line.ts";
import { createVm } from "./machine.ts";

/** Runs the command line that the process was started with, and ends the process. */
export async function main(): Promise<never> {
  tuneV8();

  const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
    new Promise((resolve) => (stream.writable ? stream.write("", () => resolve()) : resolve()));

  const closed = new Set<() => void>();
  process.stdout.on("error", () => {
    for (const listener of closed) listener();
  });
  process.stderr.on("error", () => {});

  const status = await commandLine(process.argv.slice(2), {
    streams: {
      out: (bytes) => void process.stdout.write(bytes),
      err: (text) => void process.stderr.write(text),
      input: readRaw,
      onClosed: (listener) => {
        closed.add(listener);
        return { [Symbol.dispose]: () => void closed.delete(listener) };
      },
    },
    signals: {
      on: (name, listener) => {
        process.on(name, listener);
        return { [Symbol.dispose]: () => void process.off(name, listener) };
      },
    },
    createVm,
  });
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  process.exit(status);
}
