/** Expectations from SDM volume 3, chapter "Advanced Programmable Interrupt Controller", and the 82093AA data sheet. */
import { Clock } from "@doppel/clock";
import { decode, encode } from "@doppel/persist";
import { describe, expect, test } from "vitest";
import { MmioBus } from "../bus/mmio-bus.ts";
import { virtualTime } from "../bus/virtual-time.fixture.ts";
import { ApicTimer } from "./apic-timer.ts";
import { ApicBus } from "./apic-bus.ts";
import { IoApic } from "./io-apic.ts";
import { LocalApic } from "./local-apic.ts";
import type { LocalApicState } from "./local-apic.ts";

const APIC = 0xfee0_0000;
const IO = 0xfec0_0000;

function machine(cpus = 1) {
  const time = virtualTime();
  const memory = new MmioBus();
  const bus = new ApicBus(memory);
  const log: string[] = [];
  const pic = { level: false, pending: () => pic.level, acknowledge: () => ((pic.level = false), 0x30) };
  const apics = Array.from({ length: cpus }, (_, id) => {
    const events = Object.fromEntries((["nmi", "init", "sipi", "smi"] as const).map((name) => [name, (page?: number) => void log.push(`${name}${id}${page === undefined ? "" : ` ${page}`}`)]));
    const apic = new LocalApic({
      id, clock: time.clock, network: bus, cpu: events as never, tscDeadline: (high, low) => (high * 2 ** 32 + low) / 2,
      onPending: () => void log.push(`pending${id}`), ...(id === 0 ? { pic } : {}),
    });
    bus.addLocal(apic);
    return apic;
  });
  const io = new IoApic(bus);
  bus.addListener(io);
  io.attach(memory);
  const read = (register: number) => memory.read(APIC + register, 4);
  const write = (register: number, value: number) => memory.write(APIC + register, 4, value);
  const route = (pin: number, low: number, destination = 0) => {
    memory.write(IO, 4, 0x11 + 2 * pin);
    memory.write(IO + 0x10, 4, destination * 2 ** 24);
    memory.write(IO, 4, 0x10 + 2 * pin);
    memory.write(IO + 0x10, 4, low);
  };
  const entry = (pin: number) => (memory.write(IO, 4, 0x10 + 2 * pin), memory.read(IO + 0x10, 4));
  write(0xf0, 0x1ff);
  return { ...time, memory, bus, apics, apic: apics[0], io, pic, log, read, write, route, entry };
}

