/** Any helper with any arguments in IA-32e mode, over random tables of sixteen-byte entries: it never throws, a fault changes nothing, and equal runs end alike. */
import { expect, test } from "vitest";
import { SHUTDOWN } from "../activity.ts";
import { TR } from "../state-layout.ts";
import { MODEL_MAX } from "./cpu-model.ts";
import { DATA0, DATA3, descriptor, GDT, IDT, LDT, LONG_CODE0, LONG_CODE3, LONG_FREE, Machine, TSS } from "./fixture.ts";
import { derivedState, expectRepeatable, type FuzzRun, random, registers, settle } from "./fuzz.fixture.ts";

/** A TSS that LTR may load, behind the random descriptors. */
const FREE_TSS = 0x300;
const ACCESS = [0x9a, 0x92, 0x12, 0x72, 0x7a, 0x0c, 0xfa, 0xf2, 0x9e, 0x96, 0x89, 0x81, 0x82, 0x8c, 0xec, 0x84, 0x85, 0xe5, 0x8e, 0xee, 0x8f, 0xef, 0x86, 0x8b];
const TRANSFERS = ["farJump", "farCall", "farReturn", "iret", "softInterrupt", "loadSegment", "ltr", "lldt", "syscall", "sysret", "sysenter", "sysexit", "swapgs", "writeBase", "accessFlag"];
const RARE = new Set(["lgdt", "lidt", "writeControl", "lmsw", "wrmsr", "hlt", "wideDivide"]);
const MSRS = [0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0x174, 0x175, 0x176];

