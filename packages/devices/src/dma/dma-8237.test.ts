/** Expectations from the 8237A data sheet (Intel 231466). */
import { expect, test } from "vitest";
import { PortBus } from "../bus/port-bus.ts";
import { Dma } from "./dma-8237.ts";

function machine() {
  const ports = new PortBus();
  const codes: number[] = [];
  const dma = new Dma((code) => void codes.push(code));
  dma.attach(ports);
  return { ports, dma, codes };
}

test("the flip-flop orders the bytes of address and count, and is cleared at 0Ch", () => {
  const { ports } = machine();
  ports.write(0x0c, 1, 0);
  ports.write(0x04, 1, 0x34);
  ports.write(0x04, 1, 0x12);
  ports.write(0x05, 1, 0xff);
  ports.write(0x0c, 1, 0);
  expect([ports.read(0x04, 1), ports.read(0x04, 1), ports.read(0x05, 1)]).toEqual([0x34, 0x12, 0xff]);
  ports.write(0xd8, 1, 0);
  ports.write(0xc4, 1, 0x78);
  ports.write(0xc4, 1, 0x56);
  expect([ports.read(0xc4, 1), ports.read(0xc4, 1)]).toEqual([0x78, 0x56]);
});

test("mask register: single bits, all, master clear", () => {
  const { ports } = machine();
  ports.write(0x0e, 1, 0);
  ports.write(0x0a, 1, 0x06);
  expect(ports.read(0x0f, 1)).toBe(0xf4);
  ports.write(0x0d, 1, 0);
  expect(ports.read(0x0f, 1)).toBe(0xff);
});

test("page registers keep their bytes, port 80h tells its own, and the state comes back", () => {
  const { ports, dma, codes } = machine();
  ports.write(0x80, 1, 0xaa);
  ports.write(0x87, 1, 0x12);
  expect([codes, ports.read(0x87, 1), dma.postCode]).toEqual([[0xaa], 0x12, 0xaa]);
  const other = machine();
  other.dma.restore(dma.save());
  expect(other.ports.read(0x87, 1)).toBe(0x12);
});
