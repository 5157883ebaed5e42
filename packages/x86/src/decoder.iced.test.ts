/**
 * The decoder against iced-x86, an independent decoder: validity, length, operands, sizes. Where they differ on purpose, a rule below says
 * why. DOPPEL_FULL=1 takes twenty times as many random bytes.
 */
import { createRequire } from "node:module";
import type * as Iced from "iced-x86";
import { describe, expect, test } from "vitest";
import {
  type CodeSize, decode, FORMS, Instruction, OK, type Operand, PREFIX_REX, PREFIX_SEGMENT, REGISTER_NAMES, sizeOf, TOO_LONG, TRUNCATED,
  UNDEFINED,
} from "./index.ts";

// iced-x86 ships as CommonJS with WebAssembly for Node
const iced = createRequire(import.meta.url)("iced-x86") as typeof Iced;
const full = process.env["DOPPEL_FULL"] === "1";

/** Reverse of an iced enumeration: number to name. */
const names = (enumeration: object): string[] => {
  const list: string[] = [];
  for (const [name, value] of Object.entries(enumeration)) if (typeof value === "number") list[value] = name;
  return list;
};
const REGISTER = names(iced.Register).map((name) => name.toLowerCase().replace(/^(r\d+)l$/, "$1b"));
const OP_KIND = names(iced.OpKind);
const CODE = names(iced.Code);
const FEATURE = names(iced.CpuidFeature);

/** iced accepts, we raise #UD: instructions of CPUID features that no CPU model of ours has. */
const FOREIGN_FEATURES = new RegExp(`^(?:${[
  "AVX.*", "VAES", "VPCLMULQDQ", "FMA4?", "F16C", "XOP", "TBM", "LWP", // VEX, EVEX and XOP prefixes
  "D3NOW.*", "SSE4A", "SVM", "SKINIT.*", "SEV.*", "SNP", "CLZERO", "MONITORX", "MCOMMIT", "RDPRU", "INVLPGB", "RMPQUERY", // AMD only
  "PADLOCK.*", "CYRIX.*", "CENTAUR.*", "GEODE", "CL1INVMB", "ALTINST", "KNC.*", "UDBG", // other makers and products
  "SHA512", "SM[34]", "GFNI", "RTM", "HLE.*", "MPX", "CET.*", "SMX", "SGX1", "OSS", "XSAVES", "XSAVEC", "PKU", "WAITPKG", "PTWRITE", "MOVDIR.*", "CLDEMOTE",
  "ENQCMD", "UINTR", "KL", "AESKLE.*", "HRESET", "SERIALIZE", "TSXLDTRK", "TDX", "TSE", "SEAM", "PCONFIG", "WBNOINVD", "AMX.*", "RAO.*", "CMPCCXADD",
  "MSRLIST", "WRMSRNS", "LKGS", "FRED", "PREFETCHITI", "PREFETCHWT1",
].join("|")})$`);

function explained(instruction: InstanceType<typeof iced.Instruction>, codeSize: CodeSize): boolean {
  const features = [...instruction.cpuidFeatures()].map((feature) => FEATURE[feature]!);
  if (features.some((feature) => FOREIGN_FEATURES.test(feature))) return true;
  // SDM volume 2, SYSCALL and SYSRET: #UD outside 64-bit mode; iced follows AMD
  return codeSize !== 8 && /^Sys(?:call|retd)$/.test(CODE[instruction.code]!);
}

/** Mnemonics whose operand list in iced has another shape, compared by length and memory only. */
const UNLISTED = new Set(["XLAT", "MONITOR", "MWAIT", "MASKMOVQ", "MASKMOVDQU"]);

function ourRegister(operand: Operand, i: Instruction): string | undefined {
  const size = sizeOf(operand.size, i.operandSize);
  const general = (number: number): string =>
    size === 1 ? (number >= 4 && (i.prefixes & PREFIX_REX) === 0 ? REGISTER_NAMES.high8[number]! : REGISTER_NAMES.r8[number]!)
      : REGISTER_NAMES[size === 2 ? "r16" : size === 8 ? "r64" : "r32"][number]!;
  switch (operand.kind) {
    case "E": case "R": case "Z": return general(i.rm);
    case "G": return general(i.reg);
    case "B": return general(i.vvvv);
    case "reg": return general(operand.register);
    case "S": return REGISTER_NAMES.seg[i.reg];
    case "seg": return REGISTER_NAMES.seg[operand.register];
    case "C": return `cr${i.reg}`;
    case "D": return `dr${i.reg}`;
    case "P": return `mm${i.reg}`;
    case "Q": case "N": return `mm${i.rm}`;
    case "V": return `xmm${i.reg}`;
    case "W": case "U": return `xmm${i.rm}`;
    case "STi": return `st${i.rm}`;
    default: return undefined;
  }
}

