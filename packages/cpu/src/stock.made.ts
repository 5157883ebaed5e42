import type { Stock } from "./stock.maker.ts";

/** What the package's build makes with `stock.maker.ts` and puts here; undefined where the sources run. */
export const MADE: Stock | undefined = undefined;
