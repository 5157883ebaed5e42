/** Registers and interrupts by the IA-PC HPET specification 1.0a, whose sections the tests name; rates are exact in virtual time. */
import { decode, encode } from "@doppel/persist";
import { describe, expect, test } from "vitest";
import { allOnes } from "../bus/bus-device.ts";
import type { AccessSize } from "../bus/bus-device.ts";
import { virtualTime } from "../bus/virtual-time.fixture.ts";
import { Hpet } from "./hpet.ts";
import type { HpetState } from "./hpet.ts";

const ENABLE = 1;
const LEGACY = 2;
const LEVEL = 2;
const INTERRUPT = 4;
const PERIODIC = 8;
const SET = 0x40;
const MODE_32 = 0x100;
const ROUTE_20 = 20 << 9;

/** A timer block, and a log of what it and the old timers drive: "line level at microsecond". */
function block() {
  const time = virtualTime();
  const log: string[] = [];
  const level = new Map<string, boolean>();
  const line = (name: string) => ({
    set: (on: boolean) => {
      if ((level.get(name) ?? false) === on) return;
      level.set(name, on);
      log.push(`${on ? "+" : "-"}${name}@${time.clock.now() / 1000}`);
    },
  });
  const hpet = new Hpet(time.clock, { legacy: [line("irq0"), line("irq8")], global: (n) => line(`gsi${n}`) });
  const write = (offset: number, value: number, size: AccessSize = 4) => hpet.write(offset, size, value);
  const read = (offset: number, size: AccessSize = 4) => (hpet.read(offset, size) & allOnes(size)) >>> 0;
  const timer = (n: number, config: number, ...comparators: number[]) => {
    write(0x100 + 0x20 * n, config);
    for (const value of comparators) {
      write(0x108 + 0x20 * n, value % 2 ** 32);
      if ((config & MODE_32) === 0) write(0x10c + 0x20 * n, Math.floor(value / 2 ** 32));
    }
  };
  const take = () => log.splice(0);
  return { ...time, hpet, write, read, timer, take };
}

describe("2.3.4 to 2.3.7, general registers", () => {
  test("capabilities: revision 1, three timers, 64 bits, legacy replacement, 10 ns a count", () => {
    const { read } = block();
    expect([read(0), read(4), read(0, 1), read(1, 1), read(2, 2)]).toEqual([0x8086a201, 10_000_000, 0x01, 0xa2, 0x8086]);
    expect([read(0x20), read(0x10), read(0xf0), read(0xf4), read(0x3fc)]).toEqual([0, 0, 0, 0, 0]);
  });

  test("the counter counts while it is enabled, halts, and is written while it stands", () => {
    const { read, write, advance } = block();
    advance(1e6);
    expect(read(0xf0)).toBe(0);
    write(0x10, ENABLE);
    advance(1_000_005);
    expect(read(0xf0)).toBe(100_000);
    write(0xf0, 5);
    expect(read(0xf0)).toBe(100_000);
    write(0x10, 0);
    advance(1e9);
    expect(read(0xf0)).toBe(100_000);
    write(0xf0, 0xffff_ffff);
    write(0xf4, 7);
    write(0x10, ENABLE);
    expect([read(0xf0), read(0xf4)]).toEqual([0xffff_ffff, 7]);
    advance(10);
    expect([read(0xf0), read(0xf4)]).toEqual([0, 8]);
  });

  test("both halves of one 8-byte read belong together", () => {
    const { read, write, advance } = block();
    write(0xf0, 0xffff_ffff);
    write(0x10, ENABLE);
    expect(read(0xf0)).toBe(0xffff_ffff);
    advance(20);
    expect(read(0xf4)).toBe(0);
    advance(2000);
    expect(read(0xf4)).toBe(1);
  });

  test("a configuration written again does not lose time", () => {
    const { read, write, advance } = block();
    write(0x10, ENABLE);
    for (let i = 0; i < 100; i++) {
      advance(15);
      write(0x10, ENABLE);
    }
    expect(read(0xf0)).toBe(150);
  });
});

