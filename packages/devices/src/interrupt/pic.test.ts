/** Expectations from the 8259A data sheet (Intel 231468) and, for ELCR, the PIIX3 data sheet. */
import { describe, expect, test } from "vitest";
import { PortBus } from "../bus/port-bus.ts";
import { PicPair } from "./pic-pair.ts";

function pc(icw4 = 0x01) {
  const levels: boolean[] = [];
  const pic = new PicPair({ set: (level) => void levels.push(level) });
  const ports = new PortBus();
  pic.attach(ports);
  const out = (port: number, ...values: number[]) => values.forEach((value) => ports.write(port, 1, value));
  const init = (port: number, base: number, icw3: number, mode: number) => {
    out(port, 0x11);
    out(port + 1, base, icw3, mode);
  };
  init(0x20, 0x30, 0x04, icw4);
  init(0xa0, 0x38, 0x02, 0x01);
  const read = (port: number) => ports.read(port, 1);
  const irr = (port: number) => (out(port, 0x0a), read(port));
  const isr = (port: number) => (out(port, 0x0b), read(port));
  return { pic, out, read, irr, isr, levels, ports };
}

describe("8259 pair", () => {
  test("edge: one request per rising edge, vectors from ICW2, INT falls on INTA", () => {
    const { pic, irr, isr, levels } = pc();
    pic.setLine(0, true);
    expect(pic.pending()).toBe(true);
    expect(irr(0x20)).toBe(1);
    expect(pic.acknowledge()).toBe(0x30);
    expect([irr(0x20), isr(0x20), pic.pending()]).toEqual([0, 1, false]);
    pic.setLine(0, true);
    expect(irr(0x20)).toBe(0);
    expect(levels).toEqual([true, false]);
  });

  test("fully nested mode: in service holds back the same and lower priorities only", () => {
    const { pic, out } = pc();
    pic.setLine(3, true);
    expect(pic.acknowledge()).toBe(0x33);
    pic.setLine(4, true);
    expect(pic.pending()).toBe(false);
    pic.setLine(1, true);
    expect(pic.acknowledge()).toBe(0x31);
    out(0x20, 0x20);
    expect(pic.pending()).toBe(false);
    out(0x20, 0x20);
    expect(pic.acknowledge()).toBe(0x34);
  });

  test("the slave comes through input 2, and needs an EOI on both chips", () => {
    const { pic, out, isr } = pc();
    pic.setLine(12, true);
    pic.setLine(8, true);
    expect(pic.acknowledge()).toBe(0x38);
    expect([isr(0x20), isr(0xa0)]).toEqual([4, 1]);
    expect(pic.pending()).toBe(false);
    out(0xa0, 0x20);
    expect(pic.pending()).toBe(false);
    out(0x20, 0x62);
    expect(pic.acknowledge()).toBe(0x3c);
  });

  test("IMR masks, and the request waits", () => {
    const { pic, out, read } = pc();
    out(0x21, 0xff);
    pic.setLine(1, true);
    expect([pic.pending(), read(0x21)]).toEqual([false, 0xff]);
    out(0x21, 0xfd);
    expect(pic.acknowledge()).toBe(0x31);
  });

  test("spurious: a request that goes before INTA gives input 7 without its service", () => {
    const { pic, out, isr } = pc();
    out(0x4d0, 0x20);
    pic.setLine(5, true);
    pic.setLine(5, false);
    expect(pic.acknowledge()).toBe(0x37);
    expect(isr(0x20)).toBe(0);
  });

  test("a request of the slave that is masked before INTA asks no more", () => {
    const { pic, out, isr } = pc(0x11);
    pic.setLine(9, true);
    out(0xa1, 0xff);
    expect(pic.pending()).toBe(false);
    expect(isr(0xa0)).toBe(0);
  });

  test("ELCR: only the inputs a PIIX3 allows; a level asks again after EOI", () => {
    const { pic, out, read } = pc();
    out(0x4d0, 0xff);
    out(0x4d1, 0xff);
    expect([read(0x4d0), read(0x4d1)]).toEqual([0xf8, 0xde]);
    pic.setLine(11, true);
    expect(pic.acknowledge()).toBe(0x3b);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    expect(pic.acknowledge()).toBe(0x3b);
    pic.setLine(11, false);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    expect(pic.pending()).toBe(false);
  });

  test("automatic EOI leaves nothing in service; rotation makes the served input lowest", () => {
    const { pic, out, isr } = pc(0x03);
    out(0x20, 0x80);
    pic.setLine(0, true);
    pic.setLine(1, true);
    expect(pic.acknowledge()).toBe(0x30);
    expect(isr(0x20)).toBe(0);
    pic.setLine(0, false);
    pic.setLine(0, true);
    expect(pic.acknowledge()).toBe(0x31);
    expect(pic.acknowledge()).toBe(0x30);
  });

  test("OCW2: specific EOI, rotate on EOI, set priority", () => {
    const { pic, out, isr } = pc();
    pic.setLine(6, true);
    pic.acknowledge();
    pic.setLine(5, true);
    pic.acknowledge();
    out(0x20, 0x66);
    expect(isr(0x20)).toBe(0x20);
    out(0x20, 0xa0);
    expect(isr(0x20)).toBe(0);
    pic.setLine(6, false);
    pic.setLine(6, true);
    pic.setLine(5, false);
    pic.setLine(5, true);
    expect(pic.acknowledge()).toBe(0x36);
    out(0x20, 0xe6, 0xc7);
    pic.setLine(0, true);
    expect(pic.acknowledge()).toBe(0x30);
  });

  test("special mask mode: a masked input in service lets lower ones through", () => {
    const { pic, out } = pc();
    pic.setLine(1, true);
    pic.acknowledge();
    pic.setLine(6, true);
    expect(pic.pending()).toBe(false);
    out(0x20, 0x68);
    out(0x21, 0x02);
    expect(pic.acknowledge()).toBe(0x36);
  });

  test("special fully nested mode: the slave interrupts itself with a higher priority", () => {
    const { pic } = pc(0x11);
    pic.setLine(12, true);
    expect(pic.acknowledge()).toBe(0x3c);
    pic.setLine(8, true);
    expect(pic.acknowledge()).toBe(0x38);
  });

  test("poll: the next read is an acknowledge", () => {
    const { pic, out, read, isr } = pc();
    pic.setLine(4, true);
    out(0x20, 0x0c);
    expect(read(0x20)).toBe(0x84);
    expect(isr(0x20)).toBe(0x10);
    out(0x20, 0x0c);
    expect(read(0x20)).toBe(0);
  });

  test("ICW1 clears IMR, service and latched edges", () => {
    const { pic, out, read, irr, isr } = pc();
    out(0x21, 0xf0);
    pic.setLine(1, true);
    out(0x20, 0x11);
    expect([irr(0x20), isr(0x20)]).toEqual([0, 0]);
    out(0x21, 0x08, 0x04, 0x01);
    expect(read(0x21)).toBe(0);
  });

  test("goes on from a saved state", () => {
    const { pic } = pc();
    pic.setLine(3, true);
    pic.setLine(10, true);
    pic.acknowledge();
    const other = pc().pic;
    other.restore(pic.save());
    expect(other.pending()).toBe(pic.pending());
    expect(other.save()).toEqual(pic.save());
    expect(other.acknowledge()).toBe(pic.acknowledge());
  });
});
