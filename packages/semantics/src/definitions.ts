/**
 * The one definition of each instruction, by mnemonic. A form without a definition is an instruction Doppel does not have:
 * it raises #UD like any other undefined opcode, and CPUID does not announce it.
 */
import { ARITHMETIC } from "./arithmetic.ts";
import { BITS } from "./bits.ts";
import { CONTROL_FLOW } from "./control-flow.ts";
import type { Definition } from "./instruction.ts";
import { MOVES } from "./moves.ts";
import { SHIFTS } from "./shifts.ts";
import { STRINGS } from "./strings.ts";
import { SSE_FLOAT } from "./sse-float.ts";
import { SSE_MOVES } from "./sse-moves.ts";
import { SSE_PACKED } from "./sse-packed.ts";
import { SYSTEM } from "./system.ts";
import { X87_CONTROL } from "./x87-control.ts";
import { X87_TRANSCENDENTAL } from "./x87-transcendental.ts";
import { X87 } from "./x87.ts";

/** Definitions by mnemonic, in the spelling of the opcode tables. */
export const DEFINITIONS: ReadonlyMap<string, Definition> = new Map(
  [ARITHMETIC, SHIFTS, BITS, MOVES, CONTROL_FLOW, STRINGS, SYSTEM, X87_CONTROL, X87, X87_TRANSCENDENTAL, SSE_MOVES, SSE_PACKED, SSE_FLOAT].flatMap((family) => Object.entries(family)),
);
