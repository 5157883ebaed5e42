/** What the package's build makes with `bios-code.maker.ts` and puts here; undefined where the sources run. */
export const MADE: readonly number[] | undefined = undefined;
