/**
 * What the host's user mode does not answer: short programs at level 0 of flat protected mode, each with the outcome that the manual gives
 * (SDM volume 2, under the instruction). They complete the coverage table.
 */
import { layout } from "@doppel/cpu";
import { assemble, CR0_ET, CR0_PE, type Instruction } from "@doppel/x86";
import { bareMachine } from "./bare-machine.ts";

/** A program, and what must hold after it. */
export interface Level0Program {
  readonly name: string;
  readonly source: string;
  /** Values of general registers after the last instruction, by number. */
  readonly registers: Readonly<Record<number, number>>;
  /** Vector of the exception or interrupt it ends with, or -1. */
  readonly vector: number;
}

const START = 0x2000;
const TABLE = 0x5000;
const SELECTOR_LDT = 0x28;
const SELECTOR_TASK = 0x30;
const EAX = 0, ECX = 1, EDX = 2, EBX = 3, ESI = 6;

/** The programs. LDTR is 28h, TR 30h, the time-stamp counter and all counters stand still at 0. */
export const LEVEL_0_PROGRAMS: readonly Level0Program[] = [
  { name: "CPUID leaf 0: the vendor in EBX, EDX, ECX", source: "xor eax, eax\n cpuid\n mov esi, 1", registers: { [ESI]: 1 }, vector: -1 },
  { name: "RDTSC", source: "mov eax, 7\n mov edx, 7\n rdtsc", registers: { [EAX]: 0, [EDX]: 0 }, vector: -1 },
  { name: "RDPMC at level 0", source: "mov edx, 7\n xor ecx, ecx\n rdpmc", registers: { [EDX]: 0 }, vector: -1 },
  ...["rdrand", "rdseed"].map((name) => ({
    name: `${name.toUpperCase()}: CF, and another number the next time`, source: `xor ecx, ecx\n ${name} eax\n setc cl\n ${name} ebx\n cmp eax, ebx\n setne ch`, registers: { [ECX]: 0x0101 }, vector: -1,
  })),
  { name: "INVD", source: "mov ebx, 5\n invd\n inc ebx", registers: { [EBX]: 6 }, vector: -1 },
  { name: "SLDT to memory writes 16 bits", source: "mov dword [0x6000], -1\n sldt [0x6000]\n mov ebx, [0x6000]", registers: { [EBX]: 0xffff0028 }, vector: -1 },
  { name: "STR to memory writes 16 bits", source: "mov dword [0x6000], -1\n str [0x6000]\n mov ebx, [0x6000]", registers: { [EBX]: 0xffff0030 }, vector: -1 },
  { name: "SMSW to memory writes 16 bits", source: "mov dword [0x6000], -1\n smsw [0x6000]\n mov ebx, [0x6000]", registers: { [EBX]: 0xffff0011 }, vector: -1 },
  { name: "SMSW to a register", source: "smsw ecx", registers: { [ECX]: 0x11 }, vector: -1 },
  { name: "RSM outside system-management mode", source: "rsm", registers: {}, vector: 6 },
  { name: "0F 0D with a register operand is a hint", source: "mov ebx, 3\n db 0x0f, 0x0d, 0xca\n inc ebx", registers: { [EBX]: 4 }, vector: -1 },
  { name: "INT1 is a debug trap", source: "int1", registers: {}, vector: 1 },
];

/** The outcome of a program. */
export interface Level0Outcome {
  readonly registers: readonly number[];
  readonly vector: number;
}

/** Runs a program; `seen` hears of each instruction that is decoded for execution. */
export function runLevel0({ source }: Level0Program, seen?: (instruction: Instruction) => void): Level0Outcome {
  let vector = -1;
  const machine = bareMachine({
    ram: 1 << 16,
    helpers: {
      softInterrupt: (n) => {
        vector = n!;
        machine.engine.requestExit();
        return 0;
      },
    },
  });
  const { cpu, engine, physical } = machine;
  cpu.deliverFault = () => {
    vector = cpu.state.faultVector;
    return "triple-fault";
  };
  if (seen !== undefined) {
    const original = engine.handlers.handler.bind(engine.handlers);
    engine.handlers.handler = (instruction, long, flat) => {
      seen(instruction);
      return original(instruction, long, flat);
    };
  }
  const { CS, DS, ES, SS, LDTR, TR } = layout;
  cpu.cr0 = CR0_PE | CR0_ET;
  cpu.gdtr.base = TABLE;
  for (const segment of [CS, DS, ES, SS]) {
    cpu.state.setSelector(segment, segment === CS ? 8 : 0x10);
    cpu.state.setSegmentBase(segment, 0);
    cpu.state.setSegmentLimit(segment, 0xffffffff);
    cpu.state.setSegmentAttributes(segment, segment === CS ? 0x00c09b00 : 0x00c09300);
    cpu.state.setSegmentLengths(segment, 0x1_0000_0000, segment === CS ? 0 : 0x1_0000_0000);
  }
  cpu.state.setSelector(LDTR, SELECTOR_LDT);
  cpu.state.setSelector(TR, SELECTOR_TASK);
  cpu.state.setGpr32(4, 0x8000);
  cpu.updateMode();
  const code = assemble(source, { origin: START, bits: 32 });
  physical.load(START, code);
  cpu.state.rip = START;
  for (let n = 0; n < 16 && vector < 0 && cpu.state.rip < START + code.length; n++) engine.run(1);
  return { registers: Array.from({ length: 8 }, (_, n) => cpu.state.gpr32(n)), vector };
}
