/** In a file of its own: a page that only hears of it loads no translator for it. */
import { DoppelError } from "@doppel/persist";

/** There is nothing to explain at an address. */
export class ExplainError extends DoppelError {}
