/**
 * Random programs in 64-bit code, executed one instruction at a time and in one piece: the second way runs fused pairs, linked jumps and
 * whole blocks, the first does not, and both must end alike.
 */
import { ACTIVE, layout } from "@doppel/cpu";
import { assemble } from "@doppel/x86";
import { type BareMachine, bareMachine } from "./bare-machine.ts";
import { Random } from "./host-vectors-random.ts";
import { randomLong } from "./long-vectors-cases.ts";

const START = 0x1000;
const DATA = 0x3000;
const DATA_SIZE = 0x6000;
const GENERATED = 24;
/** Instructions executed; the program ends in a jump to itself. */
const STEPS = 70;
const CODE64 = 0x00af9b00;
const FLAT_DATA = 0x00cf9300;
const PE = 1;
const EFER_LONG = 0x500;
const ARITHMETIC_FLAGS = 0x8d5;

/** General registers by size; RSP and RBP keep their addresses, R15 is a small index. */
const NAMES: Readonly<Record<number, readonly string[]>> = {
  8: ["rax", "rcx", "rdx", "rbx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"],
  4: ["eax", "ecx", "edx", "ebx", "esi", "edi", "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d"],
  2: ["ax", "cx", "dx", "bx", "si", "di", "r8w", "r9w"],
  1: ["al", "cl", "dl", "bl", "sil", "dil", "r8b", "r14b"],
};
const WORDS: Readonly<Record<number, string>> = { 8: "qword", 4: "dword", 2: "word", 1: "byte" };
const ARITHMETIC = ["add", "sub", "cmp", "cmp", "and", "or", "xor", "adc", "sbb", "mov", "mov"];
const BEFORE_JUMPS = ["cmp", "test", "sub", "add", "and", "or", "xor"];
const CONDITIONS = ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"];
const PLACES = ["[rbp+8]", "[rbp+r15+16]", "[rel data]", "[rbp-24]", "[rbp]"];

function instruction(random: Random, n: number): string[] {
  const size = random.pick([8, 8, 4, 4, 2, 1]);
  const register = (): string => random.pick(NAMES[size]!);
  const wide = (): string => random.pick(NAMES[8]!.slice(0, 13));
  const name = random.pick(ARITHMETIC);
  const number = size === 1 ? random.below(256) - 128 : (random.next() | 0) >> (random.below(16) + (size === 2 ? 16 : 0));
  const skipped = (): string[] => [`j${random.pick(CONDITIONS)} over${n}`, `mov ${random.pick(NAMES[4]!)}, ${random.below(1000)}`, `over${n}:`];
  switch (random.below(9)) {
    case 0: case 1: return [`${name} ${register()}, ${register()}`];
    case 2: return [`${name} ${register()}, ${number}`];
    case 3: return [`${name} ${register()}, ${random.pick(PLACES)}`];
    case 4: return [`${name} ${WORDS[size]} ${random.pick(PLACES)}, ${register()}`];
    case 5: return [random.pick([`inc ${register()}`, `dec ${register()}`, `push ${wide()}`, `pop ${wide()}`, `lea ${wide()}, [rbp+${random.below(64)}]`, "call $+5"])];
    case 6: return [random.pick([
      `movzx ${random.pick(NAMES[4]!)}, ${random.pick(NAMES[1]!)}`, `movsxd ${wide()}, ${random.pick(NAMES[4]!)}`, `shl ${register()}, ${random.below(40)}`,
      `set${random.pick(CONDITIONS)} ${random.pick(NAMES[1]!)}`, `cmov${random.pick(CONDITIONS)} ${wide()}, ${wide()}`,
    ])];
    case 7: return [`${random.pick(["inc", "dec"])} ${register()}`, ...skipped()];
    default: return [`${random.pick(BEFORE_JUMPS)} ${register()}, ${register()}`, ...skipped()];
  }
}

/** The source of a program. */
export function longProgram(random: Random): string {
  const lines = Array.from({ length: GENERATED }, (_, n) => [...instruction(random, n), "and r15d, 7"]).flat();
  return [...lines, "jmp $", "align 8", "data: dq 0x1234567890abcdef"].join("\n");
}

function longMachine(): BareMachine {
  const machine = bareMachine();
  const { cpu } = machine;
  for (let segment = 0; segment < 6; segment++) {
    cpu.state.setSegmentBase(segment, 0);
    cpu.state.setSegmentLimit(segment, 0xffff_ffff);
    cpu.state.setSegmentAttributes(segment, segment === layout.CS ? CODE64 : FLAT_DATA);
  }
  cpu.cr0 |= PE;
  cpu.efer = EFER_LONG;
  cpu.deriveSegments();
  return machine;
}

interface Start {
  readonly code: Uint8Array;
  readonly registers: readonly bigint[];
  readonly flags: number;
}

/** Executes a program, `piece` instructions at a time, and says how everything stands then. */
function execute({ cpu, engine, physical }: BareMachine, { code, registers, flags }: Start, piece: number): unknown {
  const { view } = physical.frames.arena;
  physical.load(START, code);
  physical.load(DATA, Uint8Array.from({ length: DATA_SIZE }, (_, n) => (n * 7) & 255));
  for (const [n, value] of registers.entries()) view.setBigUint64(layout.STATE + layout.GPR + 8 * n, value, true);
  cpu.state.eflags = flags;
  cpu.state.rip = START;
  cpu.activity = ACTIVE;
  cpu.updateMode();
  const before = engine.retired;
  for (let done = 0; done < STEPS; done += piece) engine.run(piece);
  const memory = new Uint8Array(DATA_SIZE);
  physical.readBytes(DATA, memory);
  const after = registers.map((_, n) => view.getBigUint64(layout.STATE + layout.GPR + 8 * n, true));
  return { after, flags: cpu.state.eflags, rip: cpu.state.rip, retired: engine.retired - before, memory };
}

/** Runs programs both ways and calls `compare` with both outcomes. */
export function runLongPrograms(count: number, seed: string, compare: (one: unknown, whole: unknown, source: string) => void): void {
  const [first, second] = [longMachine(), longMachine()];
  for (let n = 0; n < count; n++) {
    const random = new Random(`${seed} ${n}`);
    const source = longProgram(random);
    const registers = Array.from({ length: 16 }, () => randomLong(random));
    registers[4] = 0x8000n;
    registers[5] = 0x4000n;
    registers[15] = 3n;
    const start = { code: assemble(source, { origin: START, bits: 64 }), registers, flags: 2 | (random.next() & ARITHMETIC_FLAGS) };
    compare(execute(first, start, 1), execute(second, start, STEPS), source);
  }
}
