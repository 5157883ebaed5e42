/** The values of options as people write them: sizes, durations, serial ports, network addresses, modules. */
import { HostError } from "doppel/node";

const bad = (message: string): HostError => new HostError("HOST_BAD_VALUE", message);

const KIB = 1024;
const units: Record<string, number> = { "": KIB * KIB, k: KIB, m: KIB * KIB, g: KIB ** 3 };
/** The least RAM that a PC is built with here, and the most that `createVm` takes, which leaves a 32-bit WebAssembly memory room for everything else. */
export const LEAST_MEMORY = 2 * KIB * KIB;
export const MOST_MEMORY = 3584 * KIB ** 2;

/** `256M`, `1G`, `65536K`; a bare number is in MiB. Gives bytes. */
export function parseMemory(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?$/i.exec(text.trim());
  if (!match) throw bad(`--memory ${text} is no size; write it like 256M or 1G.`);
  const bytes = Number(match[1]) * units[match[2]!.toLowerCase()]!;
  if (!(bytes >= LEAST_MEMORY && bytes <= MOST_MEMORY)) throw bad(`--memory ${text} is out of range; give 2M to 3584M.`);
  if (bytes % 4096 !== 0) throw bad(`--memory ${text} is no multiple of 4 KiB.`);
  return bytes;
}

const durations: Record<string, number> = { ms: 1, "": 1000, s: 1000, m: 60_000, h: 3_600_000 };

/** `60s`, `500ms`, `2m`, `1h`; a bare number is in seconds. Gives milliseconds. */
export function parseDuration(text: string, option = "--timeout"): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim());
  const milliseconds = match ? Number(match[1]) * durations[match[2] ?? ""]! : 0;
  // setTimeout counts in 32 bits.
  if (!(milliseconds > 0 && milliseconds < 2 ** 31)) throw bad(`${option} ${text} is no duration; write it like 60s, 500ms or 2m.`);
  return milliseconds;
}

/** A TCP address to listen on. */
export interface Address { host: string; port: number }

/** `PORT` or `HOST:PORT`; the host is the loopback address unless it is given. */
export function parseAddress(option: string, text: string): Address {
  const match = /^(?:(.+):)?(\d+)$/.exec(text);
  const port = match ? Number(match[2]) : -1;
  if (port < 0 || port > 65535) throw bad(`${option} ${text} is no port; give a number up to 65535, or HOST:PORT.`);
  return { host: match![1] ?? "127.0.0.1", port };
}

/** Where a UART's bytes go. */
export type SerialTarget =
  | { kind: "stdio" }
  | { kind: "none" }
  | { kind: "file"; path: string }
  | { kind: "tcp"; address: Address };

/** `stdio`, `none`, `file:F` or `tcp:PORT`. */
export function parseSerial(text: string): SerialTarget {
  if (text === "stdio" || text === "none") return { kind: text };
  if (text.startsWith("file:") && text.length > 5) return { kind: "file", path: text.slice(5) };
  if (text.startsWith("tcp:")) return { kind: "tcp", address: parseAddress("--serial tcp:", text.slice(4)) };
  throw bad(`--serial ${text} is none of stdio, file:F, tcp:PORT and none.`);
}

/** Where an output goes that is no serial port. */
export type OutputTarget = { kind: "stderr" } | { kind: "file"; path: string };

/** `stderr` or `file:F`. */
export function parseOutput(option: string, text: string): OutputTarget {
  if (text === "stderr") return { kind: "stderr" };
  if (text.startsWith("file:") && text.length > 5) return { kind: "file", path: text.slice(5) };
  throw bad(`${option} ${text} is neither stderr nor file:F.`);
}

/** A multiboot module: a file, and the string that the kernel gets with it, which begins with the file's name by custom. */
export function parseModule(text: string): { path: string; args: string } {
  const path = /^\S+/.exec(text.trim())?.[0];
  if (path === undefined) throw bad("--module names no file; write it like --module \"initrd.img root=/dev/ram\".");
  return { path, args: text.trim() };
}

/** Reads `--cpus`. @throws {HostError} `HOST_BAD_VALUE` unless it is 1 to 8. */
export function parseCpus(text: string): number {
  const count = Number(text);
  if (!/^[0-9]+$/.test(text) || count < 1 || count > 8) throw bad(`A machine has 1 to 8 processors, not ${text}; give --cpus a number.`);
  return count;
}