function run(seed: number, steps: number): FuzzRun {
  const next = random(seed);
  const m = new Machine({ model: MODEL_MAX });
  const { state } = m.cpu;
  const counts: FuzzRun["counts"] = {};
  const helpers = m.helpers as unknown as Record<string, (...args: number[]) => number>;
  const names = [...Object.keys(helpers), ...Array.from({ length: 5 }, () => TRANSFERS).flat()];
  const pick = <T>(list: readonly T[]): T => list[next() % list.length]!;
  const selector = (): number => (next() % 3 ? pick([LONG_CODE0, LONG_CODE3, DATA0, DATA3, 0, 8, 0x1b]) : 8 * (next() % 32) | pick([0, 3, next() & 7]));
  const high = (): number => pick([0, 0, 0, 0, 0, -1, 0xffff8000 | 0, 0x8000, next() | 0]);
  const tables = (): void => {
    m.put(GDT + FREE_TSS, descriptor(TSS, pick([0xff, 0xff, 0x13]), 0x89));
    m.words(GDT + FREE_TSS + 8, 0, 0);
    for (let vector = 0; vector < 128; vector += 1) {
      m.put(IDT + 16 * vector, [(LONG_CODE0 << 16) | 0x9000, pick([0xee00, 0xef00, 0x8e00]) | pick([0, 0, 0, next() & 7])]);
      m.words(IDT + 16 * vector + 8, 0, 0);
    }
    for (let i = 0; i < 60; i += 1) {
      const type = pick(ACCESS);
      const system = (type & 0x10) === 0;
      const low = system && type & 4 ? (selector() << 16) | (next() & 0xffff) : system ? (TSS << 16) | pick([0xff, 0x67, 0x2b]) : 0xffff;
      const flags = pick([0x00af_0000, 0x00af_0000, 0x00cf_0000, 0x00ef_0000, 0, 0x12cf_0034]);
      const table = pick([GDT, GDT, LDT, IDT]);
      const at = table === IDT ? IDT + 16 * (next() % 64) : table + Math.max(8 * (next() % 32), table === GDT ? LONG_FREE : 0);
      m.put(at, [low, ((system ? next() & 0 : flags) | (type << 8) | (system && type & 4 ? next() & 3 : 0)) ^ (next() % 12 ? 0 : 1 << (next() & 15))]);
      if (system) m.words(at + 8, high(), next() % 8 ? 0 : next());
    }
    for (let i = 0; i < 10; i += 1) m.words(TSS + 4 + 8 * i, pick([0x1f000, 0x1e000, next() & 0xffff]), next() % 6 ? 0 : high());
    for (const top of [0x1e000, 0x1f000, 0x2f000]) for (let at = top - 64; at < top + 64; at += 8) m.words(at, pick([selector(), next() & 0xffff, 0x202, 0x20202, 0x2f000]), next() % 8 ? 0 : high());
  };
  for (let i = 0; i < steps; i += 1) {
    if (i % 200 === 0 || m.cpu.activity === SHUTDOWN || !m.cpu.ia32e || next() % 40 === 0) {
      m.cpu.reset();
      m.long(next() & 1 ? 3 : 0);
      if (next() & 1) m.cpu.cr4 |= 0x30000 | (next() & 0x340800);
      if (next() & 1) {
        m.cpu.efer |= 1;
        m.cpu.msr.set(0xc0000081, 0, (0x0b << 16) | LONG_CODE0);
        m.cpu.msr.set(0x174, 8, 0);
      }
      if (next() % 4 === 0) state.setSegmentLimit(TR, pick([0x0b, 0x13, 0x67]));
      m.cpu.applyPaging();
      m.cpu.updateMode();
      tables();
    }
    if (next() % 5 === 0) state.setGpr64(next() % 16, pick([next(), next() & 0x1ffff, pick(MSRS), 0x2f000]), high());
    if (next() % 9 === 0) state.setGpr64(4, pick([0x1f000, 0x1e000, 0x2f000]) - 8 * (next() % 6), 0);
    const argument = (): number => pick([next(), next() & 0xff, next() & 7, 8 * (next() % 24), pick([1, 2, 4, 8]), next() & 0xfffff]) | 0;
    let name = pick(names);
    if (RARE.has(name) && next() & 7) name = pick(TRANSFERS);
    if (name === "wrmsr") state.setGpr32(1, pick(MSRS));
    const size = pick([2, 4, 8]);
    // Half of the returns find a frame that could be one.
    const frame = state.gpr32(4);
    if ((name === "iret" || name === "farReturn") && next() & 1 && state.gprHigh(4) === 0 && frame < 0xf0000) {
      const level = pick([state.cpl, 3]);
      const flags = name === "iret" ? [pick([2, 0x202, 0x246, 0x40202])] : [];
      const values = [next() & 0xffff, level === 3 ? LONG_CODE3 : LONG_CODE0, ...flags, 0x2f000, pick([level === 3 ? DATA3 : DATA0, 0])];
      for (const [n, value] of values.entries()) {
        if (size === 2) m.ram.setUint16(frame + 2 * n, value, true);
        else m.words(frame + size * n, value, ...(size === 8 ? [0] : []));
      }
    }
    const before = registers(m);
    let status: number;
    if (["loadSlow", "storeSlow", "probeWrite"].includes(name)) status = helpers[name]!(argument(), high(), pick([1, 2, 4, 8, 10, 16]));
    else if (name === "segmentCheck") status = helpers[name]!(next() % 6, argument(), high(), pick([1, 2, 4, 8, 10, 16]), next() & 1);
    else if (name === "loadSegment") status = helpers[name]!(pick([0, 2, 3, 4, 5]), selector());
    else if (name === "ltr") status = helpers[name]!(pick([FREE_TSS, selector()]));
    else if (name === "writeBase" || name === "readBase") status = helpers[name]!(pick([4, 5]), argument(), high());
    else if (name.includes("Control") || name.includes("Debug")) status = helpers[name]!(next() & 15, argument(), next() & 1 ? 0 : high());
    else if (name === "softInterrupt") status = helpers[name]!(next() & 0x7f, next() & 3, next() & 0xffff, 0);
    else if (name === "farJump" || name === "farCall") status = helpers[name]!(size, selector(), argument() & 0xffff, high(), 0x7002, 0);
    else if (name === "farReturn") status = helpers[name]!(size, next() & 1 ? 0 : 8);
    else if (name === "iret" || name === "sysret" || name === "sysexit") status = helpers[name]!(size, 0x7002, 0);
    else if (name === "syscall") status = helpers[name]!(0x7002, 0);
    else if (name === "popFlags") status = helpers[name]!(argument(), size);
    else if (/^(f|x)/.test(name)) status = helpers[name]!(argument() & (next() & 1 ? -64 : -1), high(), size);
    else if (name.includes("div128")) status = helpers[name]!(argument() | 1, argument());
    else if (name.toLowerCase().includes("port")) status = helpers[name]!(argument(), pick([1, 2, 4]), argument());
    else status = helpers[name]!(argument(), argument(), argument(), high(), argument(), high());
    if (status === 1 && registers(m) !== before) throw new Error(`${name} at step ${i}: ${before} became ${registers(m)}`);
    settle(m, { name, step: i, status }, next() % 50 === 0 ? next() & 0x7f : undefined, counts);
    if (i % 997 === 0) {
      const image = m.cpu.save();
      const other = new Machine({ model: MODEL_MAX });
      other.cpu.restore(image);
      if (derivedState(other) !== derivedState(m)) throw new Error(`step ${i}: restored ${derivedState(other)}, not ${derivedState(m)}`);
      expect(other.cpu.save()).toEqual(image);
    }
  }
  return { image: m.cpu.save(), counts };
}

test("forty thousand calls in long mode", { timeout: 120_000 }, () => {
  for (const seed of [3, 0x7654321]) {
    const counts = expectRepeatable(run, seed);
    for (const name of TRANSFERS) expect(counts[`${name} ok`] ?? 0, name).toBeGreaterThan(0);
  }
});
