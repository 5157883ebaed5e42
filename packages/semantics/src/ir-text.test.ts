// The text of IR: what it says of known instructions, and that it says something of all of them.
import { FORMS, type Form } from "@doppel/x86";
import { describe, expect, test } from "vitest";
import { Builder, DEFINITIONS, FLOAT_FUNCTIONS, GPR, InstructionBuilder, irText, MXCSR, RIP, SEGMENT, type Shape, stateName, XMM } from "./index.ts";

const shapeOf = (form: Form, changes: Partial<Shape> = {}): Shape => ({
  form, operandSize: 4, addressSize: 4, memory: false, rep: "", condition: 0, long: false, flat: true, flatOperand: true, indexed: true, ripRelative: false, ...changes,
});
const textOf = (shape: Shape): string[] => {
  const b = new InstructionBuilder(shape);
  DEFINITIONS.get(shape.form.mnemonic)!(b);
  return irText(b.root);
};
const byOpcode = (opcode: string): Form => FORMS.find((one) => one.opcode === opcode)!;

test("ADD to memory: a value that is used twice has a number, one that is used once stands in its place", () => {
  expect(textOf(shapeOf(byOpcode("01"), { memory: true }))).toEqual([
    "%1 = address",
    "%2 = load.4 [segment: %1] for update",
    "%3 = reg",
    "%4 = i32.add(%2, %3)",
    "store.4 [segment: %1], %4",
    "flags add.4 a=%2, b=%3, result=%4",
  ]);
});

test("operands are named by who knows the instruction", () => {
  const b = new InstructionBuilder(shapeOf(byOpcode("01"), { memory: true }));
  DEFINITIONS.get("ADD")!(b);
  expect(irText(b.root, { place: () => "ecx", effectiveAddress: "ebp + 8", segment: "ss" }).slice(0, 3)).toEqual(["%1 = ebp + 8", "%2 = load.4 [ss: %1] for update", "%3 = ecx"]);
});

test("a read stands in front of what changes it, and control is indented", () => {
  const b = new Builder({ long: false, flat: true });
  const before = b.place({ at: GPR }, 4);
  b.setPlace({ at: GPR }, 4, b.i32(1));
  b.if(b.flag("CF"), () => b.setPlace({ at: GPR + 8 }, 4, before), () => b.helper("cpuid", [], false), false);
  expect(irText(b.root)).toEqual(["%1 = eax", "eax = 1", "if unlikely CF {", "  ecx = %1", "} else {", "  helper cpuid()", "}"]);
});

test("names of state", () => {
  expect([stateName(GPR + 8, 4), stateName(GPR + 1, 1), stateName(GPR + 8 * 12), stateName(RIP), stateName(SEGMENT + 48 * 4), stateName(XMM + 24), stateName(MXCSR), stateName(0x7fff)])
    .toEqual(["ecx", "ah", "r12", "rip", "fs base", "xmm1+8", "mxcsr", undefined]);
});

/** A number is used behind the line that gives it, and nothing is without a name. */
function isWhole(lines: readonly string[]): boolean {
  const known = new Set<string>();
  return lines.length > 0 && lines.every((line) => {
    const [, made, rest] = /^\s*(?:(%\d+) = )?(.*)$/.exec(line)!;
    const used = rest!.match(/%\d+/g) ?? [];
    const whole = used.every((number) => known.has(number)) && !/undefined|NaN|\[object/.test(line);
    if (made !== undefined) known.add(made);
    return whole;
  });
}

describe("every definition has a whole text", () => {
  test.each([["32-bit", false, true], ["checked", false, false], ["64-bit", true, true]] as const)("%s", (_, long, flat) => {
    const broken: string[] = [];
    for (const form of FORMS) {
      if (!DEFINITIONS.has(form.mnemonic) || (long ? form.invalid64 : form.only64)) continue;
      for (const memory of !form.hasModrm ? [false] : form.memoryOnly ? [true] : form.registerOnly ? [false] : [false, true]) {
        const lines = textOf(shapeOf(form, { memory, long, flat, flatOperand: flat, operandSize: long && form.default64 ? 8 : 4, addressSize: long ? 8 : 4 }));
        // NOP does nothing, and says so by an empty text.
        if (!isWhole(lines) && lines.length > 0) broken.push(`${form.opcode} ${form.mnemonic}: ${lines.join("; ")}`);
      }
    }
    expect(broken).toEqual([]);
  });
  test("soft float", () => {
    for (const { name, parameters, body } of Object.values(FLOAT_FUNCTIONS)) {
      const b = new Builder({ long: false, flat: true });
      b.allowEarlyCommit();
      body(b, ...parameters.map((type, n) => b.parameter(type, n)));
      expect([name, isWhole(irText(b.root))]).toEqual([name, true]);
    }
  });
});
