/** Expectations from the 8254 data sheet (Intel 231164), named by its sections. */
import { Frequency } from "@doppel/clock";
import { decode, encode } from "@doppel/persist";
import { describe, expect, test } from "vitest";
import { PortBus } from "../bus/port-bus.ts";
import { virtualTime } from "../bus/virtual-time.fixture.ts";
import { Pit, PIT_HZ } from "./pit.ts";
import type { PitState } from "./pit.ts";

const rate = new Frequency(PIT_HZ);

function machine() {
  const time = virtualTime();
  const { clock } = time;
  const edges: number[] = [];
  let level = false;
  const pit = new Pit(clock, { set: (next) => { if (next && !level) edges.push(rate.ticksAt(clock.now())); level = next; } });
  const ports = new PortBus();
  pit.attach(ports);
  const out = (port: number, ...values: number[]) => values.forEach((value) => ports.write(port, 1, value));
  const read = (port: number) => ports.read(port, 1);
  const goTo = (tick: number) => time.goTo(rate.nsAt(tick));
  const count = (channel: number) => {
    out(0x43, channel << 6);
    return read(0x40 + channel) | (read(0x40 + channel) << 8);
  };
  const status = (channel: number) => (out(0x43, 0xe0 | (2 << channel)), read(0x40 + channel));
  return { clock, time, pit, out, read, goTo, count, status, edges, level: () => level };
}