/** What differs between the two, or "". */
function difference(theirs: InstanceType<typeof iced.Instruction>, i: Instruction, address: bigint, codeSize: CodeSize): string {
  const { form } = i;
  if (UNLISTED.has(form.mnemonic)) return "";
  if (/^Rdssp/.test(CODE[theirs.code]!)) return ""; // a hint NOP where there is no shadow stack (SDM volume 2, RDSSP)
  const ours: string[] = [];
  for (const operand of form.operands) {
    if (operand.kind === "ST0" || operand.kind === "XMM0") continue;
    if (i.memory && "EMQWOXY".includes(operand.kind)) ours.push("memory");
    else if (operand.kind === "I") ours.push("immediate");
    else if (operand.kind === "1") ours.push("immediate");
    else if (operand.kind === "J") ours.push("branch");
    else if (operand.kind === "A") ours.push("far");
    else {
      // a register wider than the operand is a matter of notation in MOV Sreg, LAR, LTR, ARPL, PINSRW, PEXTRB: compared by number
      const loose = /^[ERG]$/.test(operand.kind) && ["w", "d"].includes(operand.size);
      ours.push(loose ? `any${operand.kind === "G" ? i.reg : i.rm}` : ourRegister(operand, i)!);
    }
  }
  const list: string[] = [];
  for (let n = 0; n < theirs.opCount; n++) {
    const kind = OP_KIND[theirs.opKind(n)]!;
    if (kind === "Register") {
      const name = REGISTER[theirs.opRegister(n)]!;
      if (name !== "st0" || form.operands.some((o) => o.kind === "STi") && i.rm === 0 && !list.includes("st0") && ours.includes("st0")) list.push(name);
    } else if (kind.startsWith("Memory")) list.push("memory");
    else if (kind.startsWith("Immediate")) list.push("immediate");
    else if (kind.startsWith("NearBranch")) list.push("branch");
    else if (kind.startsWith("FarBranch")) list.push("far");
  }
  const listed = list.filter((name) => name !== "xmm0" || ours.includes("xmm0") || form.operands.at(-1)?.kind !== "XMM0");
  if (form.mnemonic === "NOP") listed.splice(form.operands.length); // iced lists ModRM.reg of a hint NOP
  if (form.operands.at(-1)?.kind === "XMM0" && listed.length > ours.length) listed.pop();
  const same = ours.length === listed.length && ours.every((name, n) => name === listed[n] ||
    name.startsWith("any") && [REGISTER_NAMES.r16, REGISTER_NAMES.r32, REGISTER_NAMES.r64].some((set) => set[Number(name.slice(3))] === listed[n]));
  if (!same) return `operands ${ours.join()} against ${listed.join()}`;

  if (form.operands.some((o) => "EMQW".includes(o.kind)) && i.memory) {
    const size = sizeOf(form.operands[form.memoryOperand]!.size, i.operandSize);
    if (size !== 0 && form.mnemonic !== "NOP" && size !== iced.MemorySizeExt.size(theirs.memorySize)) return `size ${size} against ${iced.MemorySizeExt.size(theirs.memorySize)}`;
    const general = REGISTER_NAMES[i.addressSize === 2 ? "r16" : i.addressSize === 4 ? "r32" : "r64"];
    const base = i.ripRelative ? (i.addressSize === 4 ? "eip" : "rip") : i.base < 0 ? "none" : general[i.base]!;
    if (base !== REGISTER[theirs.memoryBase]) return `base ${base} against ${REGISTER[theirs.memoryBase]}`;
    const index = i.index < 0 ? "none" : general[i.index]!;
    if (index !== REGISTER[theirs.memoryIndex]) return `index ${index} against ${REGISTER[theirs.memoryIndex]}`;
    if (i.index >= 0 && 1 << i.scale !== theirs.memoryIndexScale) return "scale";
    const relative = i.ripRelative ? address + BigInt(i.length) : 0n;
    const bits = theirs.memoryDisplSize === 1 || i.ripRelative ? i.addressSize * 8 : Math.max(theirs.memoryDisplSize * 8, 8);
    const width = Math.min(bits, i.addressSize * 8);
    const displacement = BigInt.asUintN(width, relative + BigInt(i.displacement));
    if (displacement !== BigInt.asUintN(width, theirs.memoryDisplacement)) return `displacement ${displacement} against ${theirs.memoryDisplacement}`;
  }
  // SDM volume 1, 3.3.4: in 64-bit mode overrides of ES, CS, SS and DS are ignored; iced reports them
  const ignored = codeSize === 8 && theirs.hasSegmentPrefix && ["es", "cs", "ss", "ds"].includes(REGISTER[theirs.segmentPrefix]!);
  if (i.memory && !ignored && !form.operands.some((o) => o.kind === "Y")) {
    const segment = REGISTER_NAMES.seg[i.segment]!;
    if (segment !== REGISTER[theirs.memorySegment]) return `segment ${segment} against ${REGISTER[theirs.memorySegment]}`;
  }
  if (i.memory && form.operands.some((o) => o.kind === "X" && i.form.operands.some((y) => y.kind === "Y")) && (i.prefixes & PREFIX_SEGMENT) !== 0) {
    if (REGISTER_NAMES.seg[i.segment] !== REGISTER[theirs.memorySegment]) return "segment of X";
  }
  const immediate = form.operands.findIndex((o) => o.kind === "I");
  if (immediate >= 0) {
    const at = Array.from({ length: theirs.opCount }, (_, n) => n).find((n) => OP_KIND[theirs.opKind(n)]!.startsWith("Immediate"))!;
    const value = (BigInt(i.immediateHigh) << 32n) | BigInt(i.immediate >>> 0);
    const bits = Math.max(8, sizeOf(form.operands[immediate]!.size, i.operandSize) * 8);
    const wide = form.operands[immediate]!.size === "bs" ? i.operandSize * 8 : bits;
    const expected = BigInt.asUintN(wide, theirs.immediate(at));
    if (BigInt.asUintN(wide, value) !== expected) return `immediate ${value} against ${expected}`;
    if (form.mnemonic === "ENTER" && i.immediate2 !== theirs.immediate8_2nd) return "second immediate";
  }
  if (form.operands.some((o) => o.kind === "J")) {
    const target = BigInt.asUintN(i.operandSize * 8, address + BigInt(i.length) + BigInt(i.immediate));
    if (target !== theirs.nearBranchTarget) return `target ${target} against ${theirs.nearBranchTarget}`;
  }
  if (form.operands.some((o) => o.kind === "A")) {
    const target = i.operandSize === 2 ? theirs.farBranch16 : theirs.farBranch32;
    if (i.immediate >>> 0 !== target || i.immediate2 !== theirs.farBranchSelector) return "far target";
  }
  if (form.operands.some((o) => o.kind === "O")) {
    const value = (BigInt.asUintN(32, BigInt(i.displacementHigh)) << 32n) | BigInt(i.displacement >>> 0);
    if (value !== BigInt.asUintN(64, theirs.memoryDisplacement)) return "offset";
  }
  return "";
}

