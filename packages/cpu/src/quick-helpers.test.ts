/** The quick ways do what the helpers behind them do, or nothing: random tables, selectors, frames, flags and images, on two machines. */
import { createHash } from "node:crypto";
import { bareMachine } from "@doppel/testkit";
import {
  CR0_EM, CR0_TS, CR4_OSFXSR, IA32_FMASK, IA32_KERNEL_GS_BASE, IA32_LSTAR, IA32_STAR, IA32_SYSENTER_CS, IA32_SYSENTER_EIP, IA32_SYSENTER_ESP, MXCSR_WRITABLE,
} from "@doppel/x86";
import { expect, test } from "vitest";
import { READ, WRITE } from "@doppel/mmu";
import { QUICK, quickHelpers } from "./quick-helpers.ts";
import { CPU_MODELS, SHADOW_STI } from "./index.ts";
import { Descriptor } from "./system/descriptor.ts";
import { CODE, CODE0, CODE3, DATA, DATA0, DATA3, descriptor, GDT, gate, IDT, type Machine, TSS, TSS_SELECTOR } from "./system/fixture.ts";
import { derivedState, random, registers } from "./system/fuzz.fixture.ts";
import { setSegment } from "./system/segmentation.ts";
import { SystemHelpers } from "./system/system-helpers.ts";
import { ATTENTION, CS, DS, ES, FPR, FS, GS, MXCSR, RESUME_FLAG_AT, RESUME_FLAG_SHOWN, SS, STI_AT } from "./state-layout.ts";
import type { Helpers } from "./handler.ts";

const KERNEL_STACK = 0x1f000;
const USER_STACK = 0x2f000;
const PERCPU = 0x30;
const OTHERS = 0x38;
const ACCESSED = 1;
const IMAGE = 0x28000;

type Bare = ReturnType<typeof bareMachine>;

/** What is for 64-bit mode. */
const LONG: readonly string[] = ["syscall", "sysret", "swapgs", "iret in 64-bit mode", "enterEvent in 64-bit mode", "softInterrupt in 64-bit mode"];
/** Quick ways, three of them in two modes. */
const CASES = [...QUICK, "iret in 64-bit mode", "enterEvent in 64-bit mode", "softInterrupt in 64-bit mode"] as const;

