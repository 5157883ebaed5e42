/** Expectations from the IBM PS/2 Hardware Interface Technical Reference and the Microsoft IntelliMouse specification. */
import { decode, encode } from "@doppel/persist";
import { describe, expect, test } from "vitest";
import { PortBus } from "../bus/port-bus.ts";
import { I8042 } from "./i8042.ts";
import type { I8042State } from "./i8042.ts";
import { KEYS, scanCode, translate } from "./scan-codes.ts";

function machine() {
  const irq = { keyboard: 0, mouse: 0 };
  const log: string[] = [];
  let a20 = true;
  let last = { keyboard: false, mouse: false };
  const line = (name: "keyboard" | "mouse") => ({
    set: (level: boolean) => {
      if (level && !last[name]) irq[name]++;
      last = { ...last, [name]: level };
    },
  });
  const controller = new I8042(line("keyboard"), line("mouse"), {
    a20: { get: () => a20, set: (open) => { a20 = open; log.push(`a20 ${open}`); } },
    reset: () => void log.push("reset"),
    leds: (leds) => void log.push(`leds ${leds}`),
  });
  const ports = new PortBus();
  controller.attach(ports);
  const status = () => ports.read(0x64, 1);
  const command = (...values: number[]) => {
    ports.write(0x64, 1, values[0]);
    for (const value of values.slice(1)) ports.write(0x60, 1, value);
  };
  const keyboard = (...values: number[]) => values.forEach((value) => ports.write(0x60, 1, value));
  const mouse = (...values: number[]) => values.forEach((value) => command(0xd4, value));
  const drain = () => {
    const bytes: number[] = [];
    while ((status() & 1) !== 0) bytes.push(ports.read(0x60, 1));
    return bytes;
  };
  return { controller, ports, irq, log, status, command, keyboard, mouse, drain };
}

