/** Accesses that the TLB does not answer: WebAssembly walks, fills and forgets as TypeScript does, or leaves everything to it. Two machines, one of which has only TypeScript. */
import { bareMachine } from "@doppel/testkit";
import { EXECUTE, Tlb, TLB_EXEC_TAG, TLB_SIZE } from "@doppel/mmu";
import { CR0_PG, CR0_WP, CR4_PAE, CR4_PGE, CR4_PSE, CR4_SMAP, CR4_SMEP, EFER_LMA, EFER_LME, EFER_NXE } from "@doppel/x86";
import { expect, test } from "vitest";
import { CPU_MODELS } from "./index.ts";
import { QUICK_ACCESSES, quickHelpers } from "./quick-helpers.ts";
import type { Helpers } from "./handler.ts";
import { applyBreakpoints } from "./system/debug-registers.ts";
import { random } from "./system/fuzz.fixture.ts";
import { SystemHelpers } from "./system/system-helpers.ts";
import { SCRATCH, STATE } from "./state-layout.ts";

const RAM = 1 << 20;
/** Tables stand from page 16 on, in no order; what they map are the first 256 pages, some that are no memory, and ROM. */
const TABLES = 16;
const TABLE_PAGES = 12;
const ROM_PAGE = 0x300;

type Bare = ReturnType<typeof bareMachine>;
type Kind = "32-bit" | "PAE" | "4-level";

/** A machine whose tables are random. @param isQuick whether WebAssembly forgets pages */
function machine(seed: number, kind: Kind, isQuick: boolean): Bare {
  const next = random(seed);
  for (let n = 0; n < 5; n++) next();
  const seldom = (of = 16): boolean => next() % of === 0;
  const made = bareMachine({ ram: RAM, recordsSize: 1 << 16, model: CPU_MODELS.max });
  const { cpu, physical } = made;
  if (!isQuick) {
    const { forgetLocal, forgetPage } = new Tlb(physical.frames.arena.buffer, cpu.mmu.tlb.base);
    Object.assign(cpu.mmu.tlb, { forgetLocal, forgetPage });
  }
  physical.map(ROM_PAGE, physical.frameOf(255), "rom");
  physical.unmap(255);
  const levels = kind === "4-level" ? 4 : 2;
  const words = kind === "32-bit" ? 1 : 2;
  const table = (level: number): number => TABLES + level + levels * (next() % (TABLE_PAGES / levels));
  for (let at = TABLES * 4096; at < (TABLES + TABLE_PAGES) * 4096; at += 4 * words) {
    const level = (Math.floor(at / 4096) - TABLES) % levels;
    const isLarge = level === levels - 1 ? seldom() : seldom(level === levels - 2 ? 4 : 12);
    const odd = seldom(24) ? 0x2ff + (next() % 3) : seldom(48) ? 0xf0000 : next() % 256;
    const page = isLarge ? (seldom(8) ? odd : 0) : level === levels - 1 || seldom(32) ? odd : table(level + 1);
    const rights = seldom(24) ? next() & 0x1ff : 7 | (next() & 0x140) | (seldom(6) ? 0 : 0x20);
    physical.write32(at, ((page << 12) | rights | (isLarge ? 0x80 : 0)) >>> 0);
    if (words === 2) physical.write32(at + 4, seldom(32) ? (seldom(4) ? next() : 0x80000000) : 0);
  }
  cpu.cr3 = (TABLES * 4096) | (kind === "PAE" ? 0x20 * (next() % 4) : 0);
  cpu.cr0 = ((cpu.cr0 | 1 | CR0_PG) ^ (seldom(3) ? 0 : CR0_WP)) | 0;
  cpu.cr4 = (kind === "32-bit" ? (seldom(3) ? 0 : CR4_PSE) : CR4_PAE) | (seldom(2) ? CR4_PGE : 0) | (seldom(3) ? CR4_SMEP : 0) | (seldom(4) ? CR4_SMAP : 0);
  cpu.efer = (kind === "4-level" ? EFER_LME | EFER_LMA : 0) | (seldom(3) ? 0 : EFER_NXE);
  cpu.state.cpl = next() % 2 === 0 ? 3 : 0;
  if (kind === "4-level") cpu.state.setSegmentAttributes(1, 0x00a09b00);
  for (let n = 0; n < 4 && kind === "PAE"; n++) {
    physical.write32(cpu.cr3 + 8 * n, (table(0) << 12) | (seldom(8) ? 0 : 1));
    physical.write32(cpu.cr3 + 8 * n + 4, 0);
  }
  cpu.applyPaging();
  if (kind === "PAE") cpu.mmu.loadPdptes(cpu.cr3);
  cpu.mmu.setRoot(cpu.cr3);
  cpu.deriveSegments();
  // Somebody watches some frames: of data, and of tables.
  const bit = physical.frames.addObserver({ written: (frame) => physical.frames.unwatch(frame, bit) });
  for (let n = 0; n < 20; n++) physical.frames.watch(physical.frameOf(next() % 256), bit);
  return made;
}

