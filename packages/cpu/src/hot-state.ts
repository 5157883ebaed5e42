/**
 * Typed access to the hot state that `state-layout.ts` lays out in linear memory. Generated code and TypeScript share the
 * bytes; this is how TypeScript reads and writes them, lazy flags included (SDM volume 1, sections 3.4 and 8.1).
 */
import {
  AUX_AF, AUX_CF, AUX_CIN, AUX_PFX_SHIFT, AUX_SFX, BUDGET, CPL, CS, DS, EFLAGS_REST, ES, FAULT_ADDRESS, FAULT_CODE, FAULT_HAS_CODE,
  FAULT_VECTOR, FLAG_AUX, FLAG_RESULT, FPR, FPR_STRIDE, FPU_CONTROL, FPU_CS, FPU_DP, FPU_DS, FPU_IP, FPU_OPCODE, FPU_STATUS,
  FPU_TAGS, FPU_TRAP, GPR, MODE, MXCSR, RIP, SCRATCH, SEGMENT, SEGMENT_STRIDE, SEG_ATTRIBUTES, SEG_BASE, SEG_LIMIT,
  SEG_READ_LENGTH, SEG_SELECTOR, SEG_WRITE_LENGTH, SS, STACK_MASK, STATE, STATE_SIZE, TLB_VIEW, XMM, XMM_STRIDE,
} from "./state-layout.ts";

const TWO_32 = 0x1_0000_0000;
const ARITHMETIC_FLAGS = 0x8d5;
const FLAT_CODE_AND_DATA = (1 << ES) | (1 << CS) | (1 << SS) | (1 << DS);

/** EFLAGS bits that the lazy-flags words hold: CF PF AF ZF SF OF. */
export const EFLAGS_ARITHMETIC = ARITHMETIC_FLAGS;

/**
 * The registers of the running vCPU. 32-bit values are unsigned numbers; 64-bit ones come as two halves, or as a signed
 * number where they are addresses.
 *
 * @example
 * const state = new HotState(memory.buffer);
 * state.setGpr32(0, 0x12345678);        // EAX, and the upper half of RAX becomes zero
 * state.setEflags(0x246);
 */
export class HotState {
  /** Address of the state in linear memory. */
  readonly base: number;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  /** One bit per segment that has base 0 and may be read, and but for CS written, in all of 4 GiB. */
  #flat = 0;

  /** @param buffer the linear memory's buffer  @param base address of the state, `STATE` unless told */
  constructor(buffer: ArrayBufferLike, base: number = STATE) {
    this.base = base;
    this.#words = new Int32Array(buffer, base, STATE_SIZE >> 2);
    this.#bytes = new Uint8Array(buffer, base, STATE_SIZE);
  }

  /** A signed 32-bit word at a byte offset of the layout. */
  word(offset: number): number {
    return this.#words[offset >> 2];
  }

  /** Writes a 32-bit word at a byte offset of the layout. */
  setWord(offset: number, value: number): void {
    this.#words[offset >> 2] = value;
  }

  /** A 64-bit value at a byte offset, as a signed number (exact to 53 bits: addresses). */
  address(offset: number): number {
    return this.#words[(offset >> 2) + 1] * TWO_32 + (this.#words[offset >> 2] >>> 0);
  }

  /** Writes a signed number as 64 bits. */
  setAddress(offset: number, value: number): void {
    this.#words[offset >> 2] = value; // a store takes the low 32 bits of any integer
    this.#words[(offset >> 2) + 1] = Math.floor(value / TWO_32);
  }

  /** The low 16 bits of a general register, unsigned. */
  gpr16(register: number): number {
    return this.#words[(GPR >> 2) + 2 * register] & 0xffff;
  }

  /** The low 32 bits of a general register, unsigned. */
  gpr32(register: number): number {
    return this.#words[(GPR >> 2) + 2 * register] >>> 0;
  }

  /** The upper 32 bits of a general register, unsigned. */
  gprHigh(register: number): number {
    return this.#words[(GPR >> 2) + 2 * register + 1] >>> 0;
  }

  /** A whole general register as a signed number, for canonical addresses. */
  gprAddress(register: number): number {
    return this.address(GPR + 8 * register);
  }

  /** Writes the low 16 bits only. */
  setGpr16(register: number, value: number): void {
    const word = (GPR >> 2) + 2 * register;
    this.#words[word] = (this.#words[word] & ~0xffff) | (value & 0xffff);
  }

  /** Writes 32 bits and clears the upper half. */
  setGpr32(register: number, value: number): void {
    const word = (GPR >> 2) + 2 * register;
    this.#words[word] = value;
    this.#words[word + 1] = 0;
  }

