/** The programs by name, with what one round of each is and how many are measured. */
import { COREMARK_LIKE, DHRYSTONE_LIKE } from "./compiled.ts";
import { assembleElf } from "./image.ts";
import { CHASE, SELF_MODIFYING } from "./memory.ts";
import { N_BODY_SSE2, N_BODY_X87 } from "./n-body.ts";
import { FAULTS, GETPPID, PIPE } from "./system.ts";

interface Program {
  readonly name: string;
  readonly source: string;
  readonly rounds: number;
  /** Zeroed memory that it has: names, and multiples of 16 bytes. */
  readonly memory: Readonly<Record<string, number>>;
  says(rounds: number): string;
}

const PROGRAMS: readonly Program[] = [
  {
    name: "dhrystone", source: DHRYSTONE_LIKE, rounds: 3_000_000, says: (rounds) => `${rounds} rounds of calls, strings, records and arrays, like Dhrystone`,
    memory: { left: 16, number: 16, buffer: 32, other_record: 48, array: 512, table: 4096 },
  },
  {
    name: "coremark", source: COREMARK_LIKE, rounds: 50_000, says: (rounds) => `${rounds} rounds of list, matrix, state machine and CRC, like CoreMark`,
    memory: { left: 16, sum: 16, total: 16, list: 16, nodes: 1024, matrix_a: 288, matrix_b: 304 },
  },
  { name: "n-body-x87", source: N_BODY_X87, rounds: 100_000, says: (rounds) => `n-body with x87, ${rounds} steps`, memory: { left: 16, difference: 32, pull: 16, push_: 16 } },
  { name: "n-body-sse2", source: N_BODY_SSE2, rounds: 250_000, says: (rounds) => `n-body with SSE2, ${rounds} steps`, memory: { left: 16 } },
  { name: "pointer-chase", source: CHASE, rounds: 8_000_000, says: (rounds) => `${rounds} pointers through 32 MiB`, memory: {} },
  { name: "getppid", source: GETPPID, rounds: 1_500_000, says: (rounds) => `getppid x ${rounds}`, memory: { left: 16, sum: 16, first: 16 } },
  { name: "page-faults", source: FAULTS, rounds: 160, says: (rounds) => `${rounds} x 1024 page faults`, memory: { left: 16, sum: 16 } },
  { name: "self-modifying", source: SELF_MODIFYING, rounds: 100_000, says: (rounds) => `${rounds} x code written and called`, memory: {} },
  { name: "pipe", source: PIPE, rounds: 30_000, says: (rounds) => `${rounds} round trips through two pipes`, memory: { left: 16, sum: 16, there: 16, back: 16, cell: 16 } },
];

/** A program as a file of the guest. */
export interface ProgramFile {
  readonly name: string;
  readonly says: string;
  readonly file: Uint8Array;
}

/** All programs, for i386 or amd64. `scale` divides the rounds. */
export function programFiles(bits: 32 | 64, scale: number): ProgramFile[] {
  return PROGRAMS.map(({ name, source, rounds, memory, says }) => {
    const count = Math.max(1, Math.round(rounds / scale));
    return { name, says: says(count), file: assembleElf(bits, source, memory, count) };
  });
}