/** What of two machines is not the same after an access. */
function differences(a: Bare, b: Bare): string[] {
  const of = ({ cpu, physical }: Bare): Record<string, Uint8Array> => {
    const { u8 } = physical.frames.arena;
    const tlb = cpu.mmu.tlb.base;
    return { tlb: u8.subarray(tlb, tlb + TLB_SIZE), ram: u8.subarray(physical.hostAddress(0), physical.hostAddress(0) + RAM), scratch: u8.subarray(STATE + SCRATCH, STATE + SCRATCH + 16) };
  };
  const [is, should] = [of(a), of(b)];
  return Object.keys(is).filter((name) => Buffer.compare(is[name]!, should[name]!) !== 0);
}

/** Host address of code, or -1. @param quick asks WebAssembly where the TLB does not have it; `wasQuick` is told of an answer */
function fetch({ cpu }: Bare, low: number, high: number, quick?: Helpers, wasQuick?: () => void): number {
  const { mmu, state } = cpu;
  const linear = cpu.longMode ? high * 2 ** 32 + (low >>> 0) : low >>> 0;
  const known = mmu.tlb.lookup(mmu.viewOf(state.cpl === 3), linear, TLB_EXEC_TAG);
  const found = known >= 0 || quick === undefined ? 0 : quick["fillCode"]!(low, high);
  if (found !== 0) wasQuick!();
  return found !== 0 ? found : mmu.translate(linear, EXECUTE, state.cpl === 3) ? mmu.host : -1;
}

/** A processor's accesses, without a quick way and with one; `wasSlow` says whether the last was that. */
function accesses(made: Bare): { plain: Helpers; quick: Helpers; wasSlow: () => boolean } {
  let wasSlow = false;
  const plain = new SystemHelpers(made.cpu) as unknown as Helpers;
  const counted = Object.fromEntries(QUICK_ACCESSES.map((name) => [name, (...list: number[]) => ((wasSlow = true), plain[name]!(...list))]));
  const quick = quickHelpers({ memory: made.physical.frames.arena.memory, tlb: made.cpu.mmu.tlb, image: made.physical.image }, { ...plain, ...counted }, () => {});
  return {
    plain, quick, wasSlow: () => {
      const was = wasSlow;
      wasSlow = false;
      return was;
    },
  };
}

