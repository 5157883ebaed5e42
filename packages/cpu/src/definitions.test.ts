/** Every definition lowers to code that WebAssembly validates: each form, operand size and place of the operand, in each kind of code. */
import { DEFINITIONS, type Shape } from "@doppel/semantics";
import { FORMS, Instruction } from "@doppel/x86";
import { expect, test } from "vitest";
import { outlineModule, shapeOf } from "./handler.ts";

function* shapes(long: boolean, flat: boolean): Generator<Shape> {
  const instruction = new Instruction();
  for (const form of FORMS) {
    if (!DEFINITIONS.has(form.mnemonic) || (long ? form.invalid64 : form.only64)) continue;
    const places = !form.hasModrm ? [false] : form.memoryOnly ? [true] : form.registerOnly ? [false] : [false, true];
    const sizes = long ? (form.forced64 ? [8] as const : form.default64 ? [8, 2] as const : [4, 2, 8] as const) : [4, 2] as const;
    for (const operandSize of sizes) {
      for (const memory of places) yield shapeOf(Object.assign(instruction, { form, operandSize, addressSize: long ? 8 : 4, memory }), long, flat);
    }
  }
}

test.each([["32-bit flat", false, true], ["32-bit with checked segments", false, false], ["64-bit", true, true]] as const)("%s code", (_, long, flat) => {
  const invalid: string[] = [];
  for (const shape of shapes(long, flat)) {
    try {
      outlineModule(shape);
    } catch (error) {
      invalid.push(`${shape.form.opcode} ${shape.form.mnemonic} ${shape.operandSize}${shape.memory ? " memory" : ""}: ${String(error)}`);
    }
  }
  expect(invalid).toEqual([]);
}, 180_000);
