/** The wiring of a PC: what reaches what. Expectations from the PIIX3 data sheet and from QEMU's `pc` machine, where a test says so. */
import { decode, encode } from "@doppel/persist";
import { describe, expect, test } from "vitest";
import type { PcChipsetState } from "./pc-chipset.ts";
import { pcMachine } from "./pc-machine.fixture.ts";

/** Interrupts delivered within a time, acknowledged and ended at once. */
function take(m: ReturnType<typeof pcMachine>, ns: number, step = 10_000): number[] {
  const vectors: number[] = [];
  for (let passed = 0; passed < ns; passed += step) {
    m.advance(step);
    const source = m.pc.interrupts(0);
    while (source.pending()) {
      const vector = source.acknowledge();
      vectors.push(vector);
      if (vector >= 0x70 && vector < 0x78) m.out(0xa0, 0x20);
      m.out(0x20, 0x20);
    }
  }
  return vectors;
}

describe.each([true, false])("with APIC: %s", (apic) => {
  test("after the firmware's preset the timer ticks 18.2 times a second", () => {
    const m = pcMachine({ apic });
    m.pc.presetAsFirmware();
    expect(take(m, 1e9)).toEqual(new Array(18).fill(0x08));
    expect(m.log).toContain("interrupt");
  });

  test("keyboard, mouse, clock and serial port reach their interrupts", () => {
    const m = pcMachine({ apic });
    m.pc.presetAsFirmware();
    m.out(0x43, 0x30);
    take(m, 10_000);
    m.out(0x21, 0);
    m.out(0xa1, 0);
    m.pc.keyboard.key("KeyA", true);
    expect([take(m, 10_000), m.read(0x60)]).toEqual([[0x09], 0x1e]);
    m.out(0x64, 0x60);
    m.out(0x60, 0x47);
    m.out(0x64, 0xd4);
    m.out(0x60, 0xf2);
    expect(take(m, 10_000)).toEqual([0x74]);
    while ((m.read(0x64) & 1) !== 0) m.read(0x60);
    take(m, 10_000);
    m.out(0x3f9, 0x02);
    expect(take(m, 10_000)).toEqual([0x0c]);
    m.out(0x2f9, 0x02);
    expect(take(m, 10_000)).toEqual([0x0b]);
    m.out(0x70, 0x0b);
    m.out(0x71, 0x12);
    expect(take(m, 1e9)).toEqual([0x70]);
    m.pc.raiseNumericError();
    expect(take(m, 10_000)).toEqual([0x75]);
    m.out(0xf0, 0);
    expect(m.log).toContain("ignne");
  });
});

test("through the I/O APIC the timer comes at pin 2, the others at their own", () => {
  const m = pcMachine();
  m.pc.presetAsFirmware();
  m.out(0x21, 0xff);
  m.out(0xa1, 0xff);
  const route = (pin: number, low: number) => {
    m.pc.memory.write(0xfec0_0000, 4, 0x10 + 2 * pin);
    m.pc.memory.write(0xfec0_0010, 4, low);
  };
  route(2, 0x30);
  route(9, 0x8031);
  const vectors: number[] = [];
  for (let i = 0; i < 3; i++) {
    m.advance(55_000_000);
    while (m.pc.interrupts(0).pending()) vectors.push(m.pc.interrupts(0).acknowledge());
    m.pc.memory.write(0xfee0_00b0, 4, 0);
  }
  expect(vectors).toEqual([0x30, 0x30, 0x30]);
  m.out(0xb2, 0xf1);
  m.out(0x602, 0x100, 2);
  m.pc.pressPowerButton();
  expect(m.pc.interrupts(0).acknowledge()).toBe(0x31);
});

test("the HPET takes the place of the 8254 at both controllers, and a further comparator comes at pin 20", () => {
  const m = pcMachine();
  m.pc.presetAsFirmware();
  const hpet = (offset: number, value: number) => m.pc.memory.write(0xfed0_0000 + offset, 4, value);
  hpet(0x10, 3);
  expect(take(m, 200_000_000)).toEqual([]);
  // Comparator 0: 32 bits, periodic, 10 ms.
  hpet(0x100, 0x14c);
  const now = m.pc.memory.read(0xfed0_00f0, 4);
  hpet(0x108, now + 1_000_000);
  hpet(0x108, 1_000_000);
  expect(take(m, 50_000_000)).toEqual(new Array(5).fill(0x08));
  m.pc.memory.write(0xfec0_0000, 4, 0x10 + 2 * 20);
  m.pc.memory.write(0xfec0_0010, 4, 0x44);
  m.out(0x21, 0xff);
  hpet(0x140, 0x104 | (20 << 9));
  hpet(0x148, m.pc.memory.read(0xfed0_00f0, 4) + 100);
  m.advance(1_000);
  expect(m.pc.interrupts(0).acknowledge()).toBe(0x44);
  expect(m.pc.memory.read(0xfed0_0000, 4)).toBe(0x8086a201);
  expect(pcMachine({ hpet: false }).pc.memory.read(0xfed0_0000, 4)).toBe(0xffff_ffff);
});

