// Every x87, MMX and SSE form of the tables has a definition, and its handler is valid WebAssembly in 16-, 32- and 64-bit code.
import { expect, test } from "vitest";
import { DEFINITIONS, type Shape } from "@doppel/semantics";
import { type Form, FORMS } from "@doppel/x86";
import { outlineModule } from "../handler.ts";

const FEATURES = new Set(["FPU", "MMX", "SSE", "SSE2", "SSE3"]);

function* shapes(form: Form): Generator<Shape> {
  for (const memory of [false, true]) {
    if (memory ? form.registerOnly || form.memoryOperand < 0 : form.memoryOnly) continue;
    const wide = form.operands.some(({ size }) => size === "y");
    for (const [long, flat, operandSize] of [[false, true, 4], [false, false, 2], [true, true, 4], [true, true, 8]] as const) {
      if (operandSize === 8 && !wide) continue;
      yield { form, operandSize, addressSize: long ? 8 : 4, memory, rep: "", condition: 0, long, flat, flatOperand: flat, indexed: true, ripRelative: false };
    }
  }
}

test.each([...FEATURES])("%s", (feature) => {
  for (const form of FORMS.filter((candidate) => candidate.feature === feature)) {
    expect(DEFINITIONS.has(form.mnemonic), form.mnemonic).toBe(true);
    for (const shape of shapes(form)) expect(() => outlineModule(shape), `${form.opcode} ${form.mnemonic} ${JSON.stringify(shape)}`).not.toThrow();
  }
});