describe("2.3.8 and 2.3.9, comparators", () => {
  test("capabilities and defaults: periodic, 64 bits, inputs 20 to 23, comparator all ones", () => {
    const { read } = block();
    for (const n of [0, 1, 2])
      expect([0, 4, 8, 12, 16].map((at) => read(0x100 + 0x20 * n + at))).toEqual([0x30, 0x00f0_0000, 0xffff_ffff, 0xffff_ffff, 0]);
    expect(read(0x160)).toBe(0);
  });

  test("a route that is no capability does not stick", () => {
    const { read, write } = block();
    write(0x100, ROUTE_20);
    write(0x100, 5 << 9);
    expect(read(0x100)).toBe(0x30 | ROUTE_20);
  });

  test("one-shot: an edge at the match, and with 32 bits once more each time the counter comes round", () => {
    const { write, timer, advance, take } = block();
    write(0x10, ENABLE);
    timer(1, INTERRUPT | MODE_32 | ROUTE_20, 1000);
    advance(9_999);
    expect(take()).toEqual([]);
    advance(1e9);
    expect(take()).toEqual(["+gsi20@10", "-gsi20@10"]);
    advance(2 ** 32 * 10);
    expect(take().length).toBe(2);
  });

  test("64 bits: a comparator beyond the 32nd bit, written as two halves", () => {
    const { write, timer, goTo, take } = block();
    write(0x10, ENABLE);
    timer(2, INTERRUPT | ROUTE_20, 2 ** 32 + 5);
    goTo((2 ** 32 + 5) * 10 - 1);
    expect(take()).toEqual([]);
    goTo((2 ** 32 + 5) * 10);
    expect(take().length).toBe(2);
  });

  test("periodic: the first write under VAL_SET is the accumulator, the second the period, as Linux writes them", () => {
    const { write, read, timer, advance, take } = block();
    write(0x10, ENABLE);
    timer(0, INTERRUPT | PERIODIC | SET | MODE_32 | ROUTE_20, 500_000, 100_000);
    expect(read(0x100) & SET).toBe(0);
    advance(7_500_000);
    expect(take().filter((what) => what.startsWith("+"))).toEqual(["+gsi20@5000", "+gsi20@6000", "+gsi20@7000"]);
    expect(read(0x108)).toBe(800_000);
  });

  test("periodic, 64 bits: one 8-byte write under VAL_SET sets accumulator and period", () => {
    const { hpet, timer, write } = block();
    timer(0, PERIODIC | SET, 0x5_0000_1234);
    expect(hpet.save().timers[0]).toMatchObject({ comparator: 0x5_0000_1234n, period: 0x5_0000_1234n });
    write(0x108, 1);
    write(0x10c, 0);
    expect(hpet.save().timers[0]).toMatchObject({ comparator: 0x5_0000_1234n, period: 1n });
  });

  test("a period that the host was too late for is dropped, and so is one of a nanosecond's kind", () => {
    const { clock, write, timer, advance, take } = block();
    write(0x10, ENABLE);
    timer(0, INTERRUPT | PERIODIC | SET | ROUTE_20, 1000);
    clock.advanceTo(95_000);
    clock.runDue();
    expect(take().length).toBe(2);
    advance(5_000);
    expect(take()).toEqual(["+gsi20@100", "-gsi20@100"]);
    timer(0, INTERRUPT | PERIODIC | SET | ROUTE_20, 1);
    advance(100_000);
    expect(take().length).toBeLessThanOrEqual(22);
  });

  test("level: the line stays until its status bit is written, and the status comes without the enable bit too", () => {
    const { write, read, timer, advance, take } = block();
    write(0x10, ENABLE);
    timer(0, LEVEL | INTERRUPT | ROUTE_20, 100);
    timer(1, LEVEL | INTERRUPT | ROUTE_20, 200);
    timer(2, LEVEL, 300);
    advance(10_000);
    expect([take(), read(0x20)]).toEqual([["+gsi20@1"], 7]);
    write(0x20, 1);
    expect([take(), read(0x20)]).toEqual([[], 6]);
    write(0x20, 6);
    expect([take(), read(0x20)]).toEqual([["-gsi20@10"], 0]);
  });

  test("switching the block off takes its level away", () => {
    const { write, timer, advance, take } = block();
    write(0x10, ENABLE);
    timer(0, LEVEL | INTERRUPT | ROUTE_20, 100);
    advance(2_000);
    write(0x10, 0);
    expect(take()).toEqual(["+gsi20@1", "-gsi20@2"]);
  });
});

describe("2.3.5, legacy replacement", () => {
  test("comparators 0 and 1 take the place of 8254 and clock, whatever their routes, and give it back", () => {
    const { hpet, write, timer, advance, take } = block();
    hpet.pit.set(true);
    write(0x10, LEGACY);
    expect(take()).toEqual(["+irq0@0"]);
    write(0x10, ENABLE | LEGACY);
    hpet.rtc.set(true);
    expect(take()).toEqual(["-irq0@0"]);
    timer(0, INTERRUPT | ROUTE_20, 100);
    timer(1, INTERRUPT, 200);
    timer(2, INTERRUPT | ROUTE_20, 300);
    advance(3_000);
    expect(take()).toEqual(["+irq0@1", "-irq0@1", "+irq8@2", "-irq8@2", "+gsi20@3", "-gsi20@3"]);
    write(0x10, ENABLE);
    expect(take()).toEqual(["+irq0@3", "+irq8@3"]);
  });

  test("a periodic comparator that interrupts nobody wakes no host, and is where it should be when it is read", () => {
    const { write, timer, advance, hpet, clock } = block();
    write(0x10, ENABLE);
    timer(0, PERIODIC | SET | INTERRUPT, 100);
    expect(clock.pending).toBe(1);
    hpet.write(0x100, 4, PERIODIC);
    expect(clock.pending).toBe(0);
    advance(10_005);
    expect(hpet.read(0x108, 4)).toBe(1100);
  });

  test("reset opens the way again and forgets everything", () => {
    const { hpet, write, timer, advance, take, clock } = block();
    const fresh = encode(hpet.save());
    write(0x10, ENABLE | LEGACY);
    timer(0, LEVEL | INTERRUPT, 100);
    advance(2_000);
    hpet.reset();
    expect([take(), clock.pending]).toEqual([["+irq0@1", "-irq0@2"], 0]);
    expect(encode(hpet.save())).toEqual(fresh);
  });
});

test("a block restored from bytes goes on as the one that was saved", () => {
  const [a, b] = [block(), block()];
  a.hpet.rtc.set(true);
  a.write(0x10, ENABLE | LEGACY);
  a.timer(0, INTERRUPT | PERIODIC | SET | MODE_32, 777, 333);
  a.timer(2, LEVEL | INTERRUPT | ROUTE_20, 1234);
  a.advance(10_007);
  a.take();
  const bytes = encode(a.hpet.save());
  b.advance(99);
  b.clock.restore(a.clock.save());
  b.hpet.restore(decode(bytes) as HpetState);
  expect(encode(b.hpet.save())).toEqual(bytes);
  a.advance(50_000);
  b.advance(50_000);
  expect(b.take()).toEqual(a.take());
  expect(encode(b.hpet.save())).toEqual(encode(a.hpet.save()));
});
