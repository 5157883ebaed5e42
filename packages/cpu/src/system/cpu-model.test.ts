/**
 * CPUID says what there is (SDM volume 2, CPUID): every instruction of a feature that a model announces runs, and every one of a
 * feature that it does not is #UD, or what the same bytes are without it.
 */
import { bareMachine } from "@doppel/testkit";
import {
  CPUID_1_ECX_PCID, CPUID_1_ECX_XSAVE, CPUID_7_EBX_SMAP, CPUID_7_EBX_SMEP, CR4_OSXSAVE, CR4_PCIDE, CR4_SMAP, CR4_SMEP, DESCRIPTOR_L, FORMS, IA32_ARCH_CAPABILITIES, IA32_PRED_CMD, IA32_SPEC_CTRL, type Form,
} from "@doppel/x86";
import { describe, expect, test } from "vitest";
import { featuresOf } from "../features.ts";
import { CPU_MODELS, cpuidLeaf, type CpuModel } from "./cpu-model.ts";

const CODE = 0x1000;
const DATA = 0x8000;
const EDI = 7;
const PREFIX_BYTES: Record<string, number> = { "66": 0x66, "F3": 0xf3, "F2": 0xf2 };

/** The bytes of a form: registers 0 and 1, or memory at [rDI]; immediates are zero. */
function encode(form: Form, long: boolean): number[] {
  const bytes: number[] = [];
  const modrm = form.fixedModrm >= 0 ? form.fixedModrm
    : (form.digit >= 0 ? form.digit << 3 : 0) | (form.memoryOnly ? EDI : 0xc1);
  if (form.vex) {
    const pp = ["", "66", "F3", "F2"].indexOf(form.mandatoryPrefix === "NP" ? "" : form.mandatoryPrefix);
    bytes.push(0xc4, 0xe0 | (form.map - 2), (form.rexW ? 0x80 : 0) | (0xf << 3) | pp, form.opcodeByte, modrm);
  } else {
    const prefix = PREFIX_BYTES[form.mandatoryPrefix];
    if (prefix !== undefined) bytes.push(prefix);
    if (form.rexW && long) bytes.push(0x48);
    if (form.map > 0) bytes.push(0x0f);
    if (form.map > 1) bytes.push(form.map === 2 ? 0x38 : 0x3a);
    bytes.push(form.opcodeByte);
    if (form.hasModrm || form.fixedModrm >= 0) bytes.push(modrm);
  }
  return [...bytes, 0, 0, 0, 0];
}

function machine(model: CpuModel, long: boolean): ReturnType<typeof bareMachine> {
  const made = bareMachine({ model });
  const { cpu } = made;
  for (let segment = 0; segment < 6; segment += 1) {
    cpu.state.setSegmentBase(segment, 0);
    cpu.state.setSegmentLimit(segment, 0xffff_ffff);
    cpu.state.setSegmentAttributes(segment, segment === 1 ? (long ? 0x008f9b00 | DESCRIPTOR_L : 0x00cf9b00) : 0x00cf9300);
  }
  cpu.cr0 = 0x11;
  cpu.cr4 = model.cr4 & ~(CR4_PCIDE | CR4_SMAP | CR4_SMEP);
  if (long) cpu.efer = 0x501;
  cpu.deriveSegments();
  for (let register = 0; register < 8; register += 1) cpu.state.setGpr32(register, DATA);
  cpu.state.setGpr32(1, 0);
  cpu.state.rip = CODE;
  return made;
}

/** Does the processor raise #UD? */
function undefinedHere(model: CpuModel, form: Form, long: boolean): boolean {
  const { engine, physical } = machine(model, long);
  physical.load(CODE, Uint8Array.from(encode(form, long)));
  engine.run(1);
  return engine.counters.exceptions[6]! > 0;
}

describe.each(Object.values(CPU_MODELS))("CPUID of $name", (model) => {
  const long = model.linearBits === 48;
  const features = featuresOf(model);
  const forms = FORMS.filter((form) => form.feature !== "" && !(long ? form.invalid64 : form.only64));
  test("every form of an announced feature runs", { timeout: 60_000 }, () => {
    const wrong = forms.filter((form) => features.has(form.feature) && undefinedHere(model, form, long));
    expect(wrong.map(({ mnemonic, opcode }) => `${opcode} ${mnemonic}`)).toEqual([]);
  });
  test("no form of another feature does", { timeout: 60_000 }, () => {
    const wrong = forms.filter((form) => !features.has(form.feature) && form.fallback === undefined && !undefinedHere(model, form, long));
    expect(wrong.map(({ mnemonic, opcode }) => `${opcode} ${mnemonic}`)).toEqual([]);
  });
});

describe("SDM volume 4, speculation", () => {
  test.each([CPU_MODELS.i686, CPU_MODELS["x86-64"]])("$name has the registers that CPUID tells of", (model) => {
    const { cpu: { msr } } = bareMachine({ model });
    // IBRS, STIBP and BHI_DIS_S can be set, SSBD cannot; IBPB is a command, which cannot be read.
    expect([msr.read(IA32_SPEC_CTRL), msr.low, msr.write(IA32_SPEC_CTRL, 0x403, 0), msr.read(IA32_SPEC_CTRL), msr.low]).toEqual([true, 0, true, true, 0x403]);
    expect([msr.write(IA32_SPEC_CTRL, 4, 0), msr.write(IA32_SPEC_CTRL, 0, 1), msr.value(IA32_SPEC_CTRL)]).toEqual([false, false, 0x403]);
    expect([msr.write(IA32_PRED_CMD, 1, 0), msr.write(IA32_PRED_CMD, 2, 0), msr.write(IA32_PRED_CMD, 0, 1), msr.read(IA32_PRED_CMD)]).toEqual([true, false, false, false]);
    expect([msr.read(IA32_ARCH_CAPABILITIES), msr.low & 3, msr.write(IA32_ARCH_CAPABILITIES, 0, 0)]).toEqual([true, 3, false]);
  });
  test("a model without them has none", () => {
    const { cpu: { msr } } = bareMachine({ model: CPU_MODELS["pentium-pro"] });
    for (const register of [IA32_SPEC_CTRL, IA32_PRED_CMD, IA32_ARCH_CAPABILITIES]) expect([msr.read(register), msr.write(register, 0, 0)]).toEqual([false, false]);
  });
});

