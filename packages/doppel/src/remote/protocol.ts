/**
 * What a machine in a worker and its user say to each other, each a message of `postMessage`: requests with a number and their answers,
 * bytes of the serial lines in both directions, and bytes of a debugger.
 *
 *   user     { id, method, args }   { serial, data }    { debugger: bytes }
 *   worker   { id, value }          { serial, bytes }   { debugger: bytes }
 *            { id, error }          { serial: "debug", bytes }
 */
import type { AnyVm } from "../any-vm.ts";

/** Methods that are called as they are. */
export type CalledMethod = Exclude<keyof AnyVm, "serial" | "debugOutput" | "console" | "attachDebugger">;
/** Methods, and those that exist for messages only. */
export type Method = CalledMethod | "create" | "attach" | "detach";

/** An error as a message: structured clones of errors lose class and code. */
export interface ErrorMessage { readonly name: string; readonly code?: string; readonly message: string; readonly stack?: string }

/** A call. */
export interface Call { readonly id: number; readonly method: Method; readonly args: readonly unknown[] }

/** From the machine's user. */
export type Request =
  | Call
  | { readonly serial: number; readonly data: Uint8Array | string }
  | { readonly debugger: Uint8Array };

/** From the machine. */
export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: ErrorMessage }
  | { readonly serial: number | "debug"; readonly bytes: Uint8Array }
  | { readonly debugger: Uint8Array };

/** One end of the line: a `Worker`, a worker's global scope, or a `MessagePort`. */
export interface Endpoint {
  postMessage(message: unknown): void;
  addEventListener(type: "message", listener: (event: object) => void): void;
}

/** Calls `hear` with each message. */
export function listen<T>(endpoint: Endpoint, hear: (message: T) => void): void {
  endpoint.addEventListener("message", (event) => hear((event as { readonly data: T }).data));
}
