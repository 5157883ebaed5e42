/** KVM's clock by Linux documentation, "KVM-specific MSRs": what a guest that reads the pages as it is told to finds. */
import { decode, encode } from "@doppel/persist";
import { describe, expect, test } from "vitest";
import { virtualTime } from "../bus/virtual-time.fixture.ts";
import { KvmClock } from "./kvm-clock.ts";
import type { KvmClockState } from "./kvm-clock.ts";

function machine(cpus = 1) {
  const time = virtualTime();
  const ram = new Uint8Array(0x2000);
  const offsets = new Array<number>(cpus).fill(0);
  const kvm = new KvmClock({
    clock: time.clock, cpus, tscOffset: (cpu) => offsets[cpu]!, wallClock: () => ({ seconds: 1_700_000_000, nanoseconds: 500_000_000 }),
    memory: {
      readBytes: (physical, into) => into.forEach((_, i) => (into[i] = ram[physical + i] ?? 0xff)),
      writeBytes: (physical, from) => from.forEach((byte, i) => { if (physical + i < ram.length) ram[physical + i] = byte; }),
    },
  });
  const view = new DataView(ram.buffer);
  /** The formula of the documentation, in exact integers. */
  const read = (at: number, cpu = 0): bigint => {
    const counter = BigInt.asUintN(64, BigInt(time.clock.now() + offsets[cpu]!));
    const delta = BigInt.asUintN(64, counter - view.getBigUint64(at + 8, true)) << BigInt(view.getInt8(at + 28));
    return ((delta * BigInt(view.getUint32(at + 24, true))) >> 32n) + view.getBigUint64(at + 16, true);
  };
  return { ...time, kvm, ram, view, offsets, read };
}

describe("MSR_KVM_SYSTEM_TIME_NEW", () => {
  test("bit 0 says whether the page is used, and the rest where it is", () => {
    const { kvm, ram, view } = machine();
    kvm.setSystemTime(0, 0x1000, 0);
    expect(ram.every((byte) => byte === 0)).toBe(true);
    kvm.setSystemTime(0, 0x1001, 0);
    expect([kvm.systemTime(0), view.getUint32(0x1000, true), view.getUint8(0x101d)]).toEqual([{ low: 0x1001, high: 0 }, 2, 1]);
    kvm.setSystemTime(0, 0x1001, 0);
    expect(view.getUint32(0x1000, true)).toBe(4);
  });

  test("the page gives nanoseconds since power-on, whatever the counter began with", () => {
    const { kvm, advance, offsets, read } = machine();
    offsets[0] = -12_345;
    advance(1_000_000_007);
    kvm.setSystemTime(0, 0x1001, 0);
    expect(read(0x1000)).toBe(1_000_000_007n);
    advance(86_400_000_000_000);
    expect(read(0x1000)).toBe(86_401_000_000_007n);
  });

  test("a write of the counter refreshes every page, and takes the stable flag away while the counters differ", () => {
    const { kvm, advance, offsets, view, read } = machine(2);
    for (const cpu of [0, 1]) kvm.setSystemTime(cpu, 0x1001 + 0x40 * cpu, 0);
    offsets[1] = 1_000_000;
    kvm.counterWritten();
    advance(5);
    expect([read(0x1000), read(0x1040, 1), view.getUint8(0x101d), view.getUint8(0x105d)]).toEqual([5n, 5n, 0, 0]);
    offsets[1] = 0;
    kvm.counterWritten();
    expect([view.getUint8(0x101d), view.getUint8(0x105d)]).toEqual([1, 1]);
  });

  test("an address without memory is harmless, and a reset ends the use of the page", () => {
    const { kvm, view } = machine();
    kvm.setSystemTime(0, 0xffff_ffff, 0xffff_ffff);
    kvm.setSystemTime(0, 0x1001, 0);
    kvm.resetCpu(0);
    kvm.counterWritten();
    expect([kvm.systemTime(0), view.getUint32(0x1000, true)]).toEqual([{ low: 0, high: 0 }, 2]);
  });
});

test("MSR_KVM_WALL_CLOCK_NEW: the time of day when system time was 0, written once", () => {
  const { kvm, advance, view } = machine();
  advance(3_000_000_000);
  kvm.setWallClock(0x1100, 0);
  expect([0, 4, 8].map((at) => view.getUint32(0x1100 + at, true))).toEqual([2, 1_700_000_000, 500_000_000]);
  expect(kvm.wallClock).toEqual({ low: 0x1100, high: 0 });
});

test("a saved clock goes on with the same pages", () => {
  const first = machine(2);
  first.kvm.setSystemTime(1, 0x1041, 0);
  first.kvm.setWallClock(0x1100, 1);
  const second = machine(2);
  second.kvm.restore(decode(encode(first.kvm.save())) as KvmClockState);
  expect([second.kvm.systemTime(1), second.kvm.wallClock]).toEqual([{ low: 0x1041, high: 0 }, { low: 0x1100, high: 1 }]);
});
