import type { Lookup } from "./lookup.maker.ts";

/** What the package's build makes with `lookup.maker.ts` and puts here; undefined where the sources run. */
export const MADE: Lookup | undefined = undefined;
