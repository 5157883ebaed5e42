/**
 * Handlers in stock: what usual systems ask for is made when the package is built, rather than by each process that starts (decision 14). Where the
 * sources run there are none, and what is asked for is made then; it is the same.
 */
import { MADE } from "./stock.made.ts";
import type { Stock } from "./stock.maker.ts";

const compiled = new Map<string, WebAssembly.Module>();

/** A module of the stock, compiled once per process; undefined where there is no stock. */
export function stocked(what: keyof Stock, long: boolean, stock: Stock | undefined = MADE): WebAssembly.Module | undefined {
  const text = stock?.[what][long ? 1 : 0];
  if (text === undefined) return undefined;
  let module = compiled.get(text);
  if (module === undefined) compiled.set(text, (module = new WebAssembly.Module(fromBase64(text))));
  return module;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let n = 0; n < bytes.length; n++) bytes[n] = characters.charCodeAt(n);
  return bytes;
}
