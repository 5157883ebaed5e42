/** Any helper with any arguments over random tables: it never throws, and the same run gives the same state. */
import { test } from "vitest";
import { SHUTDOWN } from "../activity.ts";
import { TR } from "../state-layout.ts";
import { GDT, IDT, LDT, Machine, TSS } from "./fixture.ts";
import { expectRepeatable, type FuzzRun, random, registers, settle } from "./fuzz.fixture.ts";

/** What a task switch past its commit point changes. */
function taskOf(m: Machine): string {
  return [m.cpu.state.selector(TR), m.cpu.state.segmentBase(TR), m.cpu.cr0 & 8].join(":");
}

function run(seed: number, steps: number): FuzzRun {
  const next = random(seed);
  const m = new Machine();
  const counts: FuzzRun["counts"] = {};
  const helpers = m.helpers as unknown as Record<string, (...args: number[]) => number>;
  const transfers = ["farJump", "farCall", "farReturn", "iret", "softInterrupt", "loadSegment", "ltr"];
  const names = [...Object.keys(helpers), ...Array.from({ length: 8 }, () => transfers).flat()];
  const pick = <T>(list: readonly T[]): T => list[next() % list.length];
  const access = [0x9a, 0x92, 0xfa, 0xf2, 0x9e, 0x96, 0x89, 0x81, 0x82, 0x8c, 0xec, 0x84, 0x85, 0xe5, 0x8e, 0xee, 0x8f, 0xef, 0x86, 0x8b];
  const selectors = Array.from({ length: 16 }, (_, i) => i * 8);
  const selector = (): number => pick(selectors) | pick([0, 0, 3, next() & 7]);
  /** Mostly flat segments and gates that lead somewhere, with a defect now and then. */
  const tables = (): void => {
    for (let i = 0; i < 100; i += 1) {
      const type = pick(access);
      const system = (type & 0x10) === 0;
      const low = system && type & 4 ? (selector() << 16) | (next() & 0xffff) : system ? (pick([TSS, 0x4000]) << 16) | pick([0xff, 0x67, 0x2b]) : 0xffff;
      const high = ((system ? 0 : pick([0x00cf_0000, 0x00cf_0000, 0x0000_0000, 0x0040_0000])) | (type << 8) | (type & 4 && system ? next() & 3 : 0)) ^ (next() % 12 ? 0 : 1 << (next() & 15));
      m.put(pick([GDT, GDT, LDT, IDT]) + 8 * (next() % 24), [low, high]);
    }
    for (let i = 0; i < 26; i += 1) {
      m.words(TSS + 4 * i, pick([0x1f000, selector()]));
      m.words(0x4000 + 4 * i, pick([0x1e000, selector(), 0x202]));
    }
    for (const top of [0x1e000, 0x1f000, 0x2f000]) for (let at = top - 64; at < top + 64; at += 4) m.words(at, pick([selector(), next() & 0xffff, 0x202, 0x20202]));
  };
  const paging = (): void => {
    m.words(0x8000, 0x9007);
    for (let i = 0; i < 256; i += 1) m.words(0x9000 + 4 * i, (i << 12) | pick([7, 7, 7, 7, 7, 5, 3, next() % 6 ? 7 : 0]));
    for (const page of [0, 1, 2, 3]) m.words(0x9000 + 4 * page, (page << 12) | 7);
    m.helpers.writeControl(3, 0x8000, 0);
    m.helpers.writeControl(0, 0x8001_0011, 0);
  };
  const rare = new Set(["lgdt", "lidt", "writeControl", "lmsw", "wrmsr", "hlt"]);
  for (let i = 0; i < steps; i += 1) {
    if (i % 200 === 0 || m.cpu.activity === SHUTDOWN || next() % 30 === 0) {
      m.cpu.reset();
      const mode = next() & 7;
      if (mode !== 0) m.protect(mode & 1 ? 3 : 0);
      if (mode & 2) tables();
      if (mode & 4) paging();
    }
    const { state } = m.cpu;
    if (next() % 7 === 0) state.setGpr32(next() % 8, pick([next(), next() & 0x1ffff, 0x174 + (next() & 3)]));
    const argument = (): number => pick([next(), next() & 0xff, next() & 7, 8 * (next() % 24), pick([1, 2, 4]), next() & 0xfffff]) | 0;
    let name = pick(names);
    if (rare.has(name) && next() & 7) name = pick(transfers);
    const sized = ["loadSlow", "storeSlow", "probeWrite", "segmentCheck"].includes(name);
    const segment = name === "loadSegment";
    const before = registers(m);
    const task = taskOf(m);
    let status: number;
    if (sized) status = helpers[name](...(name === "segmentCheck" ? [next() % 6] : []), argument(), 0, pick([1, 2, 4, 8, 10, 16]), next() & 1);
    else if (segment) status = helpers[name](pick([0, 2, 3, 4, 5]), selector());
    else if (name.includes("Control") || name.includes("Debug")) status = helpers[name](next() & 7, argument(), 0);
    else if (name === "softInterrupt") status = helpers[name](next() & 0xff, next() & 3, next() & 0xffff, 0);
    else if (name.startsWith("far") || name === "iret" || name === "popFlags") status = helpers[name](pick([2, 4]), selector(), argument() & 0xffff, 0, 0, 0);
    else if (name.startsWith("f")) status = helpers[name](argument(), 0, pick([2, 4]));
    else if (name.includes("div128")) status = helpers[name](argument() | 1, argument());
    else if (name.toLowerCase().includes("port")) status = helpers[name](argument(), pick([1, 2, 4]), argument());
    else status = helpers[name](argument(), argument(), argument());
    // Before a fault nothing has changed; past a task switch's commit point TR has.
    if (status === 1 && taskOf(m) === task && registers(m) !== before) throw new Error(`${name} at step ${i}: ${before} became ${registers(m)}`);
    settle(m, { name, step: i, status }, next() % 50 === 0 ? next() & 0xff : undefined, counts);
  }
  return { image: m.cpu.save(), counts };
}

test("forty thousand calls", () => {
  for (const seed of [1, 0x1234567]) expectRepeatable(run, seed);
});