test("resets by CF9h, 8042, port 92h; power-off by PM1a control and port 8900h; debug exit", () => {
  const m = pcMachine();
  m.pc.presetAsFirmware();
  m.log.length = 0;
  m.out(0xcf9, 0x06);
  m.out(0x64, 0xfe);
  m.out(0x92, 0x03);
  m.out(0x604, 0x2000, 2);
  m.out(0xf4, 21, 4);
  expect(m.log).toEqual(["reset", "reset", "reset", "off", "exit 21"]);
});

test("A20 belongs to whoever wrote it last, and reads back at both places", () => {
  const m = pcMachine();
  m.out(0x92, 0x00);
  m.out(0x64, 0xd0);
  expect([m.pc.a20, m.read(0x60) & 2, m.read(0x92) & 2]).toEqual([false, 0, 0]);
  m.out(0x64, 0xd1);
  m.out(0x60, 0xdf);
  expect([m.pc.a20, m.read(0x92) & 2, m.log.filter((line) => line.startsWith("a20"))]).toEqual([true, 2, ["a20 false", "a20 true"]]);
});

test("memory size in CMOS and fw_cfg, as on QEMU's pc", () => {
  const m = pcMachine({ memorySize: { below4G: 3 * 2 ** 30, above4G: 5 * 2 ** 30 }, cpus: 2 });
  const cmos = (index: number) => (m.out(0x70, index), m.read(0x71));
  expect([cmos(0x15) | (cmos(0x16) << 8), cmos(0x17) | (cmos(0x18) << 8), cmos(0x34) | (cmos(0x35) << 8)]).toEqual([640, 0xffff, 0xbf00]);
  expect([cmos(0x5b), cmos(0x5c), cmos(0x5d), cmos(0x5f)]).toEqual([0x00, 0x40, 0x01, 1]);
  m.out(0x510, 3, 2);
  expect(Array.from({ length: 8 }, () => m.read(0x511))).toEqual([0, 0, 0, 0, 2, 0, 0, 0]);
  expect(m.pc.fwCfg.files()).toEqual(["etc/e820"]);
});

test("NMI goes through LINT1, unless port 70h masks it", () => {
  const m = pcMachine();
  m.pc.presetAsFirmware();
  m.log.length = 0;
  m.pc.raiseNmi();
  m.out(0x70, 0x80);
  m.pc.raiseNmi();
  expect(m.log).toEqual(["nmi 0"]);
});

test("COM1 and COM3 share IRQ4; a port without a back end is not there", () => {
  const m = pcMachine({ serial: [{ output: () => {} }, undefined, { output: () => {} }] });
  expect([m.read(0x2fd), m.read(0x3ed)]).toEqual([0xff, 0x60]);
  expect([m.pc.serial[1], m.pc.serial.length]).toEqual([undefined, 4]);
});

test("reset brings back the power-on state, but for time, CMOS and the log of POST codes", () => {
  const m = pcMachine();
  const fresh = encode({ ...m.pc.save(), rtc: null });
  m.pc.presetAsFirmware();
  m.out(0x3f9, 0x02);
  m.pc.keyboard.key("KeyA", true);
  m.pc.ports.write(0x80, 1, 5);
  m.pc.reset();
  expect(encode({ ...m.pc.save(), rtc: null })).toEqual(fresh);
});

test("a machine restored from bytes goes on as the one that was saved", () => {
  const a = pcMachine();
  a.pc.presetAsFirmware();
  a.out(0x70, 0x0b);
  a.out(0x71, 0x42);
  a.pc.memory.write(0xfee0_03e0, 4, 0x0b);
  a.pc.memory.write(0xfee0_0320, 4, 0x20040);
  a.pc.memory.write(0xfee0_0380, 4, 777_777);
  a.advance(123_456_789);
  const bytes = encode(a.pc.save());
  const b = pcMachine();
  b.advance(5555);
  b.clock.restore(a.clock.save());
  b.pc.restore(decode(bytes) as PcChipsetState);
  expect(encode(b.pc.save())).toEqual(bytes);
  expect(take(b, 1e8)).toEqual(take(a, 1e8));
  expect(encode(b.pc.save())).toEqual(encode(a.pc.save()));
});

test("a state of another configuration is refused with a sentence", () => {
  const state = pcMachine({ serial: [] }).pc.save();
  expect(() => pcMachine().pc.restore(state)).toThrow("no uarts that fits");
  expect(() => pcMachine().pc.restore({} as PcChipsetState)).toThrow("no pic that fits");
});
