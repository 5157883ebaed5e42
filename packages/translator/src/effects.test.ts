import { isDefined } from "@doppel/cpu";
import type { Shape } from "@doppel/semantics";
import { type Form, FORMS } from "@doppel/x86";
import { expect, test } from "vitest";
import { meaningOf } from "./effects.ts";

/** Shapes of a form: with every operand size, in memory and in registers, repeated and not. */
function* shapesOf(form: Form): Generator<Shape> {
  for (const long of [false, true]) {
    if (long ? form.invalid64 : form.only64) continue;
    for (const memory of [false, true]) {
      if (memory ? form.registerOnly : form.memoryOnly) continue;
      for (const operandSize of long ? [2, 4, 8] as const : [2, 4] as const) {
        for (const rep of ["", "rep", "repne"] as const) {
          yield { form, operandSize, addressSize: long ? 8 : 4, memory, rep, condition: 0, long, flat: true, flatOperand: true, indexed: false, ripRelative: false };
        }
      }
    }
  }
}

test("all shapes of a form have a meaning for regions, or none has: where blocks end is asked once for each form", () => {
  const kinds = FORMS.filter(isDefined).map((form) => ({ form: `${form.opcode} ${form.mnemonic}`, kinds: new Set([...shapesOf(form)].map((shape) => meaningOf(shape) !== undefined)) }));
  expect(kinds.filter((one) => one.kinds.size > 1)).toEqual([]);
  expect(kinds.filter((one) => one.kinds.has(true)).length).toBeGreaterThan(800);
  expect(kinds.filter((one) => one.kinds.has(false)).length).toBeGreaterThan(40);
});
