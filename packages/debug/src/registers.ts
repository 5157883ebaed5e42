/**
 * The registers that a debugger sees, in the order of gdb's i386 description (gdb manual, G.5.4 "i386 Features"), followed by a
 * feature of our own with the system registers. Values travel little-endian.
 *
 *   org.gnu.gdb.i386.core   eax ecx edx ebx esp ebp esi edi eip eflags cs ss ds es fs gs, st0..7, fctrl fstat ftag fiseg fioff foseg fooff fop
 *   org.gnu.gdb.i386.sse    xmm0..7 mxcsr
 *   org.doppel.i386.system  bases of the segments, tables, control and debug registers
 */
import { type Cpu, layout } from "@doppel/cpu";
import { EFLAGS_VM } from "@doppel/x86";

const { CS, DS, ES, FS, GS, LDTR, SS, TR } = layout;

/** One register. */
export interface Register {
  readonly name: string;
  readonly bits: number;
  /** gdb's name of the type. */
  readonly type: string;
  /** gdb's register group, where it is not the one of the type. */
  readonly group?: string;
  /** The value as bytes, least significant first. */
  read(cpu: Cpu): Uint8Array;
  /** Takes `bits / 8` bytes; false where a debugger may not change the register. */
  write(cpu: Cpu, bytes: Uint8Array): boolean;
}

/** Registers that gdb knows under one name. */
export interface Feature {
  readonly name: string;
  readonly registers: readonly Register[];
}

function littleEndian(value: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, n) => Math.floor(value / 2 ** (8 * n)));
}

function unsigned(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

type Get = (cpu: Cpu) => number;
type Set = (cpu: Cpu, value: number) => boolean | void;

function word(name: string, get: Get, set: Set = () => false, type = "int32", group?: string): Register {
  return {
    name, bits: 32, type, ...(group === undefined ? {} : { group }),
    read: (cpu) => littleEndian(get(cpu) >>> 0, 4),
    write: (cpu, bytes) => set(cpu, unsigned(bytes)) !== false,
  };
}

const system = (name: string, get: Get): Register => word(name, get, () => false, "int32", "system");

const generals = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"].map((name, n) =>
  word(name, ({ state }) => state.gpr32(n), ({ state }, value) => state.setGpr32(n, value), n === 4 || n === 5 ? "data_ptr" : "int32"));

const segments = ([["cs", CS], ["ss", SS], ["ds", DS], ["es", ES], ["fs", FS], ["gs", GS]] as const).map(([name, segment]) =>
  word(name, ({ state }) => state.selector(segment), (cpu, value) => {
    if (value === cpu.state.selector(segment)) return true;
    // Behind a selector of protected mode stands a descriptor, which a debugger's write does not load.
    if (cpu.protectedMode || value > 0xffff) return false;
    cpu.state.setSelector(segment, value);
    cpu.state.setSegmentBase(segment, value * 16);
    cpu.deriveSegments();
    return true;
  }));

const stack = Array.from({ length: 8 }, (_, n): Register => {
  const place = ({ state }: Cpu): Uint8Array => state.fpr((((state.fpuStatus >> 11) & 7) + n) & 7);
  return {
    name: `st${n}`, bits: 80, type: "i387_ext",
    read: (cpu) => place(cpu).slice(),
    write: (cpu, bytes) => (place(cpu).set(bytes), true),
  };
});

/** The tag word with two bits for each physical register: valid, zero, special, empty (SDM volume 1, 8.1.7). */
function tagWord({ state }: Cpu): number {
  let tags = 0;
  for (let n = 0; n < 8; n++) {
    const bytes = state.fpr(n);
    const exponent = (bytes[8]! | (bytes[9]! << 8)) & 0x7fff;
    const zero = exponent === 0 && bytes.subarray(0, 8).every((byte) => byte === 0);
    const normal = exponent !== 0 && exponent !== 0x7fff && (bytes[7]! & 0x80) !== 0;
    const tag = ((state.fpuTags >> n) & 1) === 0 ? 3 : zero ? 1 : normal ? 0 : 2;
    tags |= tag << (2 * n);
  }
  return tags;
}