const SLOT = 24;

/** Decodes instructions laid out every `SLOT` bytes with both decoders and gives back what they disagree on. */
function disagreements(code: Uint8Array, codeSize: CodeSize): { count: number; differences: Map<string, string> } {
  const differences = new Map<string, string>();
  const witness = new iced.Decoder(codeSize * 8, code, iced.DecoderOptions.None);
  const theirs = new iced.Instruction();
  const ours = new Instruction();
  const count = Math.floor(code.length / SLOT);
  const base = 0x1000n;
  for (let n = 0; n < count; n++) {
    const at = n * SLOT;
    witness.position = at;
    witness.ip = base;
    witness.decodeOut(theirs);
    const status = decode(code, at, at + 20, codeSize, ours);
    const invalid = theirs.code === iced.Code.INVALID;
    let text = "";
    if (invalid !== (status !== OK)) {
      if (!invalid && status === UNDEFINED && explained(theirs, codeSize)) continue;
      text = invalid ? `we accept ${ours.form.opcode} ${ours.form.mnemonic}` : `iced accepts ${CODE[theirs.code]} ${[...theirs.cpuidFeatures()].map((f) => FEATURE[f])}`;
    } else if (invalid) continue;
    else if (theirs.length !== ours.length) text = `length of ${ours.form.opcode} ${ours.form.mnemonic}`;
    else {
      const what = difference(theirs, ours, base, codeSize);
      if (what !== "") text = `${ours.form.opcode} ${ours.form.mnemonic}: ${what.replace(/-?\d{5,}/g, "N")}`;
    }
    if (text !== "" && differences.size < 40) differences.set(`${codeSize * 8}-bit ${text}`, hex(code.subarray(at, at + 15)));
  }
  witness.free();
  theirs.free();
  return { count, differences };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

const PREFIXES: Record<CodeSize, string[]> = {
  2: ["", "66", "f3", "f2", "67", "f0", "66 f3", "f3 66", "f2 f3", "26", "3e 36", "66 67"],
  4: ["", "66", "f3", "f2", "67", "f0", "66 f2", "f2 66", "f3 f2", "64", "65 2e", "66 67"],
  8: ["", "66", "f3", "f2", "67", "f0", "40", "48", "41", "44", "42", "47", "4f", "66 48", "f3 48", "f2 48", "f3 41", "66 f3", "48 66", "f0 48", "64 2e", "2e", "67 4a", "66 67 45"],
};
const LEGACY_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];

