/** Expectations from the PCI Local Bus Specification 2.1 and the data sheets of the 82441FX, 82371SB and 82371AB. */
import { decode, encode } from "@doppel/persist";
import { describe, expect, test } from "vitest";
import { MmioBus } from "../bus/mmio-bus.ts";
import { PortBus } from "../bus/port-bus.ts";
import { virtualTime } from "../bus/virtual-time.fixture.ts";
import { Piix4Pm } from "../power/piix4-pm.ts";
import type { Piix4PmState } from "../power/piix4-pm.ts";
import { createI440fx } from "./i440fx.ts";
import type { ShadowRange } from "./i440fx.ts";
import { PciBus } from "./pci-bus.ts";
import { PciFunction } from "./pci-function.ts";
import { Piix3 } from "./piix3.ts";

function machine() {
  const time = virtualTime();
  const ports = new PortBus();
  const memory = new MmioBus();
  const log: string[] = [];
  const levels: boolean[] = new Array<boolean>(16).fill(false);
  let ranges: ShadowRange[] = [];
  const bus = new PciBus({ ports, memory }, () => void log.push("reset"));
  bus.attach(ports);
  bus.add(0, 0, createI440fx((now) => (ranges = now)));
  const piix3 = new Piix3(levels.map((_, irq) => ({ set: (level) => void (levels[irq] = level) })));
  bus.add(1, 0, piix3.config);
  let sci = false;
  const pm = new Piix4Pm(time.clock, { set: (level) => void (sci = level) }, () => void log.push("off"));
  pm.attach(ports);
  bus.add(1, 3, pm.config);
  const select = (device: number, number: number, register: number) => ports.write(0xcf8, 4, 0x8000_0000 + (device << 11) + (number << 8) + (register & 0xfc));
  const read = (device: number, number: number, register: number, size: 1 | 2 | 4) => {
    select(device, number, register);
    return ports.read(0xcfc + (register & 3), size);
  };
  const write = (device: number, number: number, register: number, size: 1 | 2 | 4, value: number) => {
    select(device, number, register);
    ports.write(0xcfc + (register & 3), size, value);
  };
  return { ...time, ports, memory, bus, piix3, pm, log, levels, read, write, ranges: () => ranges, sci: () => sci };
}

describe("configuration mechanism 1", () => {
  test("finds the functions, and all ones elsewhere", () => {
    const m = machine();
    expect(m.read(0, 0, 0, 4)).toBe(0x1237_8086);
    expect(m.read(1, 0, 0, 4)).toBe(0x7000_8086);
    expect(m.read(1, 3, 2, 2)).toBe(0x7113);
    expect(m.read(1, 0, 0x0e, 1)).toBe(0x80);
    expect(m.read(5, 0, 0, 4)).toBe(0xffff_ffff);
    m.ports.write(0xcf8, 4, 0x0000_0000);
    expect(m.ports.read(0xcfc, 4)).toBe(0xffff_ffff);
    m.ports.write(0xcf8, 4, 0x8001_0000);
    expect([m.ports.read(0xcf8, 4), m.ports.read(0xcfc, 2)]).toEqual([0x8001_0000, 0xffff]);
  });

  test("CF9h is the reset control register, apart from the address", () => {
    const m = machine();
    m.ports.write(0xcf8, 4, 0x8000_1234);
    m.ports.write(0xcf9, 1, 0x02);
    expect([m.log, m.ports.read(0xcf9, 1), m.ports.read(0xcf8, 4)]).toEqual([[], 2, 0x8000_1234]);
    m.ports.write(0xcf9, 1, 0x06);
    expect(m.log).toEqual(["reset"]);
  });

  test("identification is read-only", () => {
    const m = machine();
    m.write(0, 0, 0, 4, 0);
    expect(m.read(0, 0, 0, 4)).toBe(0x1237_8086);
  });
});

test("base address registers tell their size and move the device", () => {
  const m = machine();
  const nic = new PciFunction({ vendor: 0x8086, device: 0x100e, revision: 3, classCode: 0x020000, interruptPin: 1 });
  const device = { read: () => 0x5a5a_5a5a, write: () => {} };
  nic.addBar({ index: 0, kind: "memory", size: 0x20000, device, name: "nic memory" });
  nic.addBar({ index: 1, kind: "io", size: 0x40, device, name: "nic ports" });
  m.bus.add(3, 0, nic);
  m.write(3, 0, 0x10, 4, 0xffff_ffff);
  m.write(3, 0, 0x14, 4, 0xffff_ffff);
  expect([m.read(3, 0, 0x10, 4), m.read(3, 0, 0x14, 4)]).toEqual([0xfffe_0000, 0xffff_ffc1]);
  m.write(3, 0, 0x10, 4, 0xfeb8_0000);
  m.write(3, 0, 0x14, 4, 0xc001);
  expect(m.memory.covers(0xfeb8_0000)).toBe(false);
  m.write(3, 0, 0x04, 2, 3);
  expect([m.memory.read(0xfeb9_fffc, 4), m.ports.read(0xc03c, 4)]).toEqual([0x5a5a_5a5a, 0x5a5a_5a5a]);
  m.write(3, 0, 0x14, 4, 0xc101);
  expect([m.ports.read(0xc000, 1), m.ports.read(0xc100, 1)]).toEqual([0xff, 0x5a]);
  const saved = nic.save();
  nic.reset();
  expect(m.ports.read(0xc100, 1)).toBe(0xff);
  nic.restore(saved);
  expect(m.ports.read(0xc100, 1)).toBe(0x5a);
  m.write(3, 0, 0x14, 4, 0x61);
  expect(m.ports.read(0x61, 1)).toBe(0x5a);
  m.write(3, 0, 0x14, 4, 0xcc1);
  expect([m.ports.read(0xcc0, 1), m.ports.read(0xcf8, 4) >>> 31]).toEqual([0xff, 1]);
});