describe("8042", () => {
  test("self-test, interface tests, command byte", () => {
    const m = machine();
    m.command(0xaa);
    expect([m.drain(), m.status() & 4]).toEqual([[0x55], 4]);
    m.command(0xab);
    m.command(0xa9);
    expect(m.drain()).toEqual([0, 0]);
    m.command(0x60, 0x65);
    m.command(0x20);
    expect(m.drain()).toEqual([0x65]);
    m.command(0xa8);
    m.command(0x20);
    expect(m.drain()).toEqual([0x45]);
  });

  test("IRQ1 while a key is in the buffer; the last byte is read again from an empty one", () => {
    const m = machine();
    m.command(0x60, 0x41);
    m.controller.keyboard.key("KeyA", true);
    expect([m.irq.keyboard, m.status() & 0x21]).toEqual([1, 0x01]);
    expect([m.ports.read(0x60, 1), m.status() & 1, m.ports.read(0x60, 1)]).toEqual([0x1e, 0, 0x1e]);
    m.controller.keyboard.key("KeyA", false);
    expect(m.drain()).toEqual([0x9e]);
    m.command(0x60, 0x51);
    m.controller.keyboard.key("KeyB", true);
    expect(m.status() & 1).toBe(0);
    m.command(0xae);
    expect(m.drain()).toEqual([0x30]);
  });

  test("translation of set 2 gives set 1 for every key", () => {
    for (const [name, [set1]] of Object.entries(KEYS)) {
      const last = (scanCode(name, 2, true) as number[]).at(-1) as number;
      expect(translate(last), name).toBe(set1 & 0xff);
    }
    const m = machine();
    m.command(0x60, 0x41);
    for (const down of [true, false]) for (const name of ["ArrowUp", "PrintScreen"]) m.controller.keyboard.key(name, down);
    expect(m.drain()).toEqual([0xe0, 0x48, 0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xc8, 0xe0, 0xb7, 0xe0, 0xaa]);
    m.controller.keyboard.key("Pause", true);
    expect(m.drain()).toEqual([0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]);
  });

  test("keyboard commands: echo, identify, reset, LEDs, scan sets, disable", () => {
    const m = machine();
    m.command(0x60, 0x01);
    m.keyboard(0xee, 0xf2);
    expect(m.drain()).toEqual([0xee, 0xfa, 0xab, 0x83]);
    m.keyboard(0xff);
    expect(m.drain()).toEqual([0xfa, 0xaa]);
    m.keyboard(0xed, 0x05, 0xf3, 0x20, 0x02);
    expect([m.drain(), m.log]).toEqual([[0xfa, 0xfa, 0xfa, 0xfa, 0xfe], ["leds 0", "leds 5"]]);
    m.keyboard(0xf0, 0x03, 0xf0, 0x00);
    expect(m.drain()).toEqual([0xfa, 0xfa, 0xfa, 0xfa, 0x03]);
    m.controller.keyboard.key("ControlRight", true);
    m.controller.keyboard.key("ControlRight", false);
    expect(m.drain()).toEqual([0x58, 0xf0, 0x58]);
    m.keyboard(0xf5);
    expect([m.controller.keyboard.key("KeyA", true), m.drain()]).toEqual([false, [0xfa]]);
    m.keyboard(0xf4);
    expect([m.controller.keyboard.key("KeyA", true), m.drain()]).toEqual([true, [0xfa, 0x1c]]);
    expect(m.controller.keyboard.key("NoSuchKey", true)).toBe(false);
    expect(m.controller.keyboard.key("toString", true)).toBe(false);
    m.command(0x60, 0x41);
    m.keyboard(0xf2);
    expect(m.drain()).toEqual([0xfa, 0xab, 0x41]);
  });

  test("mouse: reset, identification by the knock, packets, IRQ12", () => {
    const m = machine();
    m.command(0x60, 0x03);
    m.mouse(0xff);
    expect([m.status() & 0x21, m.irq.mouse]).toEqual([0x21, 1]);
    expect(m.drain()).toEqual([0xfa, 0xaa, 0x00]);
    m.mouse(0xf4);
    m.drain();
    m.controller.mouse.move(5, 3, 0, 1);
    expect(m.drain()).toEqual([0x29, 5, 0xfd]);
    m.mouse(0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf2);
    expect(m.drain().at(-1)).toBe(3);
    m.controller.mouse.move(-300, 0, -1, 0);
    expect(m.drain()).toEqual([0x18, 0x01, 0x00, 0xff, 0x18, 0xd3, 0x00, 0x00]);
    m.controller.mouse.move(0, 0, 0, 6);
    m.mouse(0xe9);
    expect(m.drain().slice(4)).toEqual([0xfa, 0x23, 2, 80]);
  });

  test("mouse: remote and wrap modes", () => {
    const m = machine();
    m.mouse(0xf4, 0xf0);
    m.drain();
    m.controller.mouse.move(1, 0, 0, 0);
    expect(m.drain()).toEqual([]);
    m.mouse(0xeb);
    expect(m.drain()).toEqual([0xfa, 0x08, 1, 0]);
    m.mouse(0xee, 0x12, 0xec);
    expect(m.drain()).toEqual([0xfa, 0x12, 0xfa]);
  });

  test("output port: A20, reset pulse, and bytes put into the buffer", () => {
    const m = machine();
    m.command(0xd1, 0xdd);
    m.command(0xd0);
    expect([m.log, m.drain()]).toEqual([["a20 false"], [0xcd]]);
    m.command(0xdf);
    m.command(0xfe);
    m.command(0xd1, 0x02);
    expect(m.log.slice(1)).toEqual(["a20 true", "reset", "a20 true", "reset"]);
    m.command(0xd2, 0x77);
    expect([m.status() & 0x21, m.drain()]).toEqual([1, [0x77]]);
    m.command(0xd3, 0x88);
    expect([m.status() & 0x21, m.drain()]).toEqual([0x21, [0x88]]);
  });

  test("a guest that never reads does not fill the host", () => {
    const m = machine();
    for (let i = 0; i < 5000; i++) {
      m.command(0x20);
      m.keyboard(0xf2);
      m.mouse(0xe9);
    }
    expect(encode(m.controller.save()).length).toBeLessThan(4000);
  });

  test("goes on from a saved state", () => {
    const a = machine();
    a.command(0x60, 0x43);
    a.mouse(0xf4);
    a.controller.keyboard.key("KeyA", true);
    a.controller.keyboard.key("Pause", true);
    a.controller.mouse.move(5, 5, 0, 2);
    a.ports.read(0x60, 1);
    const b = machine();
    b.controller.restore(decode(encode(a.controller.save())) as I8042State);
    expect(b.drain()).toEqual(a.drain());
    expect(b.controller.save()).toEqual(a.controller.save());
  });
});