test.each(["32-bit", "PAE", "4-level"] as const)("walks and fills as the MMU does: %s", (kind) => {
  const outcomes = { quick: 0, slow: 0, faults: 0, quickFaults: 0, fetches: 0 };
  for (let seed = 1; seed <= 12; seed++) {
    const [a, b] = [machine(seed, kind, true), machine(seed, kind, false)];
    const { quick, wasSlow } = accesses(a);
    const { plain } = accesses(b);
    const next = random(seed * 7919);
    let low = 0, high = 0;
    for (let n = 0; n < 250; n++) {
      // Addresses come again, go on to the next page, or lead elsewhere.
      const step = next() % 8;
      if (step < 3) low = (low & ~4095) | (next() & 4095);
      else if (step < 5) low = (low + 4096) | 0;
      else {
        low = (((next() % 3) << 22) | ((next() & 0xff) << 12) | (next() & 4095)) | (next() % 6 === 0 ? next() << 22 : 0);
        high = kind !== "4-level" ? 0 : [0, 0, 0, 1, 0x7fff, -1, -0x8000, 0x8000][next() % 8]!;
      }
      if (next() % 24 === 0) {
        const page = next() & 0xff;
        for (const { cpu, physical: { frames } } of [a, b]) {
          if (n % 3 === 0) cpu.mmu.flushPage(cpu.longMode ? high * 2 ** 32 + (low >>> 0) : low >>> 0);
          else if (n % 3 === 1) cpu.mmu.setRoot(cpu.cr3);
          else {
            frames.watch(a.physical.frameOf(page), 1);
            cpu.mmu.tlb.revokeWrite(a.physical.frameOf(page));
          }
        }
      }
      if (next() % 4 === 0 && high !== 0x8000) {
        const [got, expected] = [fetch(a, low, high, quick, () => outcomes.fetches++), fetch(b, low, high)];
        expect([got, differences(a, b)], `seed ${seed}, access ${n}: fetch ${low} ${high}`).toEqual([expected, []]);
        continue;
      }
      const name = QUICK_ACCESSES[next() % 3]!;
      const args = [low, high, [1, 2, 4, 8, 10, 16][next() % 6]!];
      const [got, expected] = [quick[name]!(...args), plain[name]!(...args)];
      const fault = ({ cpu: { state } }: Bare, status: number): number[] => (status === 0 ? [] : [state.faultVector, state.faultCode, state.faultAddress]);
      expect([got, fault(a, got), differences(a, b)], `seed ${seed}, access ${n}: ${name} ${args}`).toEqual([expected, fault(b, expected), []]);
      const isSlow = wasSlow();
      outcomes[isSlow ? "slow" : "quick"]++;
      outcomes.faults += expected;
      if (!isSlow) outcomes.quickFaults += expected;
    }
  }
  expect(outcomes.quick - outcomes.quickFaults).toBeGreaterThan(600);
  expect(outcomes.quickFaults).toBeGreaterThan(400);
  expect(outcomes.slow).toBeGreaterThan(200);
  expect(outcomes.fetches).toBeGreaterThan(100);
});

test("while somebody is told of accesses, or a page is watched, WebAssembly leaves everything to TypeScript", () => {
  const made = bareMachine({ ram: RAM, recordsSize: 1 << 16 });
  const { cpu, physical } = made;
  physical.write32(0x4000, 0x83);
  cpu.cr0 |= 1 | CR0_PG;
  cpu.cr4 |= CR4_PSE;
  cpu.applyPaging();
  cpu.mmu.setRoot(0x4000);
  cpu.deriveSegments();
  const { quick, wasSlow } = accesses(made);
  const isQuick = (at: number): boolean => (quick["loadSlow"]!(at, 0, 4), !wasSlow());
  expect(isQuick(0x5000)).toBe(true);
  cpu.onAccess = () => {};
  applyBreakpoints(cpu);
  expect(isQuick(0x7000)).toBe(false);
  cpu.onAccess = undefined;
  applyBreakpoints(cpu);
  expect(isQuick(0x9000)).toBe(true);
  cpu.mmu.watch([0x20000]);
  expect(isQuick(0xb000)).toBe(false);
  cpu.mmu.watch([]);
  cpu.mmu.setA20(false);
  expect(isQuick(0xd000)).toBe(false);
});
