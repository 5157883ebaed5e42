/** Control registers, MSRs and CPUID; expectations from SDM volume 3, 2.5 and 4.1 to 4.4, volume 4, and volume 2, CPUID. */
import { describe, expect, test } from "vitest";
import { MODE_PROTECTED } from "../mode.ts";
import { FPU_TRAP } from "../state-layout.ts";
import { cpuidLeaf, MODEL_I686 } from "./cpu-model.ts";
import { Machine } from "./fixture.ts";

const ON = { apic: true, osxsave: false, long: false, cores: 1, apicId: 0, kvmClock: false };
const cr = (m: Machine, n: number, value: number): string => m.fault(m.helpers.writeControl(n, value, 0));
const get = (m: Machine, n: number): number => (m.helpers.readControl(n), m.cpu.state.scratch(0));

describe("SDM 2.5 CR0", () => {
  test("refused combinations are #GP(0); ET is always set", () => {
    const m = new Machine();
    expect(cr(m, 0, 0x80000010)).toBe("13(0)");
    expect(cr(m, 0, 0x20000011)).toBe("13(0)");
    expect(cr(m, 0, 1)).toBe("ok");
    expect([get(m, 0), m.cpu.state.mode & MODE_PROTECTED]).toEqual([0x11, MODE_PROTECTED]);
  });
  test("outside level 0: #GP(0)", () => {
    const m = new Machine().protect(3);
    for (const status of [m.helpers.readControl(0), m.helpers.writeControl(3, 0, 0), m.helpers.clts(), m.helpers.lmsw(1), m.helpers.invlpg(0, 0), m.helpers.wbinvd(), m.helpers.hlt(), m.helpers.rdmsr(), m.helpers.lgdt(0, 0, 0)]) {
      expect(m.fault(status)).toBe("13(0)");
    }
  });
  test("LMSW sets PE and cannot clear it; SMSW shows CR0; CLTS", () => {
    const m = new Machine();
    m.helpers.lmsw(0xf);
    m.helpers.lmsw(0x8);
    m.helpers.smsw();
    expect(m.cpu.state.scratch(0) & 0xffff).toBe(0x19);
    m.helpers.clts();
    expect(m.cpu.cr0 & 8).toBe(0);
  });
  test("what the FPU must trap on", () => {
    const m = new Machine().protect();
    const trap = (): number => m.cpu.state.word(FPU_TRAP);
    expect(trap()).toBe(8);
    cr(m, 4, 0x200);
    expect(trap()).toBe(0);
    cr(m, 0, 0xb);
    expect(trap()).toBe(1 | 2 | 4 | 16);
    cr(m, 0, 5);
    expect(trap()).toBe(1 | 8 | 32);
  });
});

describe("SDM 4.3 and 4.4 turning paging on", () => {
  test("a page directory, then global pages survive CR3 but not CR4", () => {
    const m = new Machine().protect();
    m.words(0x8000, 0x187);
    expect(cr(m, 4, 0x90)).toBe("ok");
    expect(cr(m, 3, 0x8000)).toBe("ok");
    expect(cr(m, 0, 0x80000011)).toBe("ok");
    expect(m.cpu.linear.read(0x1000, 4, false)).toBe(true);
    m.words(0x8000, 0);
    expect(cr(m, 3, 0x8000)).toBe("ok");
    expect(m.cpu.linear.read(0x1000, 4, false)).toBe(true);
    expect(cr(m, 4, 0x10)).toBe("ok");
    expect(m.fault(m.cpu.linear.read(0x1000, 4, false))).toBe("14(0)");
    expect(m.cpu.state.faultAddress).toBe(0x1000);
  });
  test("PAE: reserved bits of a PDPTE are #GP(0), on CR0, CR3 and CR4", () => {
    const m = new Machine().protect();
    m.words(0x8000, 0x9001, 0, 0x9003, 0);
    m.words(0x8100, 0x9001, 0);
    m.words(0x9000, 0x83, 0);
    m.cpu.cr3 = 0x8000;
    expect(cr(m, 4, 0x20)).toBe("ok");
    expect(cr(m, 0, 0x80000011)).toBe("13(0)");
    expect(cr(m, 3, 0x8100)).toBe("ok");
    expect(cr(m, 0, 0x80000011)).toBe("ok");
    expect(cr(m, 3, 0x8000)).toBe("13(0)");
    expect(m.cpu.linear.read(0x1000, 4, false)).toBe(true);
  });
  test("reserved bits of CR4 are #GP(0); absent registers are #UD", () => {
    const m = new Machine();
    expect(cr(m, 4, 0x800)).toBe("13(0)");
    expect(cr(m, 1, 0)).toBe("6");
    expect(cr(m, 4, 0x7ff)).toBe("ok");
  });
});