  /** Writes both halves. */
  setGpr64(register: number, low: number, high: number): void {
    const word = (GPR >> 2) + 2 * register;
    this.#words[word] = low;
    this.#words[word + 1] = high;
  }

  /** The instruction pointer: unsigned below 2^32 outside 64-bit mode. */
  get rip(): number {
    return this.address(RIP);
  }

  set rip(value: number) {
    this.setAddress(RIP, value);
  }

  /** All of EFLAGS, with the lazy flags worked out. */
  get eflags(): number {
    const low = this.#words[FLAG_RESULT >> 2];
    const high = this.#words[(FLAG_RESULT >> 2) + 1];
    const aux = this.#words[FLAG_AUX >> 2];
    const carry = aux >>> 31;
    let parity = (low ^ (aux >>> AUX_PFX_SHIFT)) & 0xff;
    parity ^= parity >> 4;
    const even = (0x9669 >> (parity & 15)) & 1;
    return (this.#words[EFLAGS_REST >> 2] & ~ARITHMETIC_FLAGS) | carry | (even << 2) | (aux & AUX_AF ? 0x10 : 0)
      | ((low | high) === 0 ? 0x40 : 0) | (((high >>> 31) ^ (aux & AUX_SFX)) << 7) | ((carry ^ ((aux >>> 30) & 1)) << 11);
  }

  /** Scatters EFLAGS over the lazy flags and the rest. Bit 1 is always set. */
  set eflags(value: number) {
    const zero = (value & 0x40) !== 0;
    const even = (value & 4) !== 0;
    const carry = value & 1;
    const overflow = (value >>> 11) & 1;
    this.#words[FLAG_RESULT >> 2] = zero ? 0 : 1;
    this.#words[(FLAG_RESULT >> 2) + 1] = 0;
    this.#words[FLAG_AUX >> 2] = (carry ? AUX_CF : 0) | (carry !== overflow ? AUX_CIN : 0) | (value & 0x10 ? AUX_AF : 0)
      | (value & 0x80 ? AUX_SFX : 0) | (zero !== even ? 1 << AUX_PFX_SHIFT : 0);
    this.#words[EFLAGS_REST >> 2] = (value & ~ARITHMETIC_FLAGS) | 2;
  }

  /** EFLAGS without the arithmetic flags: cheap, for IF, TF, IOPL, VM and the like. */
  get systemFlags(): number {
    return this.#words[EFLAGS_REST >> 2];
  }

  set systemFlags(value: number) {
    this.#words[EFLAGS_REST >> 2] = (value & ~ARITHMETIC_FLAGS) | 2;
  }

  get cpl(): number {
    return this.#words[CPL >> 2];
  }

  set cpl(value: number) {
    this.#words[CPL >> 2] = value;
  }

  /** The mode key; see `mode.ts`. */
  get mode(): number {
    return this.#words[MODE >> 2];
  }

  set mode(value: number) {
    this.#words[MODE >> 2] = value;
  }

  get budget(): number {
    return this.#words[BUDGET >> 2];
  }

  set budget(value: number) {
    this.#words[BUDGET >> 2] = value;
  }

  set tlbView(address: number) {
    this.#words[TLB_VIEW >> 2] = address;
  }

  /** Why x87, MMX and SSE instructions may not run; see `FPU_TRAP`. */
  get fpuTrap(): number {
    return this.#words[FPU_TRAP >> 2];
  }
  set fpuTrap(bits: number) {
    this.#words[FPU_TRAP >> 2] = bits;
  }

  /** Bytes of ESP that the stack segment uses, as a mask: 0xffff, 0xffffffff, or -1 for 64 bits. */
  get stackMask(): number {
    return this.address(STACK_MASK);
  }

  set stackMask(mask: number) {
    this.#words[STACK_MASK >> 2] = mask;
    this.#words[(STACK_MASK >> 2) + 1] = mask < 0 ? -1 : 0;
  }

  /** Vector of the pending fault. */
  get faultVector(): number {
    return this.#words[FAULT_VECTOR >> 2];
  }

  /** Error code of the pending fault, or -1 when it has none. */
  get faultCode(): number {
    return this.#words[FAULT_HAS_CODE >> 2] ? this.#words[FAULT_CODE >> 2] : -1;
  }

  /** Records a fault; `code` -1 means that the vector has no error code. */
  setFault(vector: number, code: number): void {
    this.#words[FAULT_VECTOR >> 2] = vector;
    this.#words[FAULT_CODE >> 2] = code < 0 ? 0 : code;
    this.#words[FAULT_HAS_CODE >> 2] = code < 0 ? 0 : 1;
  }

  /** Linear address of the pending page fault. */
  get faultAddress(): number {
    return this.address(FAULT_ADDRESS);
  }

  set faultAddress(linear: number) {
    this.setAddress(FAULT_ADDRESS, linear);
  }

  /** Word `index` (0 to 3) of the 16 scratch bytes, unsigned. */
  scratch(index: number): number {
    return this.#words[(SCRATCH >> 2) + index] >>> 0;
  }

  /** Writes a word of the scratch bytes. */
  setScratch(index: number, value: number): void {
    this.#words[(SCRATCH >> 2) + index] = value;
  }

  /** Hands a 64-bit value back to generated code. */
  setScratch64(low: number, high: number): void {
    this.#words[SCRATCH >> 2] = low;
    this.#words[(SCRATCH >> 2) + 1] = high;
  }

  selector(segment: number): number {
    return this.#words[(SEGMENT + segment * SEGMENT_STRIDE + SEG_SELECTOR) >> 2];
  }

  setSelector(segment: number, selector: number): void {
    this.#words[(SEGMENT + segment * SEGMENT_STRIDE + SEG_SELECTOR) >> 2] = selector & 0xffff;
  }

  /** Base of a segment, unsigned below 2^32 outside 64-bit mode. */
  segmentBase(segment: number): number {
    return this.address(SEGMENT + segment * SEGMENT_STRIDE + SEG_BASE);
  }

  setSegmentBase(segment: number, base: number): void {
    this.setAddress(SEGMENT + segment * SEGMENT_STRIDE + SEG_BASE, base);
    this.#noteFlat(segment);
  }

  /** Limit in bytes, unsigned. */
  segmentLimit(segment: number): number {
    return this.#words[(SEGMENT + segment * SEGMENT_STRIDE + SEG_LIMIT) >> 2] >>> 0;
  }

  setSegmentLimit(segment: number, limit: number): void {
    this.#words[(SEGMENT + segment * SEGMENT_STRIDE + SEG_LIMIT) >> 2] = limit;
  }

  /** Access rights as the layout describes them; bit 0 set for an unusable segment. */
  segmentAttributes(segment: number): number {
    return this.#words[(SEGMENT + segment * SEGMENT_STRIDE + SEG_ATTRIBUTES) >> 2];
  }

  setSegmentAttributes(segment: number, attributes: number): void {
    this.#words[(SEGMENT + segment * SEGMENT_STRIDE + SEG_ATTRIBUTES) >> 2] = attributes;
  }

  /** The lengths that generated code compares offsets with. */
  setSegmentLengths(segment: number, read: number, write: number): void {
    const at = SEGMENT + segment * SEGMENT_STRIDE;
    this.setAddress(at + SEG_READ_LENGTH, read);
    this.setAddress(at + SEG_WRITE_LENGTH, write);
    this.#noteFlat(segment);
  }

  /**
   * Loads a segment register at once: `base` and `limit` as 32-bit words, `baseHigh` above them; reads and writes as far as `limit` where they
   * are permitted.
   */
  setSegment(segment: number, selector: number, base: number, baseHigh: number, limit: number, attributes: number, read: boolean, write: boolean): void {
    const words = this.#words;
    const at = (SEGMENT + segment * SEGMENT_STRIDE) >> 2;
    words[at + (SEG_SELECTOR >> 2)] = selector & 0xffff;
    words[at + (SEG_BASE >> 2)] = base;
    words[at + (SEG_BASE >> 2) + 1] = baseHigh;
    words[at + (SEG_LIMIT >> 2)] = limit;
    words[at + (SEG_ATTRIBUTES >> 2)] = attributes;
    const length = limit + 1;
    const high = (limit | 0) === -1 ? 1 : 0;
    words[at + (SEG_READ_LENGTH >> 2)] = read ? length : 0;
    words[at + (SEG_READ_LENGTH >> 2) + 1] = read ? high : 0;
    words[at + (SEG_WRITE_LENGTH >> 2)] = write ? length : 0;
    words[at + (SEG_WRITE_LENGTH >> 2) + 1] = write ? high : 0;
    const flat = (base | baseHigh) === 0 && read && high === 1 && (write || segment === CS);
    this.#flat = flat ? this.#flat | (1 << segment) : this.#flat & ~(1 << segment);
  }

  /** Whether ES, CS, SS and DS have base 0 and may be read, and but for CS written, in all of 4 GiB. */
  get flat(): boolean {
    return (this.#flat & FLAT_CODE_AND_DATA) === FLAT_CODE_AND_DATA;
  }

  #noteFlat(segment: number): void {
    const words = this.#words;
    const at = (SEGMENT + segment * SEGMENT_STRIDE) >> 2;
    const base = at + (SEG_BASE >> 2);
    const read = at + (SEG_READ_LENGTH >> 2);
    const last = segment === CS ? read : at + (SEG_WRITE_LENGTH >> 2);
    const flat = (words[base] | words[base + 1] | words[read] | words[last]) === 0 && words[read + 1] === 1 && words[last + 1] === 1;
    this.#flat = flat ? this.#flat | (1 << segment) : this.#flat & ~(1 << segment);
  }

  get fpuControl(): number {
    return this.#words[FPU_CONTROL >> 2] & 0xffff;
  }

  set fpuControl(value: number) {
    this.#words[FPU_CONTROL >> 2] = value & 0xffff;
  }

  get fpuStatus(): number {
    return this.#words[FPU_STATUS >> 2] & 0xffff;
  }

  set fpuStatus(value: number) {
    this.#words[FPU_STATUS >> 2] = value & 0xffff;
  }

  /** Bit i is set when physical register i is not empty. */
  get fpuTags(): number {
    return this.#words[FPU_TAGS >> 2] & 0xff;
  }

  set fpuTags(value: number) {
    this.#words[FPU_TAGS >> 2] = value & 0xff;
  }

  get fpuOpcode(): number {
    return this.#words[FPU_OPCODE >> 2] & 0x7ff;
  }

  set fpuOpcode(value: number) {
    this.#words[FPU_OPCODE >> 2] = value & 0x7ff;
  }

  /** Last x87 instruction pointer. */
  get fpuIp(): number {
    return this.address(FPU_IP);
  }

  /** Last x87 data pointer. */
  get fpuDp(): number {
    return this.address(FPU_DP);
  }

  /** Sets the x87 pointers and their selectors. */
  setFpuPointers(ip: number, cs: number, dp: number, ds: number): void {
    this.setAddress(FPU_IP, ip);
    this.setAddress(FPU_DP, dp);
    this.#words[FPU_CS >> 2] = cs & 0xffff;
    this.#words[FPU_DS >> 2] = ds & 0xffff;
  }

  get fpuCs(): number {
    return this.#words[FPU_CS >> 2] & 0xffff;
  }

  get fpuDs(): number {
    return this.#words[FPU_DS >> 2] & 0xffff;
  }

  get mxcsr(): number {
    return this.#words[MXCSR >> 2];
  }

  set mxcsr(value: number) {
    this.#words[MXCSR >> 2] = value;
  }

  /** A copy of the x87, MMX and SSE registers with their control and status words. */
  numericImage(): Uint8Array {
    return this.#bytes.slice(FPR, MXCSR + 4);
  }

  /** Takes the registers of {@link numericImage}. */
  setNumericImage(image: Uint8Array): void {
    this.#bytes.set(image, FPR);
  }

  /** The ten bytes of physical x87 register `index` (a view, not a copy). */
  fpr(index: number): Uint8Array {
    return this.#bytes.subarray(FPR + index * FPR_STRIDE, FPR + index * FPR_STRIDE + 10);
  }

  /** Copies the ten bytes of a physical x87 register to a place in `out`. */
  readFpr(index: number, out: Uint8Array, at: number): void {
    for (let i = 0; i < 10; i += 1) out[at + i] = this.#bytes[FPR + index * FPR_STRIDE + i]!;
  }

  /** Takes the ten bytes of a physical x87 register from a place in `bytes`. */
  writeFpr(index: number, bytes: Uint8Array, at: number): void {
    for (let i = 0; i < 10; i += 1) this.#bytes[FPR + index * FPR_STRIDE + i] = bytes[at + i]!;
  }

  /** The first XMM registers, one behind the other (a view, not a copy). */
  xmms(count: number): Uint8Array {
    return this.#bytes.subarray(XMM, XMM + count * XMM_STRIDE);
  }

  /** The sixteen bytes of an XMM register (a view, not a copy). */
  xmm(index: number): Uint8Array {
    return this.#bytes.subarray(XMM + index * XMM_STRIDE, XMM + (index + 1) * XMM_STRIDE);
  }

  /** A copy of all bytes, for a vCPU switch or a save. */
  copy(): Uint8Array {
    return this.#bytes.slice();
  }

  /** Takes all bytes from a copy. */
  load(bytes: Uint8Array): void {
    this.#bytes.set(bytes.subarray(0, STATE_SIZE));
    for (let segment = ES; segment <= DS; segment += 1) this.#noteFlat(segment);
  }

  /** Sets every byte to zero. */
  clear(): void {
    this.load(new Uint8Array(STATE_SIZE));
  }
}
