/**
 * The instruction decoder (SDM volume 2, chapter 2 and appendix A). It walks the flattened tables of `lookup.ts`, allocates nothing and
 * fills one reused `Instruction`.
 */
import { FORMS } from "./form.ts";
import {
  A_CONDITION, A_DEFAULT64, A_FORCED64, A_LOCKABLE, A_MASK_REG, A_MASK_RM, A_VVVV, C_CONTROL, C_DEBUG, C_NONE, C_SEGMENT_LOAD, C_SEGMENT_STORE, I_BYTE,
  I_ENTER, I_FAR, I_NONE, I_OFFSET, I_SIGNED_BYTE, I_V, I_WORD, I_Z, MAPS, NO_FORM,
} from "./lookup-classes.ts";
import { ATTRIBUTES, BLOCKS, CHECKS, ENTRIES, IMMEDIATES, IMPLICIT_MEMORY, MODRM, NOP_FORM, WIDE, XCHG_FORM } from "./lookup.ts";
import {
  type CodeSize, type Instruction, PREFIX_ADDRESS, PREFIX_LOCK, PREFIX_OPERAND, PREFIX_REP, PREFIX_REPNE, PREFIX_REX, PREFIX_REX_B,
  PREFIX_REX_R, PREFIX_REX_W, PREFIX_REX_X, PREFIX_SEGMENT,
} from "./instruction.ts";

/** The instruction was decoded. */
export const OK = 0;
/** The bytes are no instruction, or not in this mode: #UD. */
export const UNDEFINED = 1;
/** The instruction would be longer than 15 bytes: #GP(0). */
export const TOO_LONG = 2;
/** The bytes ended before the instruction did. */
export const TRUNCATED = 3;

/** Bytes of an instruction at most (SDM volume 2, 2.3.11). */
export const MAXIMUM_LENGTH = 15;
const P_REX_BITS = PREFIX_REX | PREFIX_REX_W | PREFIX_REX_R | PREFIX_REX_X | PREFIX_REX_B;

/** Legacy prefixes that VEX.pp stands for. */
const VEX_PREFIX = [0, PREFIX_OPERAND, PREFIX_REP, PREFIX_REPNE];
const VEX_REFUSES = P_REX_BITS | PREFIX_LOCK | PREFIX_REP | PREFIX_REPNE | PREFIX_OPERAND;

/** What each byte is in the prefix loop: 0 opcode, 1-6 segment override, else as below. */
const L_LOCK = 7, L_REPNE = 8, L_REP = 9, L_OPERAND = 10, L_ADDRESS = 11, L_REX = 12;
const LEGACY_CLASS = new Uint8Array(256);
LEGACY_CLASS[0x26] = 1;
LEGACY_CLASS[0x2e] = 2;
LEGACY_CLASS[0x36] = 3;
LEGACY_CLASS[0x3e] = 4;
LEGACY_CLASS[0x64] = 5;
LEGACY_CLASS[0x65] = 6;
LEGACY_CLASS[0xf0] = L_LOCK;
LEGACY_CLASS[0xf2] = L_REPNE;
LEGACY_CLASS[0xf3] = L_REP;
LEGACY_CLASS[0x66] = L_OPERAND;
LEGACY_CLASS[0x67] = L_ADDRESS;
const LONG_CLASS = LEGACY_CLASS.slice();
LONG_CLASS.fill(L_REX, 0x40, 0x50);

/** Base and index of the eight 16-bit addressing forms. */
const BASE16 = [3, 3, 5, 5, 6, 7, 5, 3];
const INDEX16 = [6, 7, 6, 7, -1, -1, -1, -1];

/** Why reading up to `position` failed. */
function shortage(position: number, offset: number): number {
  return position > offset + MAXIMUM_LENGTH ? TOO_LONG : TRUNCATED;
}