describe("SDM volume 2, CPUID", () => {
  const on = { apic: true, osxsave: false, long: true, cores: 1, apicId: 0, kvmClock: false };
  const { "i686": i686, "x86-64": base, "x86-64-v2": second, "max": max } = CPU_MODELS;
  test("levels of the psABI for x86-64", () => {
    expect(cpuidLeaf(base, 0x80000001, 0, on)[3]).toBe(0x20100800);
    expect(cpuidLeaf(base, 1, 0, on)[2] >>> 0).toBe(0xc1000000);
    // SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT; LAHF in the extended leaf.
    expect(cpuidLeaf(second, 1, 0, on)[2] >>> 0).toBe(0xc1982201);
    expect(cpuidLeaf(second, 0x80000001, 0, on)[2]).toBe(1);
    expect(cpuidLeaf(i686, 0x80000001, 0, on)[3]).toBe(1 << 20);
  });
  test("leaf 80000008: 40 and 48 bits", () => expect(cpuidLeaf(max, 0x80000008, 0, on)[0]).toBe(0x3028));
  test("SYSCALL is announced in 64-bit mode only", () => expect(cpuidLeaf(base, 0x80000001, 0, { ...on, long: false })[3]).toBe(0x20100000));
  test("OSXSAVE follows CR4", () => {
    expect([cpuidLeaf(max, 1, 0, on)[2], cpuidLeaf(max, 1, 0, { ...on, osxsave: true })[2]].map((ecx) => (ecx >>> 27) & 1)).toEqual([0, 1]);
  });
  test("the TSC deadline is announced by all models, where there is a local APIC", () => {
    const bits = Object.values(CPU_MODELS).map((model) => [on, { ...on, apic: false }].map((now) => (cpuidLeaf(model, 1, 0, now)[2] >>> 24) & 1));
    expect(bits).toEqual(bits.map(() => [1, 0]));
  });
  test("leaf 0DH: x87 and SSE in 576 bytes, and XSAVEOPT", () => {
    expect([cpuidLeaf(max, 0xd, 0, on), cpuidLeaf(max, 0xd, 1, on), cpuidLeaf(second, 0xd, 0, on)]).toEqual([[3, 576, 576, 0], [1, 0, 0, 0], [0, 0, 0, 0]]);
  });
  test("leaves 1, 4 and 0BH: four cores with one thread each in one package", () => {
    const third = { ...on, cores: 4, apicId: 2 };
    expect([cpuidLeaf(base, 1, 0, third)[1], cpuidLeaf(base, 1, 0, third)[3] >>> 28]).toEqual([0x02040800, 1]);
    expect([0, 2].map((cache) => cpuidLeaf(base, 4, cache, third)[0])).toEqual([0x0c000121, 0x0c000143]);
    expect([0, 1, 2].map((level) => cpuidLeaf(base, 0xb, level, third))).toEqual([[0, 1, 0x100, 2], [2, 4, 0x201, 2], [0, 0, 2, 2]]);
    expect([cpuidLeaf(base, 1, 0, on)[1], cpuidLeaf(base, 0xb, 1, on)]).toEqual([0x00010800, [0, 1, 0x201, 0]]);
  });
  test("random numbers are announced by all models", () => {
    const bits = Object.values(CPU_MODELS).map((model) => [(cpuidLeaf(model, 1, 0, on)[2] >>> 30) & 1, (cpuidLeaf(model, 7, 0, on)[1] >>> 18) & 1]);
    expect(bits).toEqual(bits.map(() => [1, 1]));
  });
  test("leaf 7: speculation is controlled, by bits of its second subleaf as well, and immunities are told of", () => {
    for (const model of [i686, base, second, max]) {
      const [last, , , edx] = cpuidLeaf(model, 7, 0, on);
      expect([last, edx >>> 26, cpuidLeaf(model, 7, 1, on), cpuidLeaf(model, 7, 2, on)]).toEqual([2, 0b1011, [0, 0, 0, 0], [0, 0, 0, 1 << 4]]);
    }
    expect([0, 1, 2].map((subleaf) => cpuidLeaf(CPU_MODELS["pentium-pro"], 7, subleaf, on))).toEqual([[0, 1 << 18, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]);
  });
  test("CR4 has what the features bring", () => {
    const bits: readonly (readonly [boolean, number])[] = [
      [(max.features.ecx & CPUID_1_ECX_XSAVE) !== 0, CR4_OSXSAVE], [(max.features.ecx & CPUID_1_ECX_PCID) !== 0, CR4_PCIDE],
      [(max.features.structuredEbx & CPUID_7_EBX_SMEP) !== 0, CR4_SMEP], [(max.features.structuredEbx & CPUID_7_EBX_SMAP) !== 0, CR4_SMAP],
    ];
    for (const [announced, bit] of bits) expect([announced, (max.cr4 & bit) !== 0, (base.cr4 & bit) !== 0]).toEqual([true, true, false]);
  });
});