/** A machine as a seed says: mostly as kernels have it, with some defects. */
function machine(seed: number, long: boolean): Bare {
  const next = random(seed);
  for (let n = 0; n < 5; n++) next();
  const pick = <T>(list: readonly T[]): T => list[next() % list.length]!;
  const seldom = (): boolean => next() % 24 === 0;
  const made = bareMachine({ ram: 1 << 18, recordsSize: 1 << 16, model: CPU_MODELS.max });
  const { cpu, physical } = made;
  const { state } = cpu;
  const put = (address: number, words: readonly number[]): void => {
    for (const [n, word] of words.entries()) physical.write32(address + 4 * n, word >>> 0);
  };
  const segment = (access: number, base = 0, limit = 0xfffff, flags = 12): readonly number[] =>
    descriptor(base, limit, seldom() ? access ^ (1 << (next() & 7)) : access | ACCESSED, seldom() ? next() & 15 : flags | (seldom() ? 1 : 0));
  const entries: [number, readonly number[]][] = [
    [CODE0, segment(CODE)], [DATA0, segment(DATA)], [CODE3, segment(CODE | 0x60)], [DATA3, segment(DATA | 0x60)], [TSS_SELECTOR, descriptor(TSS, seldom() ? 7 : 0x67, 0x8b)],
    [PERCPU, segment(DATA, next() & 0x3f000, next() & 0xfffff, pick([4, 12]))],
    [OTHERS, segment(pick([CODE | 4, DATA | 4, DATA | 0x60, CODE | 0x60, 0x90, 0x98]), pick([0, next()]), pick([0xfffff, next() & 0xfffff]), pick([12, 4, 0]))],
  ];
  for (const [at, words] of entries) put(GDT + (at & ~7), words);
  for (let vector = 0; vector < 8; vector++) put(IDT + 8 * vector, gate(seldom() ? pick([0, DATA0, CODE3, 4, 0x400]) : CODE0, next(), seldom() ? next() & 0xff : pick([0xee, 0xef])));
  // Some stacks lie over the tables: what was read of them counts, not what is pushed there.
  put(TSS + 4, [next() % 6 === 0 ? GDT + 0x20 : seldom() ? pick([8, KERNEL_STACK + 2, KERNEL_STACK - 0xff0]) : KERNEL_STACK, seldom() ? next() : DATA0]);
  Object.assign(cpu.gdtr, { base: GDT, limit: seldom() ? 0x17 : 0x3ff });
  Object.assign(cpu.idtr, { base: IDT, limit: seldom() ? 0x1f : 0x7ff });
  cpu.cr0 |= 1;
  if (next() & 1) {
    put(0x8000, [0x9007]);
    for (let page = 0; page < 64; page++) put(0x9000 + 4 * page, [(page << 12) | (seldom() ? pick([0, 1, 5]) : 7)]);
    cpu.cr3 = 0x8000;
    cpu.cr0 = (cpu.cr0 | 0x8001_0000) >>> 0 | 0;
    cpu.applyPaging();
    cpu.mmu.setRoot(cpu.cr3);
  }
  cpu.deriveSegments();
  const cpl = pick([0, 3]);
  const load = (register: number, selector: number): void => {
    const d = new Descriptor();
    d.low = physical.read32(GDT + (selector & 0xfff8)) | 0;
    d.high = physical.read32(GDT + (selector & 0xfff8) + 4) | 0;
    setSegment(cpu, register, selector, d);
  };
  load(7, TSS_SELECTOR);
  load(CS, cpl === 3 ? CODE3 : CODE0);
  load(SS, cpl === 3 ? DATA3 : DATA0);
  for (const register of [ES, DS, FS, GS]) load(register, seldom() ? pick([DATA0, PERCPU, OTHERS]) : DATA3);
  state.cpl = cpl;
  state.eflags = (next() & 0x200ed5) | (seldom() ? next() & 0x7fd5 : 0) | 2;
  state.rip = 0x7000;
  state.setGpr32(4, cpl === 3 ? USER_STACK : KERNEL_STACK - 64 - (seldom() ? 0xfb0 : 0));
  const flags = (next() & 0x200ed5) | (seldom() ? next() & 0x3f7fd5 : 0);
  const outer = next() % 3 > 0;
  put(state.gpr32(4), [next(), seldom() ? next() & 0x3f : outer ? CODE3 : CODE0, flags, USER_STACK, seldom() ? next() & 0x3f : outer ? DATA3 : DATA0]);
  if (!seldom()) cpu.cr4 |= CR4_OSFXSR;
  if (seldom()) cpu.cr0 |= pick([CR0_EM, CR0_TS]);
  const numbers = new Uint8Array(0x290).map(next);
  state.setNumericImage(numbers.subarray(0, MXCSR + 4 - FPR));
  state.mxcsr &= MXCSR_WRITABLE;
  // The x87 pointers are addresses: the helpers take them as numbers.
  state.setFpuPointers(next() * 4096, next(), -next() * 4096, next());
  const masks = new Map([[24, seldom() ? -1 : MXCSR_WRITABLE], [12, 0x7fff], [20, 0x7fff]]);
  for (let at = 0; at < 512; at += 4) physical.write32(IMAGE + at, (next() & (masks.get(at) ?? -1)) >>> 0);
  const registers: [number, number, number][] = [
    [IA32_SYSENTER_CS, seldom() ? 0 : CODE0, 0], [IA32_SYSENTER_ESP, next(), 0], [IA32_SYSENTER_EIP, next(), 0], [IA32_STAR, 0, next()], [IA32_LSTAR, next(), 0xffff_ffff], [IA32_FMASK, seldom() ? next() : 0x257fd5, 0],
    [IA32_KERNEL_GS_BASE, next(), 0xffff_8888],
  ];
  for (const [register, low, high] of registers) cpu.msr.set(register, low, high);
  state.setGpr64(1, next(), seldom() ? next() : 0x7ffe);
  state.setGpr32(2, next());
  state.setGpr32(11, (next() & 0x200ed5) | (seldom() ? next() : 0));
  if (long) {
    // What IRETQ takes: 64-bit code of either level, the stack of a handler in the kernel is null.
    for (const [at, access] of [[CODE0, CODE], [CODE3, CODE | 0x60]] as const) put(GDT + (at & ~7), segment(access, 0, 0xfffff, seldom() ? pick([12, 8]) : 10));
    const canonical = (): readonly number[] => (seldom() ? [next(), 0x8000] : pick([[next(), 0x7ffe], [next(), 0xffff_ffff]]));
    const innerStack = pick([0, 0, DATA0, DATA0, seldom() ? 3 : DATA0]);
    put(state.gpr32(4), [...canonical(), seldom() ? next() & 0x3f : outer ? CODE3 : CODE0, next(), flags, next(), ...canonical(), seldom() ? next() & 0x3f : outer ? DATA3 : innerStack, next()]);
    // Gates of sixteen bytes, and stacks: of level 0, and of the interrupt stack table.
    for (let vector = 0; vector < 8; vector++) {
      const [low, high] = gate(seldom() ? pick([0, DATA0, CODE3, 4, 0x400]) : CODE0, next(), seldom() ? next() & 0xff : pick([0x8e, 0x8f, 0xee])) as [number, number];
      put(IDT + 16 * vector, [low, high | pick([0, 0, next() & 7]), seldom() ? next() : pick([0, 0x7fff, 0xffff_8000, 0xffff_ffff]), 0]);
    }
    for (const at of [4, 36, 44, 52, 60, 68, 76, 84]) put(TSS + at, [seldom() ? pick([8, KERNEL_STACK - 0xff0, GDT + 0x30]) : KERNEL_STACK + (next() & 0xff), seldom() ? next() : 0]);
    cpu.efer = seldom() ? 0x500 : 0x501;
    cpu.hiddenBases.fill(next() & 0xffff);
    state.setSegmentAttributes(CS, 0x00a09b00 | (cpl << 13));
  }
  cpu.updateMode();
  // No run ends here that could show RF; of the budget, 0 is left.
  state.setWord(RESUME_FLAG_AT, RESUME_FLAG_SHOWN);
  state.setWord(STI_AT, -1);
  state.setWord(ATTENTION, seldom() ? 1 : 0);
  cpu.mmu.tlb.flush();
  const cold = seldom() ? next() % 64 : -1;
  for (let page = 0; page < 64; page++) {
    if (page === cold) continue;
    cpu.mmu.translate(page << 12, READ, false);
    cpu.mmu.translate(page << 12, WRITE, false);
  }
  return made;
}