function read32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/**
 * Decodes the instruction at `bytes[offset]` into `out`, reading below `limit` only.
 *
 * Returns `OK`, `UNDEFINED` (#UD), `TOO_LONG` (#GP(0)) or `TRUNCATED` (more bytes are needed than there are up to `limit`). After
 * anything but `OK` the contents of `out` are of no use. Checks that need CPU state (privilege, CR0.TS, the CPU's features, LOCK on a
 * register moved to memory) are the caller's: `Form.feature` says what the form needs, `Form.fallback` what it is without.
 *
 * @example
 * ```ts
 * const instruction = new Instruction();
 * decode(Uint8Array.of(0x83, 0xc0, 0x05), 0, 3, 4, instruction); // OK: add eax, 5
 * instruction.form.mnemonic; // "ADD"
 * ```
 */
export function decode(bytes: Uint8Array, offset: number, limit: number, codeSize: CodeSize, out: Instruction): number {
  const end = limit < offset + MAXIMUM_LENGTH ? limit : offset + MAXIMUM_LENGTH;
  const long = codeSize === 8;
  const classes = long ? LONG_CLASS : LEGACY_CLASS;
  let at = offset;
  let prefixes = 0;
  let override = -1;
  let byte: number;
  for (;;) {
    if (at >= end) return shortage(at + 1, offset);
    byte = bytes[at++]!;
    const kind = classes[byte]!;
    if (kind === 0) break;
    if (kind === L_REX) {
      prefixes = (prefixes & ~P_REX_BITS) | PREFIX_REX | ((byte & 8) << 4) | ((byte & 4) << 6) | ((byte & 2) << 8) | ((byte & 1) << 10);
      continue;
    }
    prefixes &= ~P_REX_BITS; // a REX that does not stand directly before the opcode is ignored
    if (kind <= 6) {
      if (!long || kind >= 5) {
        override = kind - 1;
        prefixes |= PREFIX_SEGMENT;
      }
    } else if (kind === L_LOCK) prefixes |= PREFIX_LOCK;
    else if (kind === L_REPNE) prefixes = (prefixes & ~PREFIX_REP) | PREFIX_REPNE;
    else if (kind === L_REP) prefixes = (prefixes & ~PREFIX_REPNE) | PREFIX_REP;
    else prefixes |= kind === L_OPERAND ? PREFIX_OPERAND : PREFIX_ADDRESS;
  }

  let table = long ? MAPS * 256 : 0;
  let vvvv = 0;
  let vex = -1;
  if (byte === 0xc4) {
    if (at >= end) return shortage(at + 1, offset);
    if (long || bytes[at]! >= 0xc0) vex = bytes[at++]!;
  }
  if (vex >= 0) {
    // Of VEX only what the tables have: the maps 0F 38 and 0F 3A, with L = 0. Prefixes before it raise #UD.
    if (at >= end) return shortage(at + 1, offset);
    const second = bytes[at++]!;
    if (at >= end) return shortage(at + 1, offset);
    byte = bytes[at++]!;
    const map = vex & 31;
    if ((map !== 2 && map !== 3) || (second & 4) !== 0 || (prefixes & VEX_REFUSES) !== 0) return UNDEFINED;
    table += (map + 2) * 256;
    vvvv = (~second >> 3) & 15;
    prefixes |= VEX_PREFIX[second & 3]!;
    if (long) prefixes |= PREFIX_REX | (second & 0x80) | ((~vex & 0x80) << 1) | ((~vex & 0x40) << 3) | ((~vex & 0x20) << 5);
  } else if (byte === 0x0f) {
    if (at >= end) return shortage(at + 1, offset);
    byte = bytes[at++]!;
    table += 256;
    if (byte === 0x38 || byte === 0x3a) {
      table += byte === 0x38 ? 256 : 512;
      if (at >= end) return shortage(at + 1, offset);
      byte = bytes[at++]!;
    }
  }
  table += byte;
  const slot = (prefixes & (PREFIX_REP | PREFIX_REPNE)) !== 0 ? ((prefixes & PREFIX_REP) !== 0 ? 2 : 3) : (prefixes & PREFIX_OPERAND) !== 0 ? 1 : 0;
  let id = ENTRIES[table * 4 + slot]!;
  if (id === NO_FORM) return UNDEFINED;

  const modrmClass = MODRM[table]!;
  let modrm = 0;
  let mod = 3;
  let reg = 0;
  let rm = byte & 7;
  if (modrmClass !== 0) {
    if (at >= end) return shortage(at + 1, offset);
    modrm = bytes[at++]!;
    mod = modrmClass === 2 ? 3 : modrm >> 6;
    reg = (modrm >> 3) & 7;
    rm = modrm & 7;
    if (id < 0) {
      id = BLOCKS[~id + (mod === 3 ? 8 + (modrm & 63) : reg)]!;
      if (id < 0) return UNDEFINED;
    }
  }
  if ((prefixes & PREFIX_REX) !== 0) {
    if ((prefixes & PREFIX_REX_W) !== 0) id = WIDE[id]!;
    if ((prefixes & PREFIX_REX_B) !== 0 && id === NOP_FORM) id = XCHG_FORM;
  }
  const attributes = ATTRIBUTES[id]!;
  if (vex >= 0 && (attributes & A_VVVV) === 0 && vvvv !== 0) return UNDEFINED;

  let operandSize: 2 | 4 | 8;
  let addressSize: 2 | 4 | 8;
  if (long) {
    addressSize = (prefixes & PREFIX_ADDRESS) !== 0 ? 4 : 8;
    if ((prefixes & PREFIX_REX_W) !== 0 || (attributes & A_FORCED64) !== 0) operandSize = 8;
    else if ((prefixes & PREFIX_OPERAND) !== 0) operandSize = 2;
    else operandSize = (attributes & A_DEFAULT64) !== 0 ? 8 : 4;
  } else {
    addressSize = (codeSize === 2) === ((prefixes & PREFIX_ADDRESS) !== 0) ? 4 : 2;
    operandSize = (codeSize === 2) === ((prefixes & PREFIX_OPERAND) !== 0) ? 4 : 2;
  }

  let memory = false;
  let base = -1;
  let index = -1;
  let scale = 0;
  let ripRelative = false;
  let displacement = 0;
  let displacementHigh = 0;
  let segment = 3;
  if (mod !== 3) {
    memory = true;
    let bytesOfDisplacement = mod === 1 ? 1 : 0;
    if (addressSize === 2) {
      if (mod === 0 && rm === 6) bytesOfDisplacement = 2;
      else {
        base = BASE16[rm]!;
        index = INDEX16[rm]!;
        if (mod === 2) bytesOfDisplacement = 2;
        if (base === 5) segment = 2;
      }
    } else {
      if (mod === 2) bytesOfDisplacement = 4;
      if (rm === 4) {
        if (at >= end) return shortage(at + 1, offset);
        const sib = bytes[at++]!;
        scale = sib >> 6;
        index = ((sib >> 3) & 7) | ((prefixes & PREFIX_REX_X) >> 6);
        if (index === 4) index = -1;
        rm = sib & 7;
        if (rm === 5 && mod === 0) bytesOfDisplacement = 4;
        else {
          base = rm | ((prefixes & PREFIX_REX_B) >> 7);
          if (base === 4 || base === 5) segment = 2;
        }
      } else if (rm === 5 && mod === 0) {
        bytesOfDisplacement = 4;
        ripRelative = long;
      } else {
        base = rm | ((prefixes & PREFIX_REX_B) >> 7);
        if (base === 5) segment = 2;
      }
    }
    if (bytesOfDisplacement !== 0) {
      if (at + bytesOfDisplacement > end) return shortage(at + bytesOfDisplacement, offset);
      if (bytesOfDisplacement === 1) displacement = (bytes[at]! << 24) >> 24;
      else if (bytesOfDisplacement === 2) displacement = ((bytes[at]! | (bytes[at + 1]! << 8)) << 16) >> 16;
      else displacement = read32(bytes, at);
      displacementHigh = displacement >> 31;
      at += bytesOfDisplacement;
    }
    rm = modrm & 7;
  } else if (modrmClass === 0 && IMPLICIT_MEMORY[id] !== 0) memory = true;

  const immediateClass = IMMEDIATES[id]!;
  if (immediateClass !== I_NONE) {
    let immediate = 0;
    let immediateHigh = 0;
    let size = 1;
    switch (immediateClass) {
      case I_BYTE:
      case I_SIGNED_BYTE:
        if (at + 1 > end) return shortage(at + 1, offset);
        immediate = immediateClass === I_BYTE ? bytes[at]! : (bytes[at]! << 24) >> 24;
        immediateHigh = immediate >> 31;
        break;
      case I_WORD:
      case I_ENTER:
        size = immediateClass === I_WORD ? 2 : 3;
        if (at + size > end) return shortage(at + size, offset);
        immediate = bytes[at]! | (bytes[at + 1]! << 8);
        if (size === 3) out.immediate2 = bytes[at + 2]!;
        break;
      case I_Z:
      case I_V:
        size = immediateClass === I_V ? operandSize : operandSize === 2 ? 2 : 4;
        if (at + size > end) return shortage(at + size, offset);
        immediate = size === 2 ? ((bytes[at]! | (bytes[at + 1]! << 8)) << 16) >> 16 : read32(bytes, at);
        immediateHigh = size === 8 ? read32(bytes, at + 4) : immediate >> 31;
        break;
      case I_FAR:
        size = operandSize === 2 ? 4 : 6;
        if (at + size > end) return shortage(at + size, offset);
        immediate = size === 4 ? bytes[at]! | (bytes[at + 1]! << 8) : read32(bytes, at);
        out.immediate2 = bytes[at + size - 2]! | (bytes[at + size - 1]! << 8);
        break;
      case I_OFFSET:
        size = addressSize;
        if (at + size > end) return shortage(at + size, offset);
        displacement = size === 2 ? bytes[at]! | (bytes[at + 1]! << 8) : read32(bytes, at);
        displacementHigh = size === 8 ? read32(bytes, at + 4) : 0;
        immediate = displacement; // all 64 bits, for who keeps only 32 of a displacement
        immediateHigh = displacementHigh;
        break;
    }
    at += size;
    out.immediate = immediate;
    out.immediateHigh = immediateHigh;
  }

  if ((prefixes & PREFIX_LOCK) !== 0 && ((attributes & A_LOCKABLE) === 0 || !memory)) return UNDEFINED;
  if ((prefixes & PREFIX_REX) !== 0) {
    if ((attributes & A_MASK_REG) === 0) reg |= (prefixes & PREFIX_REX_R) >> 5;
    if ((attributes & A_MASK_RM) === 0) rm |= (prefixes & PREFIX_REX_B) >> 7;
  }
  const check = CHECKS[id]!;
  if (check !== C_NONE) {
    if (check === C_SEGMENT_LOAD && (reg === 1 || reg > 5)) return UNDEFINED;
    if (check === C_SEGMENT_STORE && reg > 5) return UNDEFINED;
    if (check === C_CONTROL && (reg === 1 || reg > 4) && reg !== 8) return UNDEFINED;
    if (check === C_DEBUG && reg > 7) return UNDEFINED;
  }

  out.form = FORMS[id]!;
  out.length = (at - offset) | 0;
  out.operandSize = operandSize;
  out.addressSize = addressSize;
  out.prefixes = prefixes;
  out.segment = override >= 0 ? override : segment;
  out.modrm = modrm;
  out.mod = mod;
  out.reg = reg;
  out.rm = rm;
  out.vvvv = long ? vvvv : vvvv & 7;
  out.memory = memory;
  out.base = base;
  out.index = index;
  out.scale = scale;
  out.ripRelative = ripRelative;
  out.displacement = displacement;
  out.displacementHigh = displacementHigh;
  if ((attributes & A_CONDITION) !== 0) out.condition = byte & 15;
  return OK;
}
