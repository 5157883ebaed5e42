/**
 * System and port instructions (SDM volume 2; volume 3 chapters 2, 5, 6). All of them are helpers of `cpu` behind a few
 * lines that read and write operands; what can change the mode, the interrupt flag or the mapping leaves the visit.
 */
import type { Definition, InstructionBuilder } from "./instruction.ts";
import { FS, GS, RAX, RBX, RCX, RDX, SCRATCH } from "./layout.ts";
import type { Address, Size, Value } from "./ir.ts";
import { VECTOR_UD } from "./vectors.ts";

/** A helper without operands that the visit goes on behind. */
const plain = (name: string): Definition => (i) => i.helper(name);
/** A helper after which the visit ends. */
const leaving = (name: string): Definition => (i) => {
  i.helper(name);
  i.leave("next");
};

function split(i: InstructionBuilder, value: Value): [Value, Value] {
  return value.type === "i64" ? [i.wrap(value), i.wrap(i.shrU(value, 32))] : [value, i.i32(0)];
}

/** Offset of an address operand with its segment base, as the helper's linear address. */
function linear(i: InstructionBuilder, address: Address): [Value, Value] {
  return split(i, i.linearAddress(address));
}

const portIn: Definition = (i) => {
  const size = i.size(0);
  const port = i.shape.form.operands[1]!.kind === "I" ? i.and(i.field("immediate"), 0xff) : i.register(RDX, 2);
  i.helper("checkPort", [port, i.i32(size)]);
  i.helper("portIn", [port, i.i32(size)]);
  i.setRegister(RAX, size, i.state("i32_load", SCRATCH));
  i.leave("next");
};

const portOut: Definition = (i) => {
  const size = i.size(1);
  const port = i.shape.form.operands[0]!.kind === "I" ? i.and(i.field("immediate"), 0xff) : i.register(RDX, 2);
  i.helper("checkPort", [port, i.i32(size)]);
  i.helper("portOut", [port, i.i32(size), i.register(RAX, size)]);
  i.leave("next");
};

const loadTable = (helper: string): Definition => (i) => {
  i.helper("checkPrivileged");
  const operand = i.memory();
  const limit = i.load(operand, 2);
  const base = i.load(i.further(operand, 2), i.long ? 8 : 4);
  const cut = i.operandSize === 2 && !i.long ? i.and(base, 0x00ff_ffff) : base;
  i.helper(helper, [limit, ...split(i, cut)]);
};

const storeTable = (helper: string): Definition => (i) => {
  i.helper(helper);
  const operand = i.memory();
  const base = i.further(operand, 2);
  const size: Size = i.long ? 8 : 4;
  i.probe(operand, 2);
  i.probe(base, size);
  i.store(operand, 2, i.state("i32_load", SCRATCH));
  i.store(base, size, i.state(size === 8 ? "i64_load" : "i32_load", SCRATCH + 8));
};

/** SLDT, STR, SMSW: a register takes the operand size, memory 16 bits. */
const storeWord = (helper: string): Definition => (i) => {
  i.helper(helper);
  i.write(0, i.state(i.size(0) === 8 ? "i64_load" : "i32_load", SCRATCH));
};

/** Mode and privilege come before the operand: a memory operand is not read when they are wrong. */
const withSelector = (helper: string, checks: readonly string[], leave = false): Definition => (i) => {
  for (const check of checks) i.helper(check);
  i.helper(helper, [i.zeroExtend(i.read(0), 2)]);
  if (leave) i.leave("next");
};

/** VERR, VERW: the helper says in the scratch state whether the segment may be accessed. */
const verify = (helper: string): Definition => (i) => {
  i.helper("checkProtected");
  i.helper(helper, [i.zeroExtend(i.read(0), 2)]);
  setZero(i, i.state("i32_load", SCRATCH + 8));
};

/** LAR, LSL: value in the scratch state, and behind it whether it is valid; if not, the register keeps all its bits. */
const query = (helper: string): Definition => (i) => {
  i.helper("checkProtected");
  i.helper(helper, [i.zeroExtend(i.read(1), 2)]);
  const valid = i.state("i32_load", SCRATCH + 8);
  i.if(valid, () => i.write(0, i.state(i.size(0) === 8 ? "i64_load" : "i32_load", SCRATCH)));
  setZero(i, valid);
};

/** Sets ZF to 0 or 1 and keeps the other flags. */
function setZero(i: InstructionBuilder, zero: Value): void {
  i.setFlags({ rule: "image", image: i.or(i.and(i.arithmeticFlags(), ~0x40), i.shl(zero, 6)) });
}

const arpl: Definition = (i) => {
  i.helper("checkProtected");
  const a = i.read(0);
  const b = i.read(1);
  const lower = i.ltU(i.and(a, 3), i.and(b, 3));
  // The operand is written only when it changes: a read-only page does not fault otherwise.
  i.if(lower, () => i.write(0, i.or(i.and(a, 0xfffc), i.and(b, 3))));
  setZero(i, lower);
};

const edxEax = (helper: string): Definition => (i) => {
  i.helper(helper);
  const width: Size = i.long ? 8 : 4;
  const read = (at: number): Value => (i.long ? i.extendU(i.state("i32_load", at)) : i.state("i32_load", at));
  i.setRegister(RAX, width, read(SCRATCH));
  i.setRegister(RDX, width, read(SCRATCH + 4));
};

const cpuid: Definition = (i) => {
  i.helper("cpuid");
  for (const [n, register] of [RAX, RBX, RCX, RDX].entries()) i.setRegister(register, 4, i.state("i32_load", SCRATCH + 4 * n));
};