const ARGUMENTS: Record<(typeof CASES)[number], (next: () => number) => number[]> = {
  loadSegment: (next) => [[ES, DS, FS, GS, SS][next() % 5]!, [0, 3, DATA3, DATA3, DATA0, PERCPU, OTHERS, OTHERS | 3, CODE3, next() & 0xffff][next() % 10]!],
  softInterrupt: (next) => [next() % 9, next() % 8 === 0 ? 3 : 0, 0x7002, 0],
  "softInterrupt in 64-bit mode": (next) => [next() % 9, next() % 8 === 0 ? 3 : 0, 0x7002, next() % 2 === 0 ? 0 : 0x7fff],
  iret: (next) => [next() % 16 === 0 ? 2 : 4, 0x7001, 0],
  "iret in 64-bit mode": (next) => [next() % 16 === 0 ? 4 : 8, 0x7001, 0],
  fxsave: (next) => [IMAGE + (next() % 16 === 0 ? next() & 0xfff : 0), next() % 16 === 0 ? 1 : 0, next() % 2 === 0 ? 4 : 8],
  sysenter: () => [],
  sysexit: (next) => [next() % 16 === 0 ? 8 : 4],
  syscall: (next) => [next(), next() % 8 === 0 ? 0x7fff : 0],
  sysret: (next) => [next() % 16 === 0 ? 4 : 8],
  swapgs: () => [],
  cli: () => [],
  sti: () => [],
  popFlags: (next) => [(next() & 0x200ed7) | (next() % 8 === 0 ? next() : 0), [2, 4, 4, 8][next() % 4]!],
  pushFlags: (next) => [[2, 4, 8][next() % 3]!],
  checkPort: (next) => [next() & 0x3ff, [1, 2, 4][next() % 3]!],
  enterEvent: (next) => [next() % 9, next() % 2 === 0 ? -1 : next() & 0xffff, next() % 2 === 0 ? 0x10000 : 0],
  "enterEvent in 64-bit mode": (next) => [next() % 9, next() % 2 === 0 ? -1 : next() & 0xffff, next() % 2 === 0 ? 0x10000 : 0],
  fxrstor: (next) => [IMAGE + (next() % 16 === 0 ? next() & 0xfff : 0), 0, next() % 2 === 0 ? 4 : 8],
};

