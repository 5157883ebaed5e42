/** A save file is input like any other: numbers in it that no machine ever had never hang or crash the host. */
import type { PersistValue } from "@doppel/persist";
import { expect, test } from "vitest";
import type { PcChipsetState } from "./pc-chipset.ts";
import { pcMachine } from "./pc-machine.fixture.ts";

const ODD = [0, -1, 1, 0.5, 2 ** 32, -(2 ** 31), 2 ** 53, 1e300, -1e300, Infinity, -Infinity];

test("odd numbers anywhere in a state", () => {
  let seed = 99;
  const next = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  const spoil = (value: PersistValue): PersistValue => {
    if (typeof value === "number" && next(12) === 0) return ODD[next(ODD.length)];
    if (value instanceof Uint8Array || value === null || typeof value !== "object") return value;
    if (Array.isArray(value)) return value.map(spoil);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, spoil(item)]));
  };
  for (let i = 0; i < 60; i++) {
    const m = pcMachine();
    m.pc.presetAsFirmware();
    const state = spoil(m.pc.save()) as PcChipsetState;
    m.pc.restore(state);
    m.advance(100_000);
    for (let port = 0; port < 0x800; port++) m.pc.ports.write(port, 1, m.pc.ports.read(port, 1));
    for (const { first, size } of m.pc.memory.ranges()) for (let at = 0; at < size; at += Math.max(4, size >> 8)) m.pc.memory.write(first + at, 4, m.pc.memory.read(first + at, 4));
    m.pc.interrupts(0).acknowledge();
    m.advance(100_000);
    expect(m.pc.screen().isText).toBeTypeOf("boolean");
  }
}, 60_000);