describe("local APIC", () => {
  test("reset state (section 10.4.7.1)", () => {
    const m = machine();
    m.apic.reset();
    expect([m.read(0x20), m.read(0x30), m.read(0x80), m.read(0xe0), m.read(0xf0)]).toEqual([0, 0x50014, 0, 0xffff_ffff, 0xff]);
    expect([m.read(0x320), m.read(0x350), m.read(0x360), m.read(0x370)]).toEqual([0x10000, 0x700, 0x10000, 0x10000]);
    expect(m.apic.base).toEqual({ high: 0, low: 0xfee0_0900 });
  });

  test("self IPI: IRR, then ISR, then EOI; PPR holds back the same class and lower", () => {
    const m = machine();
    m.write(0x300, 0x4_0051);
    expect([m.apic.pending(), m.read(0x220), m.log]).toEqual([true, 0x2_0000, ["pending0"]]);
    expect([m.apic.acknowledge(), m.read(0x220), m.read(0x120), m.read(0xa0)]).toEqual([0x51, 0, 0x2_0000, 0x50]);
    m.write(0x300, 0x4_005f);
    m.write(0x300, 0x4_0031);
    expect(m.apic.pending()).toBe(false);
    m.write(0x300, 0x4_0060);
    expect(m.apic.acknowledge()).toBe(0x60);
    m.write(0xb0, 0);
    m.write(0xb0, 0);
    expect([m.apic.acknowledge(), m.read(0xa0)]).toEqual([0x5f, 0x50]);
  });

  test("TPR: a raised priority makes the acknowledge spurious", () => {
    const m = machine();
    m.write(0x300, 0x4_0051);
    m.write(0x80, 0x50);
    expect([m.apic.pending(), m.apic.acknowledge(), m.read(0x220)]).toEqual([false, 0xff, 0x2_0000]);
    m.apic.taskPriority = 4;
    expect([m.apic.pending(), m.read(0x80)]).toEqual([true, 0x40]);
  });

  test("virtual wire: LINT0 as ExtINT passes the 8259, after the APIC's own interrupts", () => {
    const m = machine();
    m.write(0x350, 0x700);
    m.pic.level = true;
    m.apic.setLint(0, true);
    m.write(0x300, 0x4_0040);
    expect([m.apic.acknowledge(), m.apic.pending(), m.apic.acknowledge(), m.apic.pending()]).toEqual([0x40, true, 0x30, false]);
    m.pic.level = true;
    m.write(0x350, 0x1_0700);
    expect(m.apic.pending()).toBe(false);
    m.apic.setBase(0, 0xfee0_0000);
    expect([m.apic.pending(), m.apic.acknowledge()]).toEqual([true, 0x30]);
  });

  test("software disable masks the table and takes no fixed interrupts", () => {
    const m = machine();
    m.write(0x320, 0x20040);
    m.write(0xf0, 0xff);
    expect(m.read(0x320)).toBe(0x30040);
    m.write(0x320, 0x40);
    expect(m.read(0x320)).toBe(0x10040);
    m.write(0x300, 0x4_0051);
    expect(m.apic.pending()).toBe(false);
  });

  test("timer: divide, one-shot, periodic, current count", () => {
    const m = machine();
    m.write(0x3e0, 0x03);
    m.write(0x320, 0x40);
    m.write(0x380, 1000);
    m.advance(8000);
    expect([m.read(0x390), m.apic.pending()]).toEqual([500, false]);
    m.advance(8000);
    expect([m.read(0x390), m.apic.acknowledge()]).toEqual([0, 0x40]);
    m.write(0xb0, 0);
    m.write(0x3e0, 0x0b);
    m.write(0x320, 0x20041);
    m.write(0x380, 50_000);
    const times: number[] = [];
    for (let i = 0; i < 400; i++) {
      m.advance(1000);
      if (!m.apic.pending()) continue;
      times.push(m.clock.now());
      m.apic.acknowledge();
      m.write(0xb0, 0);
    }
    expect(times.map((at) => at - 16_000)).toEqual([50_000, 100_000, 150_000, 200_000, 250_000, 300_000, 350_000, 400_000]);
    m.write(0x380, 0);
    m.advance(1e6);
    expect(m.apic.pending()).toBe(false);
  });

  test("timer: a change of the divisor goes on from the present count", () => {
    const m = machine();
    m.write(0x3e0, 0x0b);
    m.write(0x380, 1000);
    m.advance(400);
    m.write(0x3e0, 0x00);
    expect(m.read(0x390)).toBe(600);
    m.advance(1000);
    expect(m.read(0x390)).toBe(100);
  });

  test("timer: a host that stalls while the guest arms it does not lose the interrupt", () => {
    let ns = 0;
    const clock = new Clock({ now: () => (ns += 1_000_000) });
    const timer = new ApicTimer(clock, "timer", () => Infinity, () => fired++);
    let fired = 0;
    timer.divideConfiguration = 0x0b;
    timer.initialCount = 500_000;
    clock.runDue();
    expect(fired).toBe(1);
    timer.initialCount = 5_000_000;
    timer.divideConfiguration = 0x0b;
    for (let look = 0; look < 10; look++) clock.runDue();
    expect(fired).toBe(2);
  });

  test("timer: TSC-deadline mode is armed by its MSR and disarms itself", () => {
    const m = machine();
    m.apic.setTscDeadline(0, 500);
    expect(m.apic.tscDeadline).toEqual({ high: 0, low: 0 });
    m.write(0x320, 0x40042);
    m.write(0x380, 1);
    m.apic.setTscDeadline(0, 2000);
    m.advance(999);
    expect([m.apic.pending(), m.apic.tscDeadline.low]).toEqual([false, 2000]);
    m.advance(1);
    expect([m.apic.acknowledge(), m.apic.tscDeadline.low]).toEqual([0x42, 0]);
  });

  test("ESR is latched by a write; illegal vectors and registers", () => {
    const m = machine();
    m.write(0x370, 0x44);
    m.write(0x300, 0x4_0005);
    expect([m.read(0x280), m.apic.acknowledge()]).toEqual([0, 0x44]);
    m.write(0x280, 0);
    expect(m.read(0x280)).toBe(0x20);
    m.read(0x3f0);
    m.write(0x280, 0);
    expect(m.read(0x280)).toBe(0x80);
  });

  test("LINT1 as NMI; the page moves with IA32_APIC_BASE", () => {
    const m = machine();
    m.write(0x360, 0x400);
    m.apic.setLint(1, true);
    expect(m.log).toEqual(["nmi0"]);
    m.apic.setBase(0, 0xfed0_0800);
    expect([m.read(0x30), m.memory.read(0xfed0_0030, 4)]).toEqual([0xffff_ffff, 0x50014]);
    expect(m.apic.base.low).toBe(0xfed0_0900);
    expect(m.memory.read(0xfed0_0032, 1)).toBe(0x05);
  });

  test("IPIs to others: INIT, start-up, NMI, shorthands, logical destinations", () => {
    const m = machine(3);
    m.write(0x310, 0x0100_0000);
    m.write(0x300, 0x4500);
    m.write(0x300, 0x4699);
    m.write(0x300, 0xc_0400);
    m.write(0x300, 0x8500);
    expect(m.log).toEqual(["init1", "sipi1 153", "nmi1", "nmi2"]);
    for (const cpu of [1, 2]) {
      m.bus.select(cpu);
      m.write(0xf0, 0x1ff);
      m.write(0xd0, (1 << cpu) * 2 ** 24);
    }
    m.bus.select(0);
    m.write(0x310, 0x0600_0000);
    m.write(0x300, 0x4851);
    expect(m.apics.map((apic) => apic.pending())).toEqual([false, true, true]);
    m.apics[1].acknowledge();
    m.write(0x300, 0x4952);
    expect(m.apics[2].save().vectors.irr[2]).toBe(0x6_0000);
  });

  test("goes on from a saved state", () => {
    const a = machine();
    a.write(0x3e0, 0x0b);
    a.write(0x320, 0x20041);
    a.write(0x380, 50_000);
    a.advance(60_000);
    const b = machine();
    b.clock.restore(a.clock.save());
    b.apic.restore(decode(encode(a.apic.save())) as LocalApicState);
    expect(b.apic.acknowledge()).toBe(a.apic.acknowledge());
    a.advance(100_000);
    b.advance(100_000);
    expect(b.apic.save()).toEqual(a.apic.save());
  });
});