/** Every opcode of every map with ModRM bytes (and SIB bytes that follow from them), under one prefix string. */
function sweep(codeSize: CodeSize, prefix: string): Uint8Array {
  const head = prefix === "" ? [] : prefix.split(" ").map((byte) => Number.parseInt(byte, 16));
  const sequences: number[][] = [];
  for (let map = 0; map < 4; map++) {
    for (let opcode = 0; opcode < 256; opcode++) {
      if (map === 0 && (opcode === 0x0f || LEGACY_PREFIXES.includes(opcode) || codeSize === 8 && (opcode & 0xf0) === 0x40)) continue;
      if (map === 1 && (opcode === 0x38 || opcode === 0x3a)) continue;
      const lead = map === 0 ? [] : map === 1 ? [0x0f] : [0x0f, map === 2 ? 0x38 : 0x3a];
      for (let modrm = 0; modrm < 256; modrm++) {
        sequences.push([...head, ...lead, opcode, modrm, (modrm * 37 + opcode * 11) & 0xff, 0x82, 0x91, 0x22, 0xb3, 0x44, 0x55, 0x66, 0x77, 0x88]);
      }
    }
  }
  const code = new Uint8Array(sequences.length * SLOT);
  sequences.forEach((bytes, n) => code.set(bytes.slice(0, 15), n * SLOT));
  return code;
}

/** A small generator with a fixed seed (xorshift32). */
function randomBytes(count: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(count);
  let state = seed;
  for (let n = 0; n < count; n++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[n] = state >>> 24;
  }
  return bytes;
}

