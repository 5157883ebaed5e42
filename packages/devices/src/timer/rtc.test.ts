/** Expectations from the MC146818A data sheet. */
import { decode, encode } from "@doppel/persist";
import { describe, expect, test } from "vitest";
import { PortBus } from "../bus/port-bus.ts";
import { virtualTime } from "../bus/virtual-time.fixture.ts";
import { Rtc } from "./rtc.ts";
import type { RtcState } from "./rtc.ts";

/** 2024-02-28 23:59:58 UTC, a Wednesday. */
const START = Date.UTC(2024, 1, 28, 23, 59, 58) / 1000;

function machine() {
  const { clock, advance } = virtualTime();
  const irq = { level: false, rises: 0 };
  const rtc = new Rtc(clock, { set: (level) => { if (level && !irq.level) irq.rises++; irq.level = level; } }, START);
  const ports = new PortBus();
  rtc.attach(ports);
  const read = (index: number) => (ports.write(0x70, 1, index), ports.read(0x71, 1));
  const write = (index: number, value: number) => {
    ports.write(0x70, 1, index);
    ports.write(0x71, 1, value);
  };
  const date = () => [0x32, 9, 8, 7, 6, 4, 2, 0].map((index) => read(index).toString(16));
  return { clock, irq, rtc, ports, read, write, advance, date };
}

describe("MC146818", () => {
  test("time in BCD, 24 hours, over a leap day", () => {
    const m = machine();
    expect(m.date()).toEqual(["20", "24", "2", "28", "4", "23", "59", "58"]);
    m.advance(2e9);
    expect(m.date()).toEqual(["20", "24", "2", "29", "5", "0", "0", "0"]);
    expect(m.read(0x37)).toBe(0x20);
  });

  test("register B: binary and 12-hour modes", () => {
    const m = machine();
    m.write(0x0b, 0x04);
    expect([m.read(4), m.read(2), m.read(0)]).toEqual([0x8b, 59, 58]);
    m.advance(2e9);
    expect(m.read(4)).toBe(12);
  });

  test("SET holds the registers, and releasing it adopts them", () => {
    const m = machine();
    m.write(0x0b, 0x82);
    m.advance(5e9);
    expect(m.date()).toEqual(["20", "24", "2", "28", "4", "23", "59", "58"]);
    m.write(9, 0x99);
    m.write(0, 0x10);
    m.write(0x0b, 0x02);
    expect([m.read(9), m.read(0)]).toEqual([0x99, 0x10]);
    m.advance(1e9);
    expect(m.read(0)).toBe(0x11);
  });

  test("the first update comes half a second after the divider leaves its reset", () => {
    const m = machine();
    m.advance(0.3e9);
    m.write(0x0a, 0x76);
    m.write(0, 0x20);
    m.advance(3e9);
    expect(m.read(0)).toBe(0x20);
    m.write(0x0a, 0x26);
    m.advance(0.499e9);
    expect(m.read(0)).toBe(0x20);
    m.advance(0.002e9);
    expect(m.read(0)).toBe(0x21);
  });

  test("UIP is set from 244 us before an update", () => {
    const m = machine();
    m.advance(1e9 - 245_000);
    expect(m.read(0x0a)).toBe(0x26);
    m.advance(2000);
    expect(m.read(0x0a)).toBe(0xa6);
    m.advance(243_000);
    expect(m.read(0x0a)).toBe(0x26);
  });

  test("update-ended interrupt; reading register C clears the flags and the line", () => {
    const m = machine();
    m.advance(1e9);
    expect(m.read(0x0c) & 0x90).toBe(0x10);
    m.write(0x0b, 0x12);
    m.advance(1e9);
    expect(m.irq.level).toBe(true);
    expect(m.read(0x0c) & 0x90).toBe(0x90);
    expect([m.irq.level, m.read(0x0c)]).toEqual([false, 0]);
  });

  test("alarm on a time, and with bytes that mean any", () => {
    const m = machine();
    m.write(1, 0x03);
    m.write(3, 0x00);
    m.write(5, 0x00);
    m.write(0x0b, 0x22);
    m.advance(4e9);
    expect(m.irq.rises).toBe(0);
    m.advance(1e9);
    expect([m.irq.rises, m.read(0x0c) & 0xa0]).toEqual([1, 0xa0]);
    for (const index of [1, 3, 5]) m.write(index, 0xff);
    for (let i = 0; i < 3; i++) {
      m.advance(1e9);
      m.read(0x0c);
    }
    expect(m.irq.rises).toBe(4);
  });

  test("periodic interrupt: rate 6 is 1024 Hz, rate 2 is 128 Hz", () => {
    const m = machine();
    m.write(0x0b, 0x42);
    m.read(0x0c);
    const count = (ns: number) => {
      const before = m.irq.rises;
      for (let i = 0; i < 5000; i++) {
        m.advance(ns / 5000);
        m.read(0x0c);
      }
      return m.irq.rises - before;
    };
    expect(count(1e9)).toBe(1024);
    m.write(0x0a, 0x22);
    expect(count(1e9)).toBe(128);
  });

  test("the periodic flag is there for a guest that polls", () => {
    const m = machine();
    m.read(0x0c);
    m.advance(2_000_000);
    expect(m.read(0x0c) & 0xc0).toBe(0x40);
    expect(m.read(0x0c) & 0x40).toBe(0);
  });

  test("memory, register D, and the NMI mask of port 70h", () => {
    const m = machine();
    m.write(0x0f, 0xa5);
    m.write(0x0d, 0);
    expect([m.read(0x0f), m.read(0x0d), m.rtc.nmiMasked]).toEqual([0xa5, 0x80, false]);
    m.ports.write(0x70, 1, 0x8f);
    expect([m.ports.read(0x71, 1), m.rtc.nmiMasked, m.ports.read(0x70, 1)]).toEqual([0xa5, true, 0xff]);
  });

  test("goes on from a saved state", () => {
    const a = machine();
    a.write(0x0b, 0x72);
    a.advance(1.7e9);
    const b = machine();
    b.advance(5e8);
    b.clock.restore(a.clock.save());
    b.rtc.restore(decode(encode(a.rtc.save())) as RtcState);
    a.advance(3e9);
    b.advance(3e9);
    expect(b.rtc.save()).toEqual(a.rtc.save());
  });
});