describe("I/O APIC", () => {
  test("identification and redirection entries", () => {
    const m = machine();
    m.memory.write(IO, 4, 1);
    expect(m.memory.read(IO + 0x10, 4)).toBe(0x0017_0020);
    expect(m.entry(23)).toBe(0x10000);
    m.memory.write(IO, 4, 0x80);
    expect(m.memory.read(IO + 0x10, 4)).toBe(0);
  });

  test("edge: one message per rise; masked edges are lost", () => {
    const m = machine();
    m.io.setLine(4, true);
    m.io.setLine(4, false);
    m.route(4, 0x51);
    expect(m.apic.pending()).toBe(false);
    m.io.setLine(4, true);
    expect(m.apic.acknowledge()).toBe(0x51);
    m.write(0xb0, 0);
    m.io.setLine(4, true);
    expect(m.apic.pending()).toBe(false);
  });

  test("level: remote IRR until EOI, then again while the line is asserted", () => {
    const m = machine();
    m.route(9, 0x8061);
    m.io.setLine(9, true);
    expect([m.entry(9), m.apic.acknowledge()]).toEqual([0xc061, 0x61]);
    m.write(0xb0, 0);
    expect(m.apic.acknowledge()).toBe(0x61);
    m.io.setLine(9, false);
    m.write(0xb0, 0);
    expect([m.entry(9), m.apic.pending()]).toEqual([0x8061, false]);
  });

  test("level: a pin that is asserted when it is unmasked asks; switching to edge clears remote IRR", () => {
    const m = machine();
    m.io.setLine(10, true);
    m.route(10, 0x8071);
    expect(m.apic.pending()).toBe(true);
    m.route(10, 0x1_0071);
    expect(m.entry(10)).toBe(0x1_0071);
  });

  test("NMI delivery; lowest priority goes to whom it disturbs least", () => {
    const m = machine(2);
    m.bus.select(1);
    m.write(0xf0, 0x1ff);
    m.bus.select(0);
    m.route(2, 0x400, 1);
    m.io.setLine(2, true);
    expect(m.log).toEqual(["nmi1"]);
    m.write(0x80, 0x20);
    m.route(3, 0x155, 0xff);
    m.io.setLine(3, true);
    expect(m.apics.map((apic) => apic.pending())).toEqual([false, true]);
  });
});
