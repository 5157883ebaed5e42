/**
 * The one definition of each instruction, by mnemonic. A form without a definition is an instruction Doppel does not have:
 * it raises #UD like any other undefined opcode, and CPUID does not announce it.
 */
import { ARITHMETIC } from "./arithmetic.ts";
import { AES } from "./aes.ts";
import { BITS } from "./bits.ts";
import { BMI } from "./bmi.ts";
import { CARRY_LESS } from "./carry-less.ts";
import { CONTROL_FLOW } from "./control-flow.ts";
import type { Definition } from "./instruction.ts";
import { MOVES } from "./moves.ts";
import { SHA } from "./sha.ts";
import { SHIFTS } from "./shifts.ts";
import { STRINGS } from "./strings.ts";
import { SSE_FLOAT } from "./sse-float.ts";
import { SSE_MOVES } from "./sse-moves.ts";
import { SSE_PACKED } from "./sse-packed.ts";
import { SSE4_ELEMENTS } from "./sse4-elements.ts";
import { SSE4_FLOAT } from "./sse4-float.ts";
import { SSE4_PACKED } from "./sse4-packed.ts";
import { SSE4_STRINGS } from "./sse4-strings.ts";
import { SSSE3 } from "./ssse3.ts";
import { SYSTEM } from "./system.ts";
import { X87_CONTROL } from "./x87-control.ts";
import { X87_TRANSCENDENTAL } from "./x87-transcendental.ts";
import { X87 } from "./x87.ts";

/** Definitions by mnemonic, in the spelling of the opcode tables. */
export const DEFINITIONS: ReadonlyMap<string, Definition> = new Map(
  [ARITHMETIC, SHIFTS, BITS, MOVES, CONTROL_FLOW, STRINGS, SYSTEM, X87_CONTROL, X87, X87_TRANSCENDENTAL, SSE_MOVES, SSE_PACKED, SSE_FLOAT, SSSE3, SSE4_PACKED, SSE4_ELEMENTS, SSE4_FLOAT, SSE4_STRINGS,
    CARRY_LESS, AES, SHA, BMI].flatMap((family) => Object.entries(family)),
);
