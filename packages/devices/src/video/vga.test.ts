/** Expectations from the IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem". */
import { decode, encode } from "@doppel/persist";
import { describe, expect, test } from "vitest";
import { MmioBus } from "../bus/mmio-bus.ts";
import { PortBus } from "../bus/port-bus.ts";
import { virtualTime } from "../bus/virtual-time.fixture.ts";
import { characterOf } from "./code-page-437.ts";
import { Vga } from "./vga.ts";
import type { VgaState } from "./vga.ts";

function machine() {
  const time = virtualTime();
  const vga = new Vga(time.clock);
  const ports = new PortBus();
  const memory = new MmioBus();
  vga.attach(ports, memory);
  const set = (port: number, index: number, value: number) => ports.write(port, 2, index | (value << 8));
  const get = (port: number, index: number) => (ports.write(port, 1, index), ports.read(port + 1, 1));
  const print = (at: number, text: string) => [...text].forEach((c, i) => memory.write(0xb8000 + 2 * (at + i), 2, 0x0700 | c.charCodeAt(0)));
  return { ...time, vga, ports, memory, set, get, print };
}

describe("VGA text", () => {
  test("80 by 25 cells at B8000h, character and attribute side by side", () => {
    const m = machine();
    m.print(80 + 2, "Hello");
    m.memory.write(0xb8000, 4, 0x1f42_1e41);
    const screen = m.vga.screen();
    expect([screen.columns, screen.rows.length, screen.isText]).toEqual([80, 25, true]);
    expect(screen.rows[0].trimEnd()).toBe("AB");
    expect(screen.rows[1].trimEnd()).toBe("  Hello");
    expect([...screen.cells.subarray(0, 4)]).toEqual([0x41, 0x1e, 0x42, 0x1f]);
    expect(m.memory.read(0xb8000, 4)).toBe(0x1f42_1e41);
    expect(m.memory.read(0xa0000, 1)).toBe(0xff);
    expect([characterOf(0xc9), characterOf(0xb0), characterOf(0xfe), characterOf(0x01)]).toEqual(["╔", "░", "■", "☺"]);
  });

  test("colours come through the palette, the DAC and its mask, and blinking can be switched to bright backgrounds", () => {
    const m = machine();
    const colour = (n: number) => [...m.vga.screen().colours.subarray(3 * n, 3 * n + 3)];
    // 42 and 21 of 63 are the levels of mode 3; brown has half the green.
    expect([colour(0), colour(7), colour(6), colour(15)]).toEqual([[0, 0, 0], [170, 170, 170], [170, 85, 0], [255, 255, 255]]);
    expect(m.vga.screen().blink).toBe(true);
    const attribute = (index: number, value: number) => {
      m.ports.read(0x3da, 1);
      m.ports.write(0x3c0, 1, index | 0x20);
      m.ports.write(0x3c0, 1, value);
    };
    attribute(0x10, 0x04);
    attribute(1, 0x3f);
    expect([colour(1), m.vga.screen().blink]).toEqual([[255, 255, 255], false]);
    m.ports.write(0x3c6, 1, 0x07);
    expect(colour(1)).toEqual([170, 170, 170]);
  });

  test("start address scrolls, and the cursor counts from it", () => {
    const m = machine();
    m.print(160, "top");
    m.set(0x3d4, 0x0c, 0);
    m.set(0x3d4, 0x0d, 160);
    m.set(0x3d4, 0x0e, 0);
    m.set(0x3d4, 0x0f, 163);
    expect(m.vga.screen().rows[0].trimEnd()).toBe("top");
    expect(m.vga.screen().cursor).toEqual({ row: 0, column: 3, visible: true });
    m.set(0x3d4, 0x0a, 0x2d);
    expect(m.vga.screen().cursor.visible).toBe(false);
  });

  test("font writes to plane 2 leave the text alone", () => {
    const m = machine();
    m.print(0, "kept");
    m.set(0x3c4, 2, 0x04);
    m.set(0x3c4, 4, 0x07);
    m.set(0x3ce, 4, 0x02);
    m.set(0x3ce, 5, 0x00);
    m.set(0x3ce, 6, 0x00);
    for (let i = 0; i < 0x2000; i++) m.memory.write(0xa0000 + i, 1, i & 0xff);
    expect(m.memory.read(0xa0041, 1)).toBe(0x41);
    m.set(0x3c4, 2, 0x03);
    m.set(0x3c4, 4, 0x02);
    m.set(0x3ce, 4, 0x00);
    m.set(0x3ce, 5, 0x10);
    m.set(0x3ce, 6, 0x0e);
    expect(m.vga.screen().rows[0].trimEnd()).toBe("kept");
  });

  test("write modes, bit mask and read mode 1 of the graphics controller", () => {
    const m = machine();
    m.set(0x3c4, 2, 0x0f);
    m.set(0x3c4, 4, 0x06);
    m.set(0x3ce, 6, 0x05);
    m.set(0x3ce, 5, 0x02);
    m.set(0x3ce, 8, 0xf0);
    m.memory.read(0xa0000, 1);
    m.memory.write(0xa0000, 1, 0x05);
    m.set(0x3ce, 4, 2);
    expect(m.memory.read(0xa0000, 1) & 0xf0).toBe(0xf0);
    m.set(0x3ce, 4, 1);
    expect(m.memory.read(0xa0000, 1) & 0xf0).toBe(0x00);
    m.set(0x3ce, 5, 0x08);
    m.set(0x3ce, 2, 0x05);
    m.set(0x3ce, 7, 0x0f);
    expect(m.memory.read(0xa0000, 1) & 0xf0).toBe(0xf0);
    m.set(0x3ce, 5, 0x01);
    m.memory.read(0xa0000, 1);
    m.memory.write(0xa0001, 1, 0);
    m.set(0x3ce, 5, 0x00);
    m.set(0x3ce, 4, 2);
    expect(m.memory.read(0xa0001, 1) & 0xf0).toBe(0xf0);
    expect(m.vga.screen().rows).toEqual([]);
  });

  test("CRTC registers 0 to 7 are protected, colour and monochrome ports exclude each other", () => {
    const m = machine();
    m.set(0x3d4, 1, 0x27);
    expect(m.get(0x3d4, 1)).toBe(0x4f);
    m.set(0x3d4, 0x11, 0x0e);
    m.set(0x3d4, 1, 0x27);
    expect([m.get(0x3d4, 1), m.vga.screen().columns]).toEqual([0x27, 40]);
    expect(m.ports.read(0x3b5, 1)).toBe(0xff);
    m.ports.write(0x3c2, 1, 0x66);
    expect([m.ports.read(0x3cc, 1), m.ports.read(0x3d5, 1), m.get(0x3b4, 1)]).toEqual([0x66, 0xff, 0x27]);
  });

  test("attribute flip-flop and DAC", () => {
    const m = machine();
    m.ports.read(0x3da, 1);
    m.ports.write(0x3c0, 1, 0x01);
    m.ports.write(0x3c0, 1, 0x3a);
    m.ports.write(0x3c0, 1, 0x21);
    expect(m.ports.read(0x3c1, 1)).toBe(0x3a);
    m.ports.write(0x3c8, 1, 0x10);
    for (const part of [1, 2, 3]) m.ports.write(0x3c9, 1, part);
    m.ports.write(0x3c7, 1, 0x10);
    expect([1, 2, 3].map(() => m.ports.read(0x3c9, 1))).toEqual([1, 2, 3]);
  });

  test("vertical retrace comes seventy times a second", () => {
    const m = machine();
    let edges = 0;
    let before = 0;
    for (let i = 0; i < 100_000; i++) {
      m.clock.advanceTo(i * 10_000);
      const bit = m.ports.read(0x3da, 1) & 8;
      if (bit !== 0 && before === 0) edges++;
      before = bit;
    }
    expect(edges).toBe(70);
  });

  test("goes on from a saved state", () => {
    const a = machine();
    a.print(5, "saved");
    a.set(0x3d4, 0x0f, 9);
    const b = machine();
    const bytes = encode(a.vga.save());
    expect(bytes.length).toBeLessThan(12_000);
    b.vga.restore(decode(bytes) as VgaState);
    expect(b.vga.screen()).toEqual(a.vga.screen());
    expect(b.vga.save()).toEqual(a.vga.save());
  });
});
