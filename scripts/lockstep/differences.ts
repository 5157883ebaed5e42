/**
 * When two machines may differ: results that are a machine's own (time, ports, processor identification), and flags that the manual
 * leaves undefined (SDM volume 1, appendix A "EFLAGS Cross-Reference").
 */

const CF = 1 << 0;
const PF = 1 << 2;
const AF = 1 << 4;
const ZF = 1 << 6;
const SF = 1 << 7;
const OF = 1 << 11;
/** RF is clear or set at an instruction boundary as a machine pleases. */
const RF = 1 << 16;

const undefinedFlags: Record<string, number> = {
  and: AF, or: AF, xor: AF, test: AF,
  mul: SF | ZF | AF | PF, imul: SF | ZF | AF | PF,
  div: CF | OF | SF | ZF | AF | PF, idiv: CF | OF | SF | ZF | AF | PF,
  shl: AF | OF, sal: AF | OF, shr: AF | OF, sar: AF | OF, shld: AF | OF, shrd: AF | OF,
  rol: OF, ror: OF, rcl: OF, rcr: OF,
  bsf: CF | OF | SF | AF | PF, bsr: CF | OF | SF | AF | PF,
  bt: OF | SF | AF | PF, bts: OF | SF | AF | PF, btr: OF | SF | AF | PF, btc: OF | SF | AF | PF,
  aaa: OF | SF | ZF | PF, aas: OF | SF | ZF | PF, aad: OF | AF | CF, aam: OF | AF | CF, daa: OF, das: OF,
};
const own = new Set([
  "in", "insb", "insw", "insd", "rdtsc", "rdtscp", "rdpmc", "rdmsr", "cpuid",
  // QEMU keeps no x87 pointers, and has its own last bits of what is not defined to the last bit.
  "fxsave", "fsave", "fnsave", "fstenv", "fnstenv", "fsin", "fcos", "fsincos", "fptan", "fpatan", "f2xm1", "fyl2x", "fyl2xp1", "rcpps", "rcpss", "rsqrtps", "rsqrtss",
]);

/** The mnemonic of a disassembled line, without prefixes. */
export function mnemonic(text: string): string {
  return text.split(" ").find((word) => !/^(lock|rep\w*|o16|o32|a16|a32)$/.test(word)) ?? "";
}

/** Whether the result of an instruction is the machine's own. */
export function isOwnResult(text: string): boolean {
  return own.has(mnemonic(text));
}

/** The flags in which two machines may differ after an instruction. */
export function undefinedAfter(text: string): number {
  return (undefinedFlags[mnemonic(text)] ?? 0) | RF;
}

/** Bits that an image of EFLAGS can have; bit 1 is always set. */
const FLAGS_IMAGE = 0x003f7fd7;

/**
 * Whether two values are one image of EFLAGS with and without RF: a fault pushes RF set (SDM volume 3, 18.3.1.1), and QEMU pushes it
 * as it was.
 */
export function differInPushedRf(ours: number, theirs: number): boolean {
  return ((ours ^ theirs) >>> 0) === RF && (ours & ~FLAGS_IMAGE) === 0 && (ours & 2) !== 0;
}
