/** For tests: a whole chipset over 64 KiB of memory, with a log of what it asks of its host. */

import { virtualTime } from "../bus/virtual-time.fixture.ts";
import { PcChipset } from "./pc-chipset.ts";
import type { PcOptions } from "./pc-options.ts";

/** A chipset, its clock, and what it did. */
export function pcMachine(options: Partial<PcOptions> = {}) {
  const time = virtualTime();
  const ram = new Uint8Array(0x10000);
  const log: string[] = [];
  const output: number[] = [];
  const say = (what: string) => () => void log.push(what);
  const pc = new PcChipset({
    clock: time.clock,
    memory: {
      readBytes: (physical, into) => into.forEach((_, i) => (into[i] = ram[physical + i] ?? 0xff)),
      writeBytes: (physical, from) => from.forEach((byte, i) => { if (physical + i < ram.length) ram[physical + i] = byte; }),
    },
    memorySize: { below4G: 256 * 2 ** 20, above4G: 0 },
    wallClock: Date.UTC(2024, 0, 1) / 1000,
    serial: [{ output: (byte) => void output.push(byte) }, { output: () => {} }, { output: () => {} }, { output: () => {} }],
    debugExit: true,
    host: {
      reset: say("reset"), powerOff: say("off"), setA20: (open) => void log.push(`a20 ${open}`), interrupt: say("interrupt"),
      cpuEvents: (cpu) => ({ nmi: say(`nmi ${cpu}`), init: say(`init ${cpu}`), smi: say(`smi ${cpu}`), sipi: (page) => void log.push(`sipi ${cpu} ${page}`) }),
      debugExit: (value) => void log.push(`exit ${value}`), debugOutput: (byte) => void log.push(`debug ${byte}`),
      ignoreNumericError: say("ignne"), shadow: (ranges) => void log.push(`shadow ${ranges.filter((range) => range.readRam).length}`),
    },
    ...options,
  });
  const out = (port: number, value: number, size: 1 | 2 | 4 = 1) => pc.ports.write(port, size, value);
  const read = (port: number, size: 1 | 2 | 4 = 1) => pc.ports.read(port, size);
  return { ...time, pc, ram, log, output, out, read };
}