function setTagWord({ state }: Cpu, value: number): void {
  let full = 0;
  for (let n = 0; n < 8; n++) if (((value >> (2 * n)) & 3) !== 3) full |= 1 << n;
  state.fpuTags = full;
}

const float = (name: string, get: Get, set: Set): Register => word(name, get, set, "int", "float");

const floats = [
  float("fctrl", ({ state }) => state.fpuControl, ({ state }, value) => void (state.fpuControl = value)),
  float("fstat", ({ state }) => state.fpuStatus, ({ state }, value) => void (state.fpuStatus = value)),
  float("ftag", tagWord, setTagWord),
  float("fiseg", ({ state }) => state.fpuCs, ({ state }, value) => state.setFpuPointers(state.fpuIp, value, state.fpuDp, state.fpuDs)),
  float("fioff", ({ state }) => state.fpuIp, ({ state }, value) => state.setFpuPointers(value, state.fpuCs, state.fpuDp, state.fpuDs)),
  float("foseg", ({ state }) => state.fpuDs, ({ state }, value) => state.setFpuPointers(state.fpuIp, state.fpuCs, state.fpuDp, value)),
  float("fooff", ({ state }) => state.fpuDp, ({ state }, value) => state.setFpuPointers(state.fpuIp, state.fpuCs, value, state.fpuDs)),
  float("fop", ({ state }) => state.fpuOpcode, ({ state }, value) => void (state.fpuOpcode = value)),
];

const vectors = Array.from({ length: 8 }, (_, n): Register => ({
  name: `xmm${n}`, bits: 128, type: "vec128",
  read: ({ state }) => state.xmm(n).slice(),
  write: ({ state }, bytes) => (state.xmm(n).set(bytes), true),
}));

/** A flags register that only takes bits which exist. */
function setFlags(cpu: Cpu, value: number): void {
  const { state } = cpu;
  // VM changes what the segment registers hold; only IRET and task switches can do that.
  state.eflags = (value & 0x3f7fd5 & ~EFLAGS_VM) | (state.eflags & EFLAGS_VM);
  cpu.updateMode();
}

/** The features of a 32-bit PC. */
export const I386_FEATURES: readonly Feature[] = [
  {
    name: "org.gnu.gdb.i386.core",
    registers: [
      ...generals,
      word("eip", ({ state }) => state.rip, ({ state }, value) => void (state.rip = value), "code_ptr"),
      word("eflags", ({ state }) => state.eflags, setFlags, "i386_eflags"),
      ...segments, ...stack, ...floats,
    ],
  },
  {
    name: "org.gnu.gdb.i386.sse",
    registers: [
      ...vectors,
      word("mxcsr", ({ state }) => state.mxcsr, ({ state }, value) => (value > 0xffff ? false : void (state.mxcsr = value)), "i386_mxcsr", "vector"),
    ],
  },
  {
    name: "org.doppel.i386.system",
    registers: [
      ...([["es", ES], ["cs", CS], ["ss", SS], ["ds", DS], ["fs", FS], ["gs", GS], ["ldtr", LDTR], ["tr", TR]] as const).map(([name, segment]) =>
        system(`${name}_base`, ({ state }) => state.segmentBase(segment))),
      system("ldtr", ({ state }) => state.selector(LDTR)), system("tr", ({ state }) => state.selector(TR)),
      system("gdtr_base", ({ gdtr }) => gdtr.base), system("gdtr_limit", ({ gdtr }) => gdtr.limit),
      system("idtr_base", ({ idtr }) => idtr.base), system("idtr_limit", ({ idtr }) => idtr.limit),
      system("cr0", ({ cr0 }) => cr0), system("cr2", ({ cr2 }) => cr2), system("cr3", ({ cr3 }) => cr3), system("cr4", ({ cr4 }) => cr4),
      system("efer", ({ efer }) => efer),
      ...[0, 1, 2, 3, 6, 7].map((n) => system(`dr${n}`, ({ dr }) => dr[n]!)),
    ],
  },
];

/** All registers in the order of their numbers. */
export const I386_REGISTERS: readonly Register[] = I386_FEATURES.flatMap(({ registers }) => registers);
