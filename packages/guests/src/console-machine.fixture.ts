/**
 * For tests: the embedded guest on a bare CPU with the PC chipset, its time the instruction count, and a terminal on COM1. It is
 * composed here because the packages that make whole machines use this one.
 */
import { Clock, CountTime } from "@doppel/clock";
import { PcChipset } from "@doppel/devices";
import { type EntryState, loadMultiboot } from "@doppel/firmware";
import { type BareMachine, bareMachine } from "@doppel/testkit";
import { embeddedGuest } from "./embedded-guest.ts";

const RAM = 8 << 20;
const GENERAL = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"] as const;

/** What a test may do with the machine. */
export interface ConsoleMachine extends BareMachine {
  readonly chipset: PcChipset;
  /** Everything sent on COM1, without carriage returns. */
  readonly sent: () => string;
  /** Runs until `text` has been sent since the last call, and gives what was sent up to there. Gives up after some virtual seconds. */
  readonly waitFor: (text: string) => string;
  /** Types on COM1, as fast as the guest reads. */
  readonly type: (text: string) => void;
  /** Types a line, and gives what the guest says to it, up to the next prompt. */
  readonly ask: (line: string) => string;
  /** Runs until the guest has ended the machine, and says how. */
  readonly untilEnd: () => string;
  /** Runs for a time in virtual milliseconds. */
  readonly runFor: (milliseconds: number) => void;
}

/** Starts the guest; nothing has run yet. */
export function consoleMachine(commandLine = ""): ConsoleMachine {
  let output = "";
  let read = 0;
  let ended = "";
  let typed: number[] = [];
  const end = (how: string): void => {
    ended ||= how;
    machine.engine.requestExit();
  };
  const feed = (): void => void (typed = typed.slice(chipset.serial[0]!.input(Uint8Array.from(typed))));
  const machine: BareMachine = bareMachine({
    ram: RAM,
    bus: {
      readPort: (port, size) => afterwards(chipset.ports.read(port, size as 1 | 2 | 4)),
      writePort: (port, size, value) => afterwards(chipset.ports.write(port, size as 1 | 2 | 4, value)),
      readMmio: (physical, size) => chipset.memory.read(physical, size as 1 | 2 | 4),
      writeMmio: (physical, size, value) => chipset.memory.write(physical, size as 1 | 2 | 4, value),
    },
    interrupts: { pending: () => chipset.interrupts(0).pending(), acknowledge: () => chipset.interrupts(0).acknowledge() },
  });
  // A device may have armed a timer that is earlier than the end of the slice.
  const afterwards = <T>(value: T): T => (machine.engine.requestExit(), value);
  const { engine, physical, cpu } = machine;
  const clock = new Clock(new CountTime(() => engine.retired));
  const chipset = new PcChipset({
    clock, memory: physical, memorySize: { below4G: RAM, above4G: 0 }, wallClock: Date.UTC(2024, 1, 29, 23, 59, 58) / 1000, debugExit: true,
    serial: [{ output: (byte) => void (byte === 13 || (output += String.fromCharCode(byte))), ready: feed }],
    host: {
      reset: () => end("reset"), powerOff: () => end("power-off"), debugExit: (value) => end(`exit ${value}`), setA20: (open) => cpu.mmu.setA20(open),
      interrupt: () => {}, cpuEvents: () => ({ nmi() {}, init() {}, smi() {}, sipi() {} }),
    },
  });
  // A bare machine has no clock, and so a time stamp that stands still.
  (cpu as { timestamp: () => number }).timestamp = () => clock.now();
  for (let page = 0xa0; page < 0xc0; page++) physical.unmap(page);
  chipset.presetAsFirmware();
  cpu.mmu.setA20(true);
  enter(machine, loadMultiboot({ image: embeddedGuest().image, memorySize: RAM, commandLine, write: (at, bytes) => physical.load(at, bytes) }));

  const runUntil = (done: () => boolean, milliseconds: number): void => {
    const limit = clock.now() + milliseconds * 1e6;
    while (!done() && ended === "" && clock.now() < limit) {
      clock.runDue();
      const { reason } = engine.run(Math.max(1, Math.min(100_000, Math.ceil(clock.nextDeadline() - clock.now()))));
      if (reason === "shutdown") ended = "shutdown";
      if (reason === "halted") clock.advanceTo(Math.min(clock.nextDeadline(), limit));
    }
  };
  const waitFor = (text: string): string => {
    runUntil(() => output.includes(text, read), 10_000);
    const at = output.indexOf(text, read);
    if (at < 0) throw new Error(`"${text}" did not come; there came: ${output.slice(read)}`);
    const before = output.slice(read, at);
    read = at + text.length;
    return before;
  };
  const type = (text: string): void => {
    typed.push(...new TextEncoder().encode(text));
    feed();
  };
  const ask = (line: string): string => {
    type(`${line}\r`);
    waitFor(`${line}\n`);
    return waitFor(embeddedGuest().prompt);
  };
  const untilEnd = (): string => (runUntil(() => false, 10_000), ended);
  return { ...machine, chipset, sent: () => output, waitFor, type, ask, untilEnd, runFor: (milliseconds) => runUntil(() => false, milliseconds) };
}

function enter({ cpu }: BareMachine, entry: EntryState): void {
  GENERAL.forEach((name, n) => cpu.state.setGpr32(n, entry.registers[name]));
  SEGMENTS.forEach((name, n) => {
    const { selector, base, limit, attributes } = entry.segments[name];
    cpu.state.setSelector(n, selector);
    cpu.state.setSegmentBase(n, base);
    cpu.state.setSegmentLimit(n, limit);
    cpu.state.setSegmentAttributes(n, attributes);
  });
  Object.assign(cpu.gdtr, entry.gdt);
  Object.assign(cpu.idtr, entry.idt);
  cpu.cr0 = entry.cr0;
  cpu.state.rip = entry.registers.eip;
  cpu.state.eflags = entry.registers.eflags;
  cpu.applyPaging();
  cpu.deriveSegments();
}