test.each(CASES)("%s", (what) => {
  const [name] = what.split(" ") as [(typeof QUICK)[number]];
  let quickly = 0;
  let faults = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const args = ARGUMENTS[what](random(seed * 7919));
    const [a, b] = [machine(seed, LONG.includes(what)), machine(seed, LONG.includes(what))];
    let wasSlow = false;
    const slow = new SystemHelpers(a.cpu) as unknown as Helpers;
    const counted = { ...slow, [name]: (...list: number[]) => ((wasSlow = true), slow[name]!(...list)) };
    const quick = quickHelpers({ memory: a.physical.frames.arena.memory, tlb: a.cpu.mmu.tlb, image: undefined }, counted, () => {});
    const plain = (new SystemHelpers(b.cpu) as unknown as Helpers)[name]!;
    const [got, expected] = [quick[name]!(...args), plain(...args)];
    const image = ({ cpu, physical }: Bare, status: number): unknown => {
      const ram = new Uint8Array(1 << 18);
      physical.readBytes(0, ram);
      const m = { cpu } as unknown as Machine;
      return [status, status === 0 ? "" : `${cpu.state.faultVector} ${cpu.state.faultCode}`, registers(m), derivedState(m), cpu.state.word(STI_AT) === 0 ? SHADOW_STI : cpu.shadow, cpu.state.numericImage(), createHash("sha256").update(ram).digest("hex")];
    };
    expect(image(a, got), `seed ${seed}: ${args}`).toEqual(image(b, expected));
    if (!wasSlow) quickly++;
    faults += expected;
  }
  expect(quickly).toBeGreaterThan(25);
  // PUSHF and POPF fault in virtual-8086 mode only, which is never quick.
  if (name !== "pushFlags" && name !== "popFlags") expect(faults).toBeGreaterThan(3);
});

test.each(["loadSegment", "softInterrupt", "iret", "iret in 64-bit mode", "fxsave", "fxrstor", "enterEvent", "enterEvent in 64-bit mode", "softInterrupt in 64-bit mode"] as const)("%s of an engine leaves the same saved state with the TLB filled, which is quick, and empty", (what) => {
  const [name] = what.split(" ") as [(typeof QUICK)[number]];
  let done = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const args = ARGUMENTS[what](random(seed * 7919));
    const [full, empty] = [machine(seed, LONG.includes(what)), machine(seed, LONG.includes(what))];
    empty.cpu.mmu.tlb.flush();
    const status = full.engine.helpers[name]!(...args);
    expect(empty.engine.helpers[name]!(...args)).toBe(status);
    expect(full.cpu.save(), `seed ${seed}`).toEqual(empty.cpu.save());
    if (status === 0) done++;
  }
  expect(done).toBeGreaterThan(10);
});
