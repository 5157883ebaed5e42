/**
 * A whole machine as bytes, and back: options that shape it, processors, clock, chipset, what it was booted from, RAM. What depends
 * on something else comes behind it: time stamps hang on the clock, and a deterministic clock on the instruction counts.
 */
import type { MultiprocessorState } from "@doppel/cpu";
import type { PcChipsetState } from "@doppel/devices";
import { PAGE_SIZE } from "@doppel/memory";
import { conform, decode, encode, type PersistValue } from "@doppel/persist";
import { MachineError } from "./errors.ts";
import { restoreBoot, saveBoot } from "./saved-boot.ts";
import { StateHash } from "./state-hash.ts";
import { type CpuName, DEFAULT_CPU } from "./cpu-name.ts";
import type { BootSource, VirtualMachine } from "./virtual-machine.ts";

const FORMAT = "doppel-machine";
const VERSION = 3;

type Saved = Record<string, PersistValue>;

/** What must be the same in the machine that saved and the one that goes on. */
function shape({ options, processors }: VirtualMachine): Saved {
  return {
    memory: options.memory, cpu: options.cpu ?? DEFAULT_CPU, cpus: processors.processors.length, deterministic: options.deterministic === true,
    debugExit: options.debugExit === true, serial: (options.serial ?? []).map((backend) => backend !== undefined),
  };
}

/** Everything but RAM. A pause of the host is no part of it. */
function architecture(vm: VirtualMachine): Saved {
  return {
    format: FORMAT, version: VERSION, ...shape(vm), processors: vm.processors.save(), clock: { now: vm.clock.now(), paused: false },
    chipset: vm.chipset.save() as unknown as PersistValue,
  };
}

/** The machine as bytes. */
export function saveMachine(vm: VirtualMachine): Uint8Array {
  const ram: Uint8Array[] = [];
  // Frames of one run of addresses are saved as one array, which the codec stores without its zeros.
  let from = -1;
  let last = -1;
  const flush = (): void => {
    if (from >= 0) ram.push(vm.frames.arena.u8.subarray(from * PAGE_SIZE, (last + 1) * PAGE_SIZE));
  };
  for (const frame of vm.memory.ramFrames()) {
    if (frame !== last + 1) {
      flush();
      from = frame;
    }
    last = frame;
  }
  flush();
  return encode({ ...architecture(vm), boot: saveBoot(vm.options), ram });
}

function open(bytes: Uint8Array): Saved {
  const state = decode(bytes);
  if (typeof state !== "object" || state === null || (state as Saved)["format"] !== FORMAT || (state as Saved)["version"] !== VERSION) {
    throw new MachineError("MACHINE_STATE", "these bytes are no saved machine of this version; save it again with this version of Doppel");
  }
  return state as Saved;
}

/** Puts saved bytes into a machine of the same shape. */
export function restoreMachine(vm: VirtualMachine, bytes: Uint8Array): void {
  const state = open(bytes);
  for (const [key, own] of Object.entries(shape(vm))) {
    if (JSON.stringify(state[key]) === JSON.stringify(own)) continue;
    throw new MachineError("MACHINE_STATE", `the saved machine has ${key} ${String(state[key])}, this one ${String(own)}; make it with the same options`);
  }
  const frames = [...vm.memory.ramFrames()];
  const ram = state["ram"];
  const isBytes = (piece: PersistValue): piece is Uint8Array => piece instanceof Uint8Array;
  if (!Array.isArray(ram) || !ram.every(isBytes) || ram.reduce((sum, piece) => sum + piece.length, 0) !== frames.length * PAGE_SIZE) {
    throw new MachineError("MACHINE_STATE", "the saved machine's memory is incomplete; the file is damaged");
  }
  const processors = state["processors"] as unknown as MultiprocessorState;
  if (!Array.isArray(processors?.processors) || processors.processors.length !== vm.processors.processors.length) {
    throw new MachineError("MACHINE_STATE", "the saved machine's processors are incomplete; the file is damaged");
  }
  conform(processors.turn, vm.processors.save().turn);
  const clock = conform(state["clock"] as { now: number; paused: boolean }, vm.clock.save());

  let n = 0;
  for (const piece of ram) {
    for (let at = 0; at < piece.length; at += PAGE_SIZE) {
      vm.frames.arena.u8.set(piece.subarray(at, at + PAGE_SIZE), vm.frames.address(frames[n++]!));
    }
  }
  vm.processors.restoreCounts(processors);
  vm.clock.restore(clock);
  vm.processors.restore(processors);
  vm.chipset.restore(state["chipset"] as unknown as PcChipsetState);
}

/** What a saved state says about its machine. */
export interface SavedOptions extends BootSource {
  readonly memory: number;
  readonly cpu: CpuName;
  readonly cpus: number;
  readonly deterministic: boolean;
  readonly debugExit: boolean;
}

/**
 * The options to make a machine that saved bytes fit, and that boots the same again when it is reset.
 * @throws {PersistError} when the bytes are damaged @throws {MachineError} `MACHINE_STATE` when they are no saved machine
 */
export function savedOptions(bytes: Uint8Array): SavedOptions {
  const state = open(bytes);
  return {
    memory: Number(state["memory"]), cpu: state["cpu"] as CpuName, cpus: Number(state["cpus"]), deterministic: state["deterministic"] === true,
    debugExit: state["debugExit"] === true, ...restoreBoot(state["boot"]),
  };
}

/** Hash over architectural state, devices and RAM. */
export function hashMachine(vm: VirtualMachine): string {
  const hash = new StateHash();
  hash.add(encode(architecture(vm)));
  for (const frame of vm.memory.ramFrames()) hash.add(vm.frames.arena.u8.subarray(frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE));
  return hash.digest();
}