describe("SDM volume 4: model-specific registers", () => {
  const rd = (m: Machine, n: number): string => {
    m.cpu.state.setGpr32(1, n);
    const text = m.fault(m.helpers.rdmsr());
    return text === "ok" ? `${m.cpu.state.scratch(1).toString(16)}:${m.cpu.state.scratch(0).toString(16)}` : text;
  };
  const wr = (m: Machine, n: number, low: number, high = 0): string => {
    for (const [r, value] of [[1, n], [0, low], [2, high]] as const) m.cpu.state.setGpr32(r, value);
    return m.fault(m.helpers.wrmsr());
  };
  test("power-on values", () => {
    const m = new Machine();
    expect([0x1b, 0xfe, 0x277, 0x179, 0xc0000080].map((n) => rd(m, n))).toEqual(["0:fee00900", "0:508", "70406:70406", "0:10a", "0:0"]);
  });
  test("unknown registers and reserved bits are #GP(0)", () => {
    const m = new Machine();
    expect(rd(m, 0xc0000082)).toBe("13(0)");
    expect(wr(m, 0x12345, 0)).toBe("13(0)");
    expect(wr(m, 0xfe, 0)).toBe("13(0)");
    expect(wr(m, 0xc0000080, 0x100)).toBe("13(0)");
    expect(wr(m, 0xc0000080, 0x800)).toBe("ok");
    expect(wr(m, 0x277, 2)).toBe("13(0)");
    expect(wr(m, 0x277, 0x01040506, 0x07)).toBe("ok");
    expect(wr(m, 0x200, 0x00000006)).toBe("ok");
    expect(wr(m, 0x200, 0x00000002)).toBe("13(0)");
    expect(wr(m, 0x201, 0xc0000800, 0xf)).toBe("ok");
    expect(wr(m, 0x201, 0xc0000800, 0x1f)).toBe("13(0)");
    expect(wr(m, 0x250, 0x06060606, 0x02)).toBe("13(0)");
    expect(wr(m, 0x2ff, 0xc06)).toBe("ok");
    expect(wr(m, 0x401, 1)).toBe("13(0)");
    expect(wr(m, 0x401, 0)).toBe("ok");
  });
  test("the time stamp is the injected clock, and goes on from what is written", () => {
    const m = new Machine();
    m.time = 2 ** 32 + 5;
    m.helpers.rdtsc();
    expect([m.cpu.state.scratch(0), m.cpu.state.scratch(1)]).toEqual([5, 1]);
    expect(wr(m, 0x10, 100)).toBe("ok");
    m.time += 7;
    expect(rd(m, 0x10)).toBe("0:6b");
  });
  test("IA32_TSC_ADJUST keeps what was added to the counter, whichever register was written (18.17.3)", () => {
    const m = new Machine();
    expect(rd(m, 0x3b)).toBe("13(0)");
    m.cpu.msr.set(0x3b, 0, 0);
    m.time = 1000;
    expect([wr(m, 0x10, 400), rd(m, 0x3b)]).toEqual(["ok", "ffffffff:fffffda8"]);
    expect([wr(m, 0x3b, 5), rd(m, 0x10), rd(m, 0x3b)]).toEqual(["ok", "0:3ed", "0:5"]);
  });
  test("RDTSC under CR4.TSD, RDPMC without CR4.PCE, RDTSCP and MONITOR that CPUID does not name", () => {
    const m = new Machine().protect(3);
    expect(m.fault(m.helpers.rdtsc())).toBe("ok");
    m.cpu.cr4 = 4;
    expect(m.fault(m.helpers.rdtsc())).toBe("13(0)");
    expect(m.fault(m.helpers.rdpmc())).toBe("13(0)");
    expect(m.fault(m.helpers.rdtscp())).toBe("6");
    expect(m.fault(m.helpers.mwait())).toBe("6");
  });
  test("memory types as a BIOS leaves them", () => {
    const m = new Machine();
    m.cpu.msr.presetMemoryTypes();
    expect([0x250, 0x259, 0x268, 0x2ff, 0x200, 0x201].map((n) => rd(m, n)))
      .toEqual(["6060606:6060606", "0:0", "5050505:5050505", "0:c06", "0:e0000000", "f:e0000800"]);
  });
  test("a register of another part", () => {
    const m = new Machine();
    let value = 3;
    m.cpu.msr.foreign.set(0x6e0, { read: () => ({ low: value, high: 0 }), write: (low) => ((value = low), low !== 9) });
    expect([rd(m, 0x6e0), wr(m, 0x6e0, 4), rd(m, 0x6e0), wr(m, 0x6e0, 9)]).toEqual(["0:3", "ok", "0:4", "13(0)"]);
  });
});

