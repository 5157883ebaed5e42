/** What a link to the page asks for: `?guest=debian-12-amd64&cmdline=console=ttyS0&memory=512M`. */
import { memorySize } from "doppel/browser";

/** What the machine view shows beside the live panel. */
export type Display = "serial" | "screen" | "translation";
/** All of them, with the titles of their tabs. */
export const DISPLAYS: Readonly<Record<Display, string>> = { serial: "Serial console", screen: "Screen", translation: "Translation" };

/** A machine that is to be made, without its files. */
export interface LinkOptions {
  readonly guest?: string;
  /** A saved machine of this browser. */
  readonly saved?: string;
  /** The kernel's command line, in place of the guest's own. */
  readonly cmdline?: string;
  /** Bytes. */
  readonly memory?: number;
  readonly cpus?: number;
  readonly cpu?: string;
  readonly display?: Display;
  /** Features to do without: `tailCalls`, `simd`, `opfs` ... */
  readonly off: readonly string[];
}

/** A link that cannot be understood. */
export class LinkError extends Error {}

/**
 * Reads the query of an address.
 * @throws {LinkError} for a value that is none
 */
export function readLink(query: string): LinkOptions {
  const given = new URLSearchParams(query);
  const text = (name: string): string | undefined => given.get(name) ?? undefined;
  const number = (name: string, value: string | undefined, read: (text: string) => number): number | undefined => {
    if (value === undefined) return undefined;
    const found = read(value);
    if (!Number.isFinite(found)) throw new LinkError(`The link says ${name}=${value}, which is no ${name === "memory" ? "size; write 256M or 1G" : "number"}.`);
    return found;
  };
  const display = text("display");
  if (display !== undefined && !isDisplay(display)) throw new LinkError(`The link says display=${display}; it may be ${Object.keys(DISPLAYS).join(", ")}.`);
  return drop({
    guest: text("guest"), saved: text("saved"), cmdline: text("cmdline"), cpu: text("cpu"), display, off: text("off")?.split(",").filter((name) => name !== "") ?? [],
    memory: number("memory", text("memory"), memorySize), cpus: number("cpus", text("cpus"), Number),
  });
}

function isDisplay(name: string): name is Display {
  return Object.hasOwn(DISPLAYS, name);
}

/** The query of an address that makes the same machine again. */
export function writeLink(options: LinkOptions): string {
  const query = new URLSearchParams();
  const { off, memory, ...rest } = options;
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) query.set(name, String(value));
  if (memory !== undefined) query.set("memory", memory % 2 ** 20 === 0 ? `${memory / 2 ** 20}M` : String(memory));
  if (off.length > 0) query.set("off", off.join(","));
  return query.size === 0 ? "" : `?${query.toString()}`;
}

/** Without the properties that are undefined. */
function drop<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}
