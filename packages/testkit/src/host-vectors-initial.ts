/**
 * A random initial state for one instruction, without regard to what it does: registers, flags, both windows of memory.
 */
import { type Random, randomValue, randomWords } from "./host-vectors-random.ts";
import {
  type CaseRecord, CODE_ADDRESS, DATA, DATA_SELECTOR, EFLAGS, EIP, FCW, MXCSR, SELECTORS, STACK, STACK_WINDOW, VECTOR, WINDOW_SIZE,
} from "./host-vectors-record.ts";

const ESP = 4;
const ARITHMETIC_FLAGS = 0x8d5;
const DF = 0x400;
const AC = 0x40000;

/** A place for a jump: within the INT3 bytes, but not within the instruction. */
export function codeTarget(random: Random, within = 0xe00): number {
  const distance = 16 + random.below(within - 16);
  return CODE_ADDRESS + (random.oneIn(2) ? distance : -distance);
}

/** A new random input without regard to the instruction. */
export function fillAtRandom(record: CaseRecord, random: Random): void {
  const { bytes } = record;
  bytes.fill(0);
  record.setU32(EIP, CODE_ADDRESS);
  record.setU32(VECTOR, 0);
  record.setU16(SELECTORS, DATA_SELECTOR);
  record.setU16(SELECTORS + 2, DATA_SELECTOR);
  record.setU16(SELECTORS + 4, DATA_SELECTOR);
  for (let n = 0; n < 8; n++) record.setGpr(n, randomValue(random, 4));
  record.setGpr(ESP, STACK_WINDOW + 0xc0 + 4 * random.below(32) + (random.oneIn(8) ? random.below(4) : 0));
  record.setU32(EFLAGS, 0x202 | (random.next() & (ARITHMETIC_FLAGS | DF)) | (random.oneIn(16) ? AC : 0));
  record.setU16(FCW, 0x37f);
  record.setU32(MXCSR, 0x1f80);
  randomWords(random, record.words, DATA / 4, WINDOW_SIZE / 4);
  randomWords(random, record.words, STACK / 4, WINDOW_SIZE / 4);
}