test("PAM registers say where the low ROM area goes", () => {
  const m = machine();
  m.write(0, 0, 0x59, 1, 0x30);
  m.write(0, 0, 0x5a, 1, 0x31);
  expect(m.ranges()).toHaveLength(13);
  expect(m.ranges()[0]).toEqual({ start: 0xc0000, size: 0x4000, readRam: true, writeRam: false });
  expect(m.ranges()[1]).toEqual({ start: 0xc4000, size: 0x4000, readRam: true, writeRam: true });
  expect(m.ranges()[12]).toEqual({ start: 0xf0000, size: 0x10000, readRam: true, writeRam: true });
});

test("PIRQ routing: shared levels follow the routing registers", () => {
  const m = machine();
  const a = m.piix3.interruptPin(1, 1);
  const b = m.piix3.interruptPin(5, 1);
  a.set(true);
  expect(m.levels.some(Boolean)).toBe(false);
  m.write(1, 0, 0x60, 1, 10);
  expect(m.levels[10]).toBe(true);
  b.set(true);
  a.set(false);
  expect(m.levels[10]).toBe(true);
  m.write(1, 0, 0x60, 1, 11);
  expect([m.levels[10], m.levels[11]]).toEqual([false, true]);
  b.set(false);
  expect(m.levels[11]).toBe(false);
});

describe("PIIX4 power management", () => {
  function acpi() {
    const m = machine();
    m.write(1, 3, 0x40, 4, 0x0601);
    m.write(1, 3, 0x80, 1, 1);
    m.ports.write(0xb2, 1, 0xf1);
    return m;
  }

  test("the ports appear where PMBA puts them, and B2h turns SCI_EN on and off", () => {
    const m = acpi();
    expect(m.ports.read(0x604, 2)).toBe(1);
    m.ports.write(0xb2, 1, 0xf0);
    expect(m.ports.read(0x604, 2)).toBe(0);
    m.write(1, 3, 0x80, 1, 0);
    expect(m.ports.read(0x604, 2)).toBe(0xffff);
  });

  test("the timer has 24 bits at 3.579545 MHz, and TMR_STS comes with each change of bit 23", () => {
    const m = acpi();
    m.goTo(1e9);
    expect(m.ports.read(0x608, 4)).toBe(3_579_545);
    m.ports.write(0x602, 2, 0x0001);
    expect(m.sci()).toBe(false);
    m.goTo(2.4e9);
    expect([m.sci(), m.ports.read(0x600, 2)]).toEqual([true, 1]);
    m.ports.write(0x600, 2, 1);
    expect([m.sci(), m.ports.read(0x600, 2)]).toEqual([false, 0]);
    m.goTo(4.8e9);
    expect([m.sci(), m.ports.read(0x608, 4)]).toEqual([true, Math.floor(3_579_545 * 4.8) - 2 ** 24]);
  });

  test("power button and general-purpose events raise SCI", () => {
    const m = acpi();
    m.ports.write(0x602, 2, 0x0100);
    m.pm.pressPowerButton();
    expect([m.sci(), m.ports.read(0x600, 2)]).toEqual([true, 0x100]);
    m.ports.write(0x601, 1, 0x01);
    expect(m.sci()).toBe(false);
    m.ports.write(0xafe2, 2, 0x0004);
    m.pm.raiseEvent(2);
    expect(m.sci()).toBe(true);
    m.ports.write(0xafe0, 1, 0x04);
    expect(m.sci()).toBe(false);
  });

  test("SLP_EN with type 0 is soft off", () => {
    const m = acpi();
    m.ports.write(0x604, 2, 0x0401 | 0x2000);
    expect(m.log).toEqual([]);
    m.ports.write(0x604, 2, 0x2001);
    expect([m.log, m.ports.read(0x604, 2)]).toEqual([["off"], 1]);
  });

  test("goes on from a saved state", () => {
    const a = acpi();
    a.ports.write(0x602, 2, 1);
    a.goTo(1e9);
    const b = machine();
    b.clock.restore(a.clock.save());
    b.pm.restore(decode(encode(a.pm.save())) as Piix4PmState);
    a.goTo(3e9);
    b.goTo(3e9);
    expect([b.sci(), b.ports.read(0x608, 4)]).toEqual([true, a.ports.read(0x608, 4)]);
    expect(b.pm.save()).toEqual(a.pm.save());
  });
});
