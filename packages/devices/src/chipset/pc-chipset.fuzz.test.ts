/** Whatever a guest does to the ports and addresses of the chipset, nothing throws, and two runs agree; so do runs across a save. */
import { decode, encode } from "@doppel/persist";
import { describe, expect, test } from "vitest";
import type { PcChipsetState } from "./pc-chipset.ts";
import { pcMachine } from "./pc-machine.fixture.ts";

const SIZES = [1, 2, 4] as const;

/** Marsaglia's xorshift32. */
function generator(seed: number) {
  return (below: number) => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) % below;
  };
}

type Machine = ReturnType<typeof pcMachine>;

/** One random act of a guest or a host; a hash of what it saw. */
function act(m: Machine, next: (below: number) => number): number {
  const claims = m.pc.ports.ranges();
  const claim = claims[next(claims.length)];
  const port = next(8) === 0 ? next(0x10000) : claim.first + next(claim.size);
  const windows = m.pc.memory.ranges();
  const window = windows[next(windows.length)];
  const address = window.first + (next(2) === 0 ? next(window.size) : next(Math.min(window.size, 0x400) >> 4) * 16);
  const size = SIZES[next(3)];
  const value = next(3) === 0 ? next(256) : next(2 ** 32);
  switch (next(12)) {
    case 0: case 1: case 2: return m.pc.ports.read(port, size);
    case 3: case 4: case 5: m.pc.ports.write(port, size, value); return 0;
    case 6: return m.pc.memory.read(address, size);
    case 7: m.pc.memory.write(address, size, value); return 0;
    case 8: m.advance(next(3) === 0 ? next(50_000_000) : next(50_000)); return 0;
    case 9: return m.pc.interrupts(0).pending() ? m.pc.interrupts(0).acknowledge() : -1;
    case 10: return m.pc.serial[next(4)]?.input(Uint8Array.from({ length: next(40) }, (_, i) => i)) ?? 0;
    default:
      m.pc.mouse.move(next(600) - 300, next(600) - 300, next(20) - 10, next(32));
      m.pc.pressPowerButton();
      return m.pc.keyboard.key(["KeyA", "Pause", "ArrowUp", "PrintScreen"][next(4)], next(2) === 0) ? 1 : 0;
  }
}

function run(m: Machine, next: (below: number) => number, steps: number): number {
  let hash = 0;
  for (let i = 0; i < steps; i++) hash = (Math.imul(hash, 31) + act(m, next)) | 0;
  return hash;
}

describe.each([1, 2, 3, 4, 5, 6])("seed %d", (seed) => {
  test("two runs agree, and so does one across a save and a restore", () => {
    const options = { cpus: seed % 2 === 0 ? 2 : 1, apic: seed !== 3 };
    const [a, b] = [pcMachine(options), pcMachine(options)];
    const [nextA, nextB] = [generator(seed), generator(seed)];
    expect(run(a, nextA, 6000)).toBe(run(b, nextB, 6000));
    const saved = encode(a.pc.save());
    expect(encode(b.pc.save())).toEqual(saved);
    const c = pcMachine(options);
    c.clock.restore(b.clock.save());
    c.ram.set(b.ram);
    c.pc.restore(decode(saved) as PcChipsetState);
    expect(encode(c.pc.save())).toEqual(saved);
    expect(run(c, nextB, 6000)).toBe(run(a, nextA, 6000));
    expect(encode(c.pc.save())).toEqual(encode(a.pc.save()));
    expect(c.clock.pending).toBe(a.clock.pending);
  });
});
