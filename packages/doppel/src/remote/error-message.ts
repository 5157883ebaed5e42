/** Errors on their way between threads: packed with class and code, unpacked as what they were. */
import { FirmwareError } from "@doppel/firmware";
import { MemoryError } from "@doppel/memory";
import { DoppelError, PersistError } from "@doppel/persist";
import { ExplainError } from "@doppel/translator";
import { MachineError } from "@doppel/vmm";
import { ConsoleError } from "../console.ts";
import { OptionError } from "../option-error.ts";
import type { ErrorMessage } from "./protocol.ts";

const CLASSES: Record<string, new (code: never, message: string) => DoppelError> = {
  ConsoleError, ExplainError, FirmwareError, MachineError, MemoryError, OptionError, PersistError,
};

/** Packs what was thrown. */
export function packError(error: unknown): ErrorMessage {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message, stack } = error;
  // A minified build has other class names.
  const known = Object.keys(CLASSES).find((key) => error.constructor === CLASSES[key]);
  return { name: known ?? name, message, ...(error instanceof DoppelError ? { code: error.code } : {}), ...(stack === undefined ? {} : { stack }) };
}

/** Unpacks an error; one of Doppel's is an instance of its class again. */
export function unpackError({ name, code, message, stack }: ErrorMessage): Error {
  if (code !== undefined) return new (CLASSES[name] ?? DoppelError)(code as never, message);
  const error = new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
