import { DoppelError } from "@doppel/persist";

/** A machine that cannot be made, or a state that does not fit it. */
export class MachineError extends DoppelError {}