describe("8254", () => {
  test("mode 0: OUT rises N + 1 ticks after the count was written, once; the count goes on", () => {
    const m = machine();
    m.goTo(100);
    m.out(0x43, 0x30);
    expect(m.level()).toBe(false);
    m.out(0x40, 10, 0);
    expect(m.status(0)).toBe(0x70);
    m.goTo(101);
    expect([m.status(0), m.count(0)]).toEqual([0x30, 10]);
    m.goTo(110);
    expect([m.level(), m.count(0)]).toEqual([false, 1]);
    m.goTo(111);
    expect([m.level(), m.count(0)]).toEqual([true, 0]);
    m.goTo(113);
    expect([m.edges, m.count(0)]).toEqual([[111], 0xfffe]);
  });

  test("mode 1: a rising GATE starts one pulse of N ticks, and another restarts it", () => {
    const m = machine();
    m.out(0x43, 0xb2);
    m.out(0x42, 20, 0);
    expect(m.read(0x61) & 0x20).toBe(0x20);
    m.goTo(10);
    m.out(0x61, 1);
    m.goTo(11);
    expect(m.read(0x61) & 0x20).toBe(0);
    m.out(0x61, 0);
    m.goTo(20);
    m.out(0x61, 1);
    m.goTo(40);
    expect(m.read(0x61) & 0x20).toBe(0);
    m.goTo(41);
    expect(m.read(0x61) & 0x20).toBe(0x20);
  });

  test("mode 2: a rise each N ticks; OUT is low for the one tick at which the count is 1", () => {
    const m = machine();
    m.out(0x43, 0x34);
    m.out(0x40, 100, 0);
    m.edges.length = 0;
    m.goTo(100);
    expect(m.status(0) & 0x80).toBe(0);
    expect(m.count(0)).toBe(1);
    m.goTo(101);
    expect([m.status(0) & 0x80, m.count(0)]).toEqual([0x80, 100]);
    m.goTo(350);
    expect(m.edges).toEqual([101, 201, 301]);
  });

  test("mode 2: a new count takes over at the end of the period", () => {
    const m = machine();
    m.out(0x43, 0x34);
    m.out(0x40, 100, 0);
    m.edges.length = 0;
    m.goTo(50);
    m.out(0x40, 10, 0);
    expect(m.status(0) & 0x40).toBe(0x40);
    m.goTo(125);
    expect(m.edges).toEqual([101, 111, 121]);
    expect(m.status(0) & 0x40).toBe(0);
  });

  test("mode 2: GATE low holds OUT high, its rise reloads", () => {
    const m = machine();
    m.out(0x43, 0xb4);
    m.out(0x61, 1);
    m.out(0x42, 50, 0);
    m.goTo(30);
    m.out(0x61, 0);
    const held = m.count(2);
    m.goTo(90);
    expect(m.count(2)).toBe(held);
    m.out(0x61, 1);
    m.goTo(91);
    expect(m.count(2)).toBe(50);
  });

  test("mode 3: even counts have halves of N/2, counted down by two; odd ones are high one tick longer", () => {
    const m = machine();
    m.out(0x43, 0x36);
    m.out(0x40, 8, 0);
    const levels: number[] = [];
    const counts: number[] = [];
    for (let tick = 1; tick <= 8; tick++) {
      m.goTo(tick);
      levels.push(m.status(0) >> 7);
      counts.push(m.count(0));
    }
    expect(levels).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
    expect(counts).toEqual([8, 6, 4, 2, 8, 6, 4, 2]);
    m.out(0x43, 0x36);
    m.out(0x40, 5, 0);
    levels.length = 0;
    counts.length = 0;
    for (let tick = 9; tick <= 13; tick++) {
      m.goTo(tick);
      levels.push(m.status(0) >> 7);
      counts.push(m.count(0));
    }
    expect(levels).toEqual([1, 1, 1, 0, 0]);
    expect(counts).toEqual([4, 2, 0, 4, 2]);
  });

  test("mode 3: a new count takes over at the end of the half period", () => {
    const m = machine();
    m.out(0x43, 0x36);
    m.out(0x40, 100, 0);
    m.edges.length = 0;
    m.goTo(20);
    m.out(0x40, 20, 0);
    m.goTo(52);
    expect(m.status(0) & 0x80).toBe(0);
    m.goTo(90);
    expect(m.edges).toEqual([61, 81]);
  });

  test("mode 4: one strobe, low for one tick, N + 1 ticks after the write", () => {
    const m = machine();
    m.out(0x43, 0x38);
    m.edges.length = 0;
    m.out(0x40, 10, 0);
    m.goTo(11);
    expect(m.status(0) & 0x80).toBe(0);
    m.goTo(12);
    expect(m.status(0) & 0x80).toBe(0x80);
    m.goTo(70000);
    expect(m.edges).toEqual([12]);
  });

  test("mode 5: the strobe is triggered by GATE", () => {
    const m = machine();
    m.out(0x43, 0xba);
    m.out(0x42, 10, 0);
    m.goTo(50);
    expect(m.status(2) & 0xc0).toBe(0xc0);
    m.out(0x61, 1);
    m.goTo(61);
    expect(m.status(2) & 0xc0).toBe(0);
    m.goTo(62);
    expect(m.status(2) & 0xc0).toBe(0x80);
  });

  test("read/write formats: LSB only, MSB only, both with an alternating read", () => {
    const m = machine();
    m.out(0x43, 0x94);
    m.out(0x42, 0x34);
    m.goTo(1);
    expect(m.status(2) & 0x30).toBe(0x10);
    m.out(0x43, 0x24);
    m.out(0x40, 0x12);
    m.goTo(2);
    expect(m.read(0x40)).toBe(0x12);
    m.out(0x43, 0x34);
    m.out(0x40, 0x34, 0x12);
    m.goTo(3);
    expect([m.read(0x40), m.read(0x40), m.read(0x40)]).toEqual([0x34, 0x12, 0x34]);
  });

  test("BCD counts modulo 10000", () => {
    const m = machine();
    m.out(0x43, 0x31);
    m.out(0x40, 0x00, 0x10);
    m.goTo(2);
    expect(m.count(0)).toBe(0x0999);
    m.out(0x43, 0x31);
    m.out(0x40, 0, 0);
    m.goTo(4);
    expect(m.count(0)).toBe(0x9999);
  });

  test("read-back latches status and count of several counters; status is read first", () => {
    const m = machine();
    m.out(0x43, 0x34);
    m.out(0x40, 0x00, 0x10);
    m.out(0x43, 0xb6);
    m.out(0x42, 0x00, 0x20);
    m.goTo(1);
    m.out(0x43, 0xca);
    m.goTo(500);
    expect([m.read(0x40), m.read(0x40), m.read(0x40)]).toEqual([0xb4, 0x00, 0x10]);
    expect(m.read(0x42) & 0x3f).toBe(0x36);
  });

  test("a latched count holds until it is read, and a second latch changes nothing", () => {
    const m = machine();
    m.out(0x43, 0x34);
    m.out(0x40, 0, 0);
    m.goTo(101);
    m.out(0x43, 0x00);
    m.goTo(200);
    m.out(0x43, 0x00);
    expect(m.read(0x40) | (m.read(0x40) << 8)).toBe(0x10000 - 100);
  });

  test("port 61h: the refresh bit toggles every 15 us", () => {
    const m = machine();
    const before = m.read(0x61) & 0x10;
    m.time.advance(15_085);
    expect(m.read(0x61) & 0x10).not.toBe(before);
  });

  test("ticks that the host was too late for are dropped, and the phase is kept", () => {
    const m = machine();
    m.out(0x43, 0x34);
    m.out(0x40, 100, 0);
    m.edges.length = 0;
    m.clock.advanceTo(rate.nsAt(1050));
    m.clock.runDue();
    m.goTo(1101);
    expect(m.edges).toEqual([1050, 1101]);
  });

  test("goes on from a saved state with the same edges", () => {
    const a = machine();
    a.out(0x43, 0x36);
    a.out(0x40, 77, 0);
    a.goTo(40);
    const b = machine();
    b.clock.restore(a.clock.save());
    b.pit.restore(decode(encode(a.pit.save())) as PitState);
    a.edges.length = 0;
    a.goTo(1000);
    b.goTo(1000);
    expect(b.edges.slice(-10)).toEqual(a.edges.slice(-10));
    expect(b.pit.save()).toEqual(a.pit.save());
  });
});