const pushf: Definition = (i) => {
  i.helper("pushFlags", [i.i32(i.operandSize)]);
  i.push(i.state(i.operandSize === 8 ? "i64_load" : "i32_load", SCRATCH), i.operandSize);
};

const popf: Definition = (i) => {
  const { value, popped } = i.peek(i.operandSize);
  i.helper("popFlags", [i.wrap(value), i.i32(i.operandSize)]);
  i.setStackPointer(popped);
  i.leave("next");
};

const memoryImage = (helper: string, size: number, write: boolean): Definition => (i) => {
  const operand = i.memory();
  i.checkSegment(operand, size, write);
  i.helper(helper, [...linear(i, operand), i.i32(i.operandSize)]);
};

/** STAC and CLAC: the accesses behind them have another view of the TLB. */
const accessFlag = (set: number): Definition => (i) => {
  i.helper("accessFlag", [i.i32(set)]);
  i.leave("next");
};

/** RDFSBASE, RDGSBASE, and the opposite. */
const readBase = (segment: number): Definition => (i) => {
  i.helper("readBase", [i.i32(segment)]);
  i.write(0, i.state(i.size(0) === 8 ? "i64_load" : "i32_load", SCRATCH));
};
const writeBase = (segment: number): Definition => (i) => i.helper("writeBase", [i.i32(segment), ...split(i, i.read(0))]);

const random: Definition = (i) => {
  const size = i.size(0);
  i.helper("random", [i.i32(size)]);
  i.write(0, i.state(size === 8 ? "i64_load" : "i32_load", SCRATCH));
  // CF says that there was a number; the other flags are zero.
  i.setFlags({ rule: "image", image: i.i32(1) });
};

const invpcid: Definition = (i) => {
  i.helper("checkPrivileged");
  const operand = i.memory();
  const context = i.load(operand, 8);
  const address = i.load(i.further(operand, 8), 8);
  i.helper("invpcid", [...split(i, i.read(0)), ...split(i, context), ...split(i, address)]);
  i.leave("next");
};

export const SYSTEM: Record<string, Definition> = {
  IN: portIn,
  OUT: portOut,
  HLT: leaving("hlt"),
  CLI: plain("cli"),
  STI: leaving("sti"),
  PUSHF: pushf,
  POPF: popf,
  LGDT: loadTable("lgdt"),
  LIDT: loadTable("lidt"),
  SGDT: storeTable("sgdt"),
  SIDT: storeTable("sidt"),
  SLDT: storeWord("sldt"),
  STR: storeWord("str"),
  SMSW: storeWord("smsw"),
  LLDT: withSelector("lldt", ["checkProtected", "checkPrivileged"]),
  LTR: withSelector("ltr", ["checkProtected", "checkPrivileged"]),
  LMSW: withSelector("lmsw", ["checkPrivileged"], true),
  VERR: verify("verr"),
  VERW: verify("verw"),
  LAR: query("lar"),
  LSL: query("lsl"),
  ARPL: arpl,
  CLTS: leaving("clts"),
  INVD: plain("wbinvd"),
  WBINVD: plain("wbinvd"),
  INVLPG: (i) => {
    i.helper("invlpg", linear(i, i.memory()));
    i.leave("next");
  },
  RDTSC: edxEax("rdtsc"),
  RDPMC: edxEax("rdpmc"),
  RDMSR: edxEax("rdmsr"),
  WRMSR: leaving("wrmsr"),
  CPUID: cpuid,
  RSM: (i) => i.fault(VECTOR_UD),
  SYSENTER: (i) => {
    i.helper("sysenter");
    i.leave("rip");
  },
  SYSEXIT: (i) => {
    i.helper("sysexit", [i.i32(i.operandSize)]);
    i.leave("rip");
  },
  MONITOR: plain("monitor"),
  MWAIT: leaving("mwait"),
  CLFLUSH: (i) => void i.load(i.memory(), 1),
  CLFLUSHOPT: (i) => void i.load(i.memory(), 1),
  CLWB: (i) => void i.load(i.memory(), 1),
  SWAPGS: plain("swapgs"),
  RDFSBASE: readBase(FS),
  RDGSBASE: readBase(GS),
  WRFSBASE: writeBase(FS),
  WRGSBASE: writeBase(GS),
  STAC: accessFlag(1),
  CLAC: accessFlag(0),
  INVPCID: invpcid,
  XGETBV: edxEax("xgetbv"),
  XSETBV: leaving("xsetbv"),
  XSAVE: memoryImage("xsave", 576, true),
  XSAVEOPT: memoryImage("xsave", 576, true),
  XRSTOR: memoryImage("xrstor", 576, false),
  RDRAND: random,
  RDSEED: random,
  RDPID: (i) => {
    i.helper("rdpid");
    i.write(0, i.state(i.size(0) === 8 ? "i64_load" : "i32_load", SCRATCH));
  },
  FXSAVE: memoryImage("fxsave", 512, true),
  FXRSTOR: memoryImage("fxrstor", 512, false),
  RDTSCP: (i) => {
    i.helper("rdtscp");
    i.setRegister(RAX, 4, i.state("i32_load", SCRATCH));
    i.setRegister(RDX, 4, i.state("i32_load", SCRATCH + 4));
    i.setRegister(RCX, 4, i.state("i32_load", SCRATCH + 8));
  },
  LFENCE: () => {},
  SFENCE: () => {},
  MFENCE: () => {},
};
