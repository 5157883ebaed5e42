/** Expectations from the PC16550D data sheet, named by its registers. */
import { decode, encode } from "@doppel/persist";
import { describe, expect, test } from "vitest";
import { virtualTime } from "../bus/virtual-time.fixture.ts";
import { Uart } from "./uart.ts";
import type { UartState } from "./uart.ts";

function machine() {
  const time = virtualTime();
  const sent: number[] = [];
  const irq = { level: false, rises: 0 };
  let readies = 0;
  const uart = new Uart(
    time.clock,
    { set: (level) => { if (level && !irq.level) irq.rises++; irq.level = level; } },
    { output: (byte) => void sent.push(byte), ready: () => void readies++ },
    "com1",
  );
  const read = (offset: number) => uart.read(offset, 1);
  const write = (offset: number, value: number) => uart.write(offset, 1, value);
  return { ...time, uart, sent, irq, read, write, readies: () => readies };
}
const bytes = (...values: number[]) => Uint8Array.from(values);

describe("16550A", () => {
  test("after reset: IIR says none, LSR says empty, the far end is there", () => {
    const m = machine();
    expect([m.read(1), m.read(2), m.read(3), m.read(4), m.read(5), m.read(6)]).toEqual([0, 1, 0, 0, 0x60, 0xb0]);
  });

  test("DLAB switches offsets 0 and 1 to the divisor; SCR keeps a byte", () => {
    const m = machine();
    m.write(3, 0x83);
    m.write(0, 0x01);
    m.write(1, 0x02);
    expect([m.read(0), m.read(1)]).toEqual([1, 2]);
    m.write(3, 0x03);
    expect(m.read(1)).toBe(0);
    m.write(7, 0x5a);
    expect(m.read(7)).toBe(0x5a);
  });

  test("THR: bytes leave at once; ETBEI asks when enabled, IIR clears it, a further byte asks again", () => {
    const m = machine();
    m.write(1, 0x02);
    expect([m.irq.level, m.read(2), m.irq.level, m.read(2)]).toEqual([true, 0x02, false, 0x01]);
    m.write(0, 0x41);
    expect([m.sent, m.irq.level, m.irq.rises]).toEqual([[0x41], true, 2]);
    m.write(0, 0x42);
    expect([m.irq.rises, m.read(5)]).toEqual([3, 0x60]);
    m.read(2);
    m.write(1, 0x00);
    m.write(1, 0x02);
    expect(m.read(2)).toBe(0x02);
  });

  test("FIFO trigger level and character timeout", () => {
    const m = machine();
    m.write(2, 0x81);
    m.write(1, 0x01);
    expect(m.uart.input(bytes(1, 2, 3))).toBe(3);
    expect([m.irq.level, m.read(2)]).toEqual([false, 0xc1]);
    m.advance(40 * 12 * (1e9 / 115200));
    expect([m.irq.level, m.read(2)]).toEqual([true, 0xcc]);
    expect([m.read(0), m.irq.level]).toEqual([1, false]);
    m.uart.input(bytes(4, 5, 6, 7, 8, 9));
    expect(m.read(2)).toBe(0xc4);
    m.read(0);
    expect(m.read(2)).toBe(0xc1);
  });

  test("flow: the receiver takes what fits and tells when there is room", () => {
    const m = machine();
    expect(m.uart.input(bytes(1, 2))).toBe(1);
    expect(m.read(5) & 1).toBe(1);
    expect([m.read(0), m.readies(), m.read(5) & 1]).toEqual([1, 1, 0]);
    m.write(2, 0x01);
    expect(m.uart.input(new Uint8Array(20))).toBe(16);
    m.write(2, 0x03);
    expect([m.readies(), m.read(5) & 1]).toEqual([2, 0]);
  });

  test("IIR: line status before data before transmitter before modem status", () => {
    const m = machine();
    m.write(1, 0x0f);
    m.uart.setModemLines({ cts: false, dsr: true, ri: false, dcd: true });
    m.uart.sendBreak();
    expect(m.read(2)).toBe(0x06);
    expect(m.read(5)).toBe(0x71);
    expect(m.read(2)).toBe(0x04);
    m.read(0);
    expect([m.read(2), m.read(2)]).toEqual([0x02, 0x00]);
    expect(m.read(6)).toBe(0xa1);
    expect([m.read(2), m.irq.level]).toEqual([0x01, false]);
  });

  test("loopback: bytes return, MCR shows in MSR, overrun is told", () => {
    const m = machine();
    m.write(4, 0x1a);
    expect(m.read(6) & 0xf0).toBe(0x90);
    m.write(0, 0x55);
    m.write(0, 0x66);
    expect([m.sent, m.read(5), m.read(0)]).toEqual([[], 0x63, 0x66]);
    m.write(4, 0x14);
    m.read(6);
    m.write(4, 0x10);
    expect(m.read(6)).toBe(0x04);
    expect(m.uart.input(bytes(1))).toBe(0);
    m.write(4, 0x0b);
    expect(m.readies()).toBe(1);
  });

  test("FCR: without the enable bit the others are not taken, and toggling it clears the FIFOs", () => {
    const m = machine();
    m.write(2, 0xc0);
    expect(m.read(2)).toBe(0x01);
    m.uart.input(bytes(1));
    m.write(2, 0x01);
    expect([m.read(2), m.read(5)]).toEqual([0xc1, 0x60]);
  });

  test("goes on from a saved state, the timeout included", () => {
    const a = machine();
    a.write(2, 0xc1);
    a.write(1, 0x05);
    a.uart.input(bytes(7, 8));
    const b = machine();
    b.clock.restore(a.clock.save());
    b.uart.restore(decode(encode(a.uart.save())) as UartState);
    a.advance(1e8);
    b.advance(1e8);
    expect([b.irq.level, b.read(2), b.read(0)]).toEqual([true, 0xcc, 7]);
    a.read(0);
    expect(b.uart.save()).toEqual(a.uart.save());
  });
});
