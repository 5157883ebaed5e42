/** Makes the handlers that are in stock; the package's build puts them into `stock.made.ts`. */
import { dispatchModule } from "./dispatch.ts";
import { outlinesModule } from "./handler.ts";
import { frequentShapes, usualShapes } from "./hot-shapes.ts";

/** Modules in base 64, each of 16- and 32-bit code and of 64-bit code. */
export interface Stock {
  /** Dispatch functions beside a translator, for nobody who watches. */
  readonly dispatch: readonly [short: string, long: string];
  /** Handlers of their own, exported under their keys. */
  readonly handlers: readonly [short: string, long: string];
}

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** Makes them: half a second. */
export function make(): Stock {
  const dispatch = (long: boolean): string => base64(dispatchModule(frequentShapes(long), long, true, "nothing", true).module.encode());
  const handlers = (long: boolean): string => base64(outlinesModule(usualShapes(long)).module.encode());
  return { dispatch: [dispatch(false), dispatch(true)], handlers: [handlers(false), handlers(true)] };
}
