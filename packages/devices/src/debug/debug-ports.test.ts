/** Expectations from the behaviour of QEMU's `isa-debug-exit`, `isa-debugcon` and `pc-testdev`, and of Bochs' port 8900h. */
import { expect, test } from "vitest";
import { MmioBus } from "../bus/mmio-bus.ts";
import { PortBus } from "../bus/port-bus.ts";
import { DebugPorts } from "./debug-ports.ts";

function machine() {
  const ports = new PortBus();
  const memory = new MmioBus();
  const log: string[] = [];
  const irqs = Array.from({ length: 24 }, (_, n) => ({ set: (level: boolean) => void log.push(`irq${n} ${level}`) }));
  const device = new DebugPorts({ output: (byte) => void log.push(`out ${byte}`), exit: (value) => void log.push(`exit ${value}`), shutdown: () => void log.push("shutdown") }, irqs);
  device.attach(ports, memory);
  device.attachExit(ports);
  return { ports, memory, log, device };
}

test("E9h and 402h output bytes and say that they are there", () => {
  const { ports, log } = machine();
  ports.write(0xe9, 1, 65);
  ports.write(0x402, 1, 66);
  expect([log, ports.read(0xe9, 1), ports.read(0x402, 1)]).toEqual([["out 65", "out 66"], 0xe9, 0xe9]);
});

test("F4h takes a doubleword, a word or a byte", () => {
  const { ports, log } = machine();
  ports.write(0xf4, 4, 0x1234_5678);
  ports.write(0xf4, 1, 0x10);
  expect(log).toEqual(["exit 305419896", "exit 16"]);
});

test("8900h ends the machine when Shutdown is spelled", () => {
  const { ports, log } = machine();
  for (const letter of "ShutSShutdow") ports.write(0x8900, 1, letter.charCodeAt(0));
  expect(log).toEqual([]);
  ports.write(0x8900, 1, "n".charCodeAt(0));
  expect(log).toEqual(["shutdown"]);
});

test("pc-testdev: scratch at any width, interrupt lines by value", () => {
  const { ports, memory, log, device } = machine();
  ports.write(0xe0, 4, 0xdead_beef);
  expect([ports.read(0xe0, 4), ports.read(0xe1, 2), ports.read(0xe3, 1)]).toEqual([0xdead_beef, 0xadbe, 0xde]);
  ports.write(0xe1, 1, 0x11);
  expect(ports.read(0xe0, 4)).toBe(0xdead_11ef);
  ports.write(0x2005, 1, 1);
  ports.write(0x2017, 1, 0);
  expect(log).toEqual(["irq5 true", "irq23 false"]);
  memory.write(0xff00_0010, 4, 0x0102_0304);
  const other = machine();
  other.device.restore(device.save());
  expect(other.memory.read(0xff00_0010, 4)).toBe(0x0102_0304);
});
