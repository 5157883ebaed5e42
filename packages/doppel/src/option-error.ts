/** The error of options that do not fit together. */
import { DoppelError } from "@doppel/persist";

/** An option of `createVm` that cannot be used. */
export class OptionError extends DoppelError {}
