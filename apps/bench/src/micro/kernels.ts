/** The micro-kernels as a guest that every engine boots: what each is called, what one round of it is, and how many rounds are measured. */
import type { BenchGuest, Workload } from "../workload.ts";
import { assembleMicroKernels } from "./image.ts";

interface Kernel { readonly name: string; readonly rounds: number; readonly says: string }

/** Counts with which QEMU's TCG takes about a second. */
const kernels = (bits: 32 | 64): Kernel[] => [
  { name: "alu", rounds: 100_000_000, says: "rounds of dependent arithmetic in registers" },
  { name: "calls", rounds: 25_000_000, says: "x three calls and returns" },
  { name: "indirect", rounds: 20_000_000, says: "indirect calls in no order" },
  { name: "int80", rounds: 4_000_000, says: "system calls by INT 80h and IRET" },
  bits === 32
    ? { name: "sysenter", rounds: 8_000_000, says: "system calls by SYSENTER and SYSEXIT" }
    : { name: "syscall", rounds: 8_000_000, says: "system calls by SYSCALL and SYSRET" },
  { name: "switch", rounds: 200_000, says: "x two address spaces by CR3, four pages touched in each" },
  { name: "fault", rounds: 3_000, says: "x 256 page faults on demand, and 256 INVLPG" },
  { name: "stride", rounds: 8_000_000, says: "loads and stores, each in another one of 8192 pages" },
  { name: "smc", rounds: 100_000, says: "times code is written and called" },
  { name: "port", rounds: 4_000_000, says: "x OUT and IN at the interrupt controller" },
  { name: "interrupt", rounds: 800_000, says: "interrupts of the serial port, acknowledged" },
];

/** The micro-kernels in 32 or 64 bits. `scale` divides the rounds. */
export function microGuest(bits: 32 | 64, scale: number): BenchGuest {
  const list = kernels(bits);
  const workloads = list.map(({ name, rounds, says }): Workload => {
    const count = Math.max(1, Math.round(rounds / scale));
    return { name, says: `${count} ${says}`, command: `${name} ${count}`, begin: "ready", go: "", answer: /= (.+?)\r?\n/ };
  });
  return {
    name: bits === 32 ? "micro" : "micro-64", architecture: bits === 32 ? "i386" : "amd64", versions: {},
    kernel: assembleMicroKernels(bits, list.map(({ name }) => name)), protocol: "multiboot", memory: 128, banner: "micro> ", prompt: "micro> ", workloads,
  };
}