describe("SDM volume 2: CPUID", () => {
  const text = (...words: number[]): string => words.map((w) => [0, 8, 16, 24].map((s) => String.fromCharCode((w >>> s) & 0xff)).join("")).join("");
  test("vendor, signature, brand, address sizes", () => {
    const [, ebx, ecx, edx] = cpuidLeaf(MODEL_I686, 0, 0, ON);
    expect(text(ebx, edx, ecx)).toBe("GenuineIntel");
    expect(cpuidLeaf(MODEL_I686, 1, 0, ON)[0]).toBe(0x663);
    expect(text(...cpuidLeaf(MODEL_I686, 0x80000002, 0, ON), ...cpuidLeaf(MODEL_I686, 0x80000003, 0, ON)).replaceAll("\0", "")).toBe(MODEL_I686.brand);
    expect(cpuidLeaf(MODEL_I686, 0x80000008, 0, ON)[0]).toBe(0x2024);
  });
  test("features: FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2, SSE3, TSC deadline, RDRAND, RDSEED, NX", () => {
    expect(cpuidLeaf(MODEL_I686, 1, 0, ON)[3] >>> 0).toBe(0x078bfbff);
    expect(cpuidLeaf(MODEL_I686, 1, 0, { ...ON, apic: false })[3] >>> 0).toBe(0x078bf9ff);
    expect(cpuidLeaf(MODEL_I686, 1, 0, ON)[2] >>> 0).toBe(0xc1000001);
    expect(cpuidLeaf(MODEL_I686, 7, 0, ON)[1]).toBe(1 << 18);
    expect(cpuidLeaf(MODEL_I686, 0x80000001, 0, ON)[3]).toBe(1 << 20);
    const { cpu } = new Machine();
    expect(["", "SSE3", "RDRAND", "RDSEED", "SSSE3", "LM", "BMI1"].map((name) => cpu.hasFeature(name))).toEqual([true, true, true, true, false, false, false]);
  });
  test("leaves above the highest give the highest basic one", () => {
    const [highest, ...name] = cpuidLeaf(MODEL_I686, 0x40000000, 0, ON);
    expect([highest, text(...name)]).toEqual([0x40000000, "DoppelDoppel"]);
    expect(cpuidLeaf(MODEL_I686, 0x40000001, 1, ON)).toEqual(cpuidLeaf(MODEL_I686, 0x16, 1, ON));
    expect(cpuidLeaf(MODEL_I686, 0xffffffff, 9, ON)).toEqual([1000, 1000, 1000, 0]);
  });
  test("leaves 15h and 16h: counter and crystal at 1 GHz", () => {
    expect(cpuidLeaf(MODEL_I686, 0x15, 0, ON)).toEqual([1, 1, 1_000_000_000, 0]);
    expect(cpuidLeaf(MODEL_I686, 0x16, 0, ON)).toEqual([1000, 1000, 1000, 0]);
  });
});

describe("SDM volume 2: SYSENTER and SYSEXIT", () => {
  test("level 0 and back", () => {
    const m = new Machine().protect(3);
    const { state } = m.cpu;
    expect(m.fault(m.helpers.sysenter())).toBe("13(0)");
    m.cpu.msr.set(0x174, 8, 0);
    m.cpu.msr.set(0x175, 0x1e000, 0);
    m.cpu.msr.set(0x176, 0x9000, 0);
    state.eflags = 0x10202;
    expect(m.fault(m.helpers.sysenter())).toBe("ok");
    expect([state.cpl, state.rip, state.gpr32(4), state.selector(1), state.selector(2), state.eflags]).toEqual([0, 0x9000, 0x1e000, 8, 0x10, 2]);
    state.setGpr32(1, 0x2f000);
    state.setGpr32(2, 0x7100);
    expect(m.fault(m.helpers.sysexit(4))).toBe("ok");
    expect([state.cpl, state.rip, state.gpr32(4), state.selector(1), state.selector(2)]).toEqual([3, 0x7100, 0x2f000, 0x1b, 0x23]);
    expect(m.fault(m.helpers.sysexit(4))).toBe("13(0)");
  });
});
