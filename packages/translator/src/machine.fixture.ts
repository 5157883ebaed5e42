/** For tests: a machine in flat protected mode or in 64-bit mode with a program in it, with the translator or without. */
import { CPU_MODELS } from "@doppel/cpu";
import { bareMachine, enterFlatMode } from "@doppel/testkit";
import { assemble, CR4_OSFXSR, CR4_OSXMMEXCPT } from "@doppel/x86";
import { Translator } from "./index.ts";

export const CODE = 0x1000;
export const STACK = 0x8000;
export const DATA = 0x4000;

export type Bits = 32 | 64;

/** Makes it; every block that is decoded becomes a region at once. @param pairs fused pairs from the first instruction on @param grows blocks in a region become entries of it */
export function machine(source: string, bits: Bits, translate: boolean, pairs = true, grows = true) {
  const made = bareMachine({ model: CPU_MODELS.max, pairs });
  const { cpu, engine, physical } = made;
  cpu.cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
  enterFlatMode(cpu, bits);
  cpu.state.rip = CODE;
  cpu.state.setGpr64(4, STACK, 0);
  physical.load(CODE, assemble(source, { bits, origin: CODE }));
  const translator = translate ? new Translator({ engine, memory: physical.frames.arena.memory, threshold: 0, growsAtOnce: grows, longest: 64 }) : undefined;
  return { ...made, translator };
}

/** Everything that the program could see. */
export function outcome({ cpu, engine, physical }: ReturnType<typeof machine>): unknown {
  const memory = new Uint8Array(0x8000);
  physical.readBytes(0x800, memory);
  const registers = Array.from({ length: 16 }, (_, n) => [cpu.state.gprHigh(n), cpu.state.gpr32(n) >>> 0]);
  const vectors = Array.from({ length: 16 }, (_, n) => [...cpu.state.xmm(n)]);
  return { registers, vectors, mxcsr: cpu.state.mxcsr, flags: cpu.state.eflags, rip: cpu.state.rip, retired: engine.retired, activity: cpu.activity, memory };
}