for (const codeSize of [2, 4, 8] as const) {
  describe(`${codeSize * 8}-bit code`, () => {
    test("agrees with iced-x86 on every opcode, prefix and ModRM class", () => {
      const found = new Map<string, string>();
      for (const prefix of PREFIXES[codeSize]) {
        for (const [key, value] of disagreements(sweep(codeSize, prefix), codeSize).differences) found.set(key, value);
      }
      expect(Object.fromEntries(found)).toEqual({});
    });

    test("agrees with iced-x86 on every ModRM and SIB byte", () => {
      const code = new Uint8Array(256 * 256 * SLOT);
      const opcodes = [[0x8b], [0x0f, 0xb6], [0xc7], [0xf3, 0x0f, 0x10], [0xd9], [0x67, 0x8b], [0x81]];
      for (let n = 0; n < 256 * 256; n++) {
        const opcode = opcodes[(n ^ (n >> 8)) % opcodes.length]!;
        code.set([...opcode, n >> 8, n & 255, 0xf0, 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12], n * SLOT);
      }
      expect(Object.fromEntries(disagreements(code, codeSize).differences)).toEqual({});
    });

    test("agrees with iced-x86 on VEX prefixes with every opcode", () => {
      const code = new Uint8Array(2 * 256 * 256 * SLOT);
      const random = randomBytes(4 * code.length, 99);
      for (let n = 0; n < 2 * 256 * 256; n++) {
        const bytes = random.subarray(n * SLOT, n * SLOT + 15);
        const map = n & 1 ? 3 : 2;
        // Most with L = 0; some behind a legacy prefix, some with another map.
        const first = (bytes[0]! & 0xe0) | (bytes[1]! & 15 ? map : bytes[2]! & 31);
        const vex = [0xc4, codeSize === 8 || bytes[3]! & 7 ? first | (codeSize === 8 ? 0 : 0xc0) : first, bytes[4]! & (bytes[5]! & 7 ? 0xfb : 0xff)];
        const head = bytes[6]! & 31 ? [] : [[0x66], [0xf3], [0xf2], [0x48], [0xf0], [0x67], [0x64]][bytes[7]! % 7]!;
        code.set([...head, ...vex, (n >> 1) & 255, ...bytes.subarray(8)], n * SLOT);
      }
      expect(Object.fromEntries(disagreements(code, codeSize).differences)).toEqual({});
    });

    test("agrees with iced-x86 on random bytes", () => {
      const { count, differences } = disagreements(randomBytes((full ? 4_000_000 : 200_000) * SLOT, 0x2545f491 + codeSize), codeSize);
      expect(count).toBeGreaterThan(100_000);
      expect(Object.fromEntries(differences)).toEqual({});
    });
  });
}

describe("statuses", () => {
  const out = new Instruction();
  const status = (text: string, codeSize: CodeSize = 4, limit?: number): number => {
    const bytes = Uint8Array.from(text.split(" "), (byte) => Number.parseInt(byte, 16));
    return decode(bytes, 0, limit ?? bytes.length, codeSize, out);
  };

  test("an instruction of 15 bytes is taken, one of 16 is too long (SDM volume 2, 2.3.11)", () => {
    expect(status(`${"66 ".repeat(14)}90`)).toBe(OK);
    expect(status(`${"66 ".repeat(15)}90`)).toBe(TOO_LONG);
    expect(status("26 26 26 26 26 26 26 26 26 26 81 05 01 02 03 04 05 06 07 08")).toBe(TOO_LONG);
    expect(status("26 26 26 26 26 26 26 26 26 26 81 05 01 02 03")).toBe(TOO_LONG);
  });

  test("bytes that end early are told from bytes that mean nothing", () => {
    expect(status("81 05 01 02")).toBe(TRUNCATED);
    expect(status("0f")).toBe(TRUNCATED);
    expect(status("66", 4, 0)).toBe(TRUNCATED);
    expect(status("0f 04")).toBe(UNDEFINED);
    expect(status("8d c0")).toBe(UNDEFINED);
    expect(status("f0 90")).toBe(UNDEFINED);
    expect(status("8e c8")).toBe(UNDEFINED);
  });

  test("every instruction is truncated at each of its bytes but the last, and reads no byte beyond its last", () => {
    const code = randomBytes(40_000, 7);
    for (let at = 0; at + 15 < code.length; at++) {
      for (const codeSize of [2, 4, 8] as const) {
        if (decode(code, at, at + 15, codeSize, out) !== OK) continue;
        const { length } = out;
        expect(decode(code, at, at + length, codeSize, out)).toBe(OK);
        for (let cut = 0; cut < length; cut++) if (decode(code, at, at + cut, codeSize, out) !== TRUNCATED) expect.fail(`cut ${cut} of ${length} at ${at}`);
      }
    }
  });

  test("what a CPU without the feature makes of the same bytes", () => {
    for (const [text, mnemonic] of [["f3 0f bc c1", "BSF"], ["f3 0f bd c1", "BSR"], ["f3 90", "NOP"], ["f3 0f 1e fb", "NOP"], ["0f 18 08", "NOP"], ["0f 0d 08", "NOP"]] as const) {
      expect(status(text)).toBe(OK);
      expect(out.form.fallback?.mnemonic).toBe(mnemonic);
    }
    expect(FORMS.every((form, n) => form.id === n)).toBe(true);
  });
});
