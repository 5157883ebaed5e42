/**
 * The cache of decoded code: blocks of records by machine address and mode, dropped when their bytes are written (engine.md,
 * items 7 and 14). A block runs from its first instruction to an unconditional transfer, the page's end or 64 instructions;
 * behind it stands an END record. Records that are dropped are turned into END records, so that code that is
 * running right now looks its next instruction up again.
 *
 *   region = records, allocated in order; when it is full everything is dropped and allocation starts anew
 */
import { type Frame, type Frames, PAGE_SIZE, type WriteObserver } from "@doppel/memory";
import { decode, FORMS, type Form, Instruction, MAXIMUM_LENGTH, OK, TOO_LONG, TRUNCATED, type CodeSize } from "@doppel/x86";
import type { Cpu } from "./cpu.ts";
import { CONTROL_FROM, HANDLER_END } from "./dispatch.ts";
import { MODE_CODE32, MODE_FLAT, MODE_LONG, MODE_SINGLE, MODE_STACK32 } from "./mode.ts";
import { ENTRY_NUMBER, encodeRecord, R_EXECUTED, R_HANDLER, R_LENGTH, R_LINK, R_OFFSET, RECORD_SIZE, REGION_MARK } from "./record.ts";
import { factsOf } from "./form-facts.ts";
import type { FrameBlocks } from "./frame-blocks.ts";
import { type CodeRegion, FrameCode } from "./frame-code.ts";
import { codeKey, hostOfKey, modeOfKey } from "./code-key.ts";
import { KeyMap } from "./key-map.ts";
import { RecordIndex } from "./record-index.ts";
import { FETCH_FAULT, FETCH_NO_MEMORY } from "./system/linear-memory.ts";
import { CS, GENERATION, GLOBAL_GENERATION, RESUME, STATE } from "./state-layout.ts";

/** The part of the mode key that decides how bytes become records. */
const CODE_KEY = MODE_CODE32 | MODE_STACK32 | MODE_FLAT | MODE_LONG | MODE_SINGLE;
const MAX_INSTRUCTIONS = 64;
const RECORD_WORDS = RECORD_SIZE >> 2;
/** Bit of the numbers of GLOBAL_GENERATION. */
const GLOBAL = 1 << 30;

/** Handlers for what is no instruction. */
export interface HandlerTable {
  /** Number of the handler for a decoded instruction. */
  handler(instruction: Instruction, long: boolean, flat: boolean): number;
  /** Number of the handler for two instructions together, by those of each alone, or 0. */
  fused(first: number, second: number, long: boolean): number;
  /** Number of the handler for a pair's first instruction alone; others stand for themselves. */
  alone(handler: number, long: boolean): number;
  /** Whether a handler of one instruction is a conditional jump's. */
  isConditionalJump(handler: number, long: boolean): boolean;
}

interface CachedBlock {
  readonly record: number;
  /** Bytes. */
  readonly length: number;
  /** Where the second page of a block is that lies in two, or 0. */
  readonly second: number;
}

/** A block was found or made. */
export const FOUND = 0;
/** Fetching the first instruction recorded a fault. */
export const FETCH_FAULTED = 1;

/** Finds and decodes blocks for one vCPU. */
export class CodeCache implements WriteObserver {
  /** The block's first record after `find` returned `FOUND`. */
  record = 0;
  /** Its vCPU is the one that runs: the hot state in memory is that one's, and carries these generations. */
  active = false;
  /** What GENERATION in the hot state must be while this cache is in use. */
  generation = 1;
  /** The same for GLOBAL_GENERATION. */
  globalGeneration = GLOBAL;
  /** After `find` returned `FOUND`: the block lies on a global page. */
  global = false;
  /** After `find` returned `FOUND`: where its code is, if nothing but the mapping of that page decides whether it may run; else 0. */
  host = 0;
  /** Called when decoded code has been dropped: its records lead nowhere. */
  onDropped: () => void = () => {};
  /** Called when nothing that leads to records may be used any more. */
  onForgotten: () => void = () => {};
  /** Takes write permission for a frame out of the TLB; of every vCPU's, where there are several. */
  revokeWrite: (frame: Frame) => void;
  /** Instructions decoded since construction. */
  decoded = 0;
  /** Writes that code was dropped for. */
  invalidated = 0;
  private readonly cpu: Cpu;
  private readonly frames: Frames;
  private readonly observer: number;
  private readonly table: HandlerTable;
  private readonly base: number;
  private readonly end: number;
  private next: number;
  private readonly view: DataView;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  /**
   * By mode and host address; undefined where there is none any more: what is deleted from a Map stays in its chain until the whole table is made
   * anew, so code that is written again and again would make every look-up of it longer.
   */
  private readonly blocks = new KeyMap<CachedBlock | undefined>();
  /** By frame; here, too, undefined where there is none any more. */
  private readonly code = new Map<Frame, FrameCode | undefined>();
  /** That of the frame dropped last, empty: code that is written again and again needs none anew. */
  private spare: FrameCode | undefined;
  private readonly index = new RecordIndex();
  private readonly regions = new Set<CodeRegion>();
  /** Regions and their entries' numbers, by the key of the entry. */
  private readonly entries = new KeyMap<{ readonly region: CodeRegion; readonly number: number }>();
  /** Told when a region's code has changed, or everything is dropped. */
  onRegionDropped: (region: CodeRegion) => void = () => {};
  /** Told of every block that is decoded, when somebody wants to know. */
  onBlock: ((key: number, host: number, linear: number) => void) | undefined;
  /** Says of which instructions a block ends behind, when somebody wants to put regions in the place of what follows them. */
  isBarrier: ((instruction: Instruction, long: boolean, flat: boolean) => boolean) | undefined;
  /** Blocks end at these instructions, also where the code runs on behind them; see `Interpreter.observe`. */
  splitsAt: ReadonlySet<string> | undefined;
  /** Nobody watches what regions would not show. */
  regionsAllowed = true;
  /** Offsets in a page at which a block always begins: host breakpoints stand there in some page. */
  private stops: ReadonlySet<number> = new Set();
  private readonly instruction = new Instruction();
  private readonly window = new Uint8Array(2 * MAXIMUM_LENGTH);
  private readonly undefinedForm: Form;
  /** What the processor executes for each form, by the form's number, where it is not undefined. */
  private readonly forms = new Array<Form | undefined>(FORMS.length);

  /** @param base region of the arena for records @param size its bytes */
  constructor(cpu: Cpu, frames: Frames, table: HandlerTable, base: number, size: number) {
    this.cpu = cpu;
    this.frames = frames;
    this.table = table;
    this.base = this.next = base;
    this.end = base + size - (size % RECORD_SIZE);
    this.view = frames.arena.view;
    this.words = new Int32Array(frames.arena.buffer);
    this.bytes = frames.arena.u8;
    this.revokeWrite = (frame) => cpu.mmu.tlb.revokeWrite(frame);
    this.observer = frames.addObserver(this);
    this.undefinedForm = FORMS.find((form) => form.mnemonic === "UD2")!;
  }

  /** Finds or decodes the block at a linear address. */
  find(linear: number): number {
    const { cpu } = this;
    const host = cpu.linear.fetch(linear);
    if (host === FETCH_FAULT) return FETCH_FAULTED;
    // A block of one page only: a second page may be mapped otherwise.
    this.global = cpu.mmu.tlb.isGlobal(cpu.mmu.viewOf(cpu.state.cpl === 3), linear) && (linear & 0xfff) + MAXIMUM_LENGTH <= PAGE_SIZE;
    const mode = cpu.state.mode & CODE_KEY;
    this.host = 0;
    if (host === FETCH_NO_MEMORY) return this.decodeLoose(linear, mode);
    const key = codeKey(host, mode);
    const known = this.blocks.get(key);
    if (known !== undefined && this.stillFits(known, linear, mode)) {
      this.record = known.record;
      if (known.second === 0 && (mode & (MODE_FLAT | MODE_LONG)) !== 0) this.host = host;
      return FOUND;
    }
    return this.decodeBlock(linear, host, mode, key);
  }

  /** Whether a cached block may run here: its second page is mapped as it was, and it lies within the CS limit. */
  private stillFits(block: CachedBlock, linear: number, mode: number): boolean {
    if (block.second !== 0) {
      const second = this.cpu.linear.fetch(this.cpu.wrap(linear - (linear & 0xfff) + PAGE_SIZE));
      if (second !== block.second) return false;
    }
    return (mode & MODE_FLAT) !== 0 || this.room(linear) >= block.length;
  }

  /** Bytes from a linear address to the end of the code segment. */
  private room(linear: number): number {
    const { state } = this.cpu;
    return state.segmentLimit(CS) + 1 - this.cpu.wrap(linear - state.segmentBase(CS));
  }

  private decodeBlock(linear: number, host: number, mode: number, key: number): number {
    if (this.next + (MAX_INSTRUCTIONS + 2) * RECORD_SIZE > this.end) this.recycle();
    const flat = (mode & MODE_FLAT) !== 0;
    const long = (mode & MODE_LONG) !== 0;
    const codeSize: CodeSize = long ? 8 : mode & MODE_CODE32 ? 4 : 2;
    const page = host - (host & (PAGE_SIZE - 1));
    const pageEnd = page + PAGE_SIZE;
    const room = flat ? PAGE_SIZE + MAXIMUM_LENGTH : this.room(linear);
    const limit = Math.min(pageEnd, host + Math.max(room, 0));
    const single = (mode & MODE_SINGLE) !== 0;
    if (!single && this.stops.size === 0 && this.share(host, mode, key, limit)) {
      if (flat || long) this.host = host;
      this.onBlock?.(key, host, linear);
      return FOUND;
    }
    const first = this.next;
    let record = first;
    let at = host;
    for (let n = 0; n < MAX_INSTRUCTIONS; n++) {
      if (n > 0 && this.stops.size > 0 && this.stops.has(at & (PAGE_SIZE - 1))) break;
      const copied = !single && at < limit ? this.copy(at, mode, record, limit - page, this.stops.size > 0 ? 1 : MAX_INSTRUCTIONS - n) : 0;
      if (copied > 0) {
        n += copied - 1;
        record += copied * RECORD_SIZE;
        at = page + this.view.getUint16(record - RECORD_SIZE + R_OFFSET, true) + this.view.getUint8(record - RECORD_SIZE + R_LENGTH);
        continue;
      }
      const { instruction } = this;
      const status = decode(this.bytes, at, limit, codeSize, instruction);
      if (status === TRUNCATED) {
        if (n > 0) break;
        return limit === pageEnd && room > pageEnd - host ? this.decodeAcross(linear, host, mode, key) : this.limitFault();
      }
      if (status !== OK) {
        // What is no instruction raises its fault when it is reached.
        if (status === TOO_LONG && n > 0) break;
        if (status === TOO_LONG) return this.limitFault();
        this.become(this.undefinedForm, Math.min(MAXIMUM_LENGTH, limit - at));
      }
      const form = this.available();
      const handler = this.table.handler(instruction, long, flat);
      encodeRecord(this.words, record, handler, at & (PAGE_SIZE - 1), instruction);
      if (!single) this.index.set(at, mode, record);
      record += RECORD_SIZE;
      at += instruction.length;
      this.decoded++;
      if (single || factsOf(form).endsRecords || (this.splitsAt !== undefined && this.splitsAt.has(form.mnemonic))) break;
      if (this.isBarrier !== undefined && this.isBarrier(instruction, long, flat)) break;
    }
    if (!single) this.pair(first, record, long);
    this.finish(record, (host & (PAGE_SIZE - 1)) + (at - host));
    this.enter(key, first, record, host, at - host, 0);
    if (flat || long) this.host = host;
    if (!single) this.onBlock?.(key, host, linear);
    return FOUND;
  }

  /** Has a block begin in the middle of another one, in whose records it is then; false where there is none that reaches no further than this may. */
  private share(host: number, mode: number, key: number, limit: number): boolean {
    const record = this.index.find(host, mode);
    if (record === 0) return false;
    const { words } = this;
    let word = record >> 2;
    if ((words[word]! & 0xffff) === HANDLER_END) return false;
    while ((words[word]! & 0xffff) !== HANDLER_END) word += RECORD_WORDS;
    const from = host & (PAGE_SIZE - 1);
    const to = words[word]! >>> 16;
    if (host - from + to > limit) return false;
    this.record = record;
    this.blocks.set(key, { record, length: to - from, second: 0 });
    // The other block counts and drops its records.
    this.code.get(Math.floor(host / PAGE_SIZE))!.blocks.add(key, record, 0, from, to);
    this.place(key, record);
    return true;
  }

  /**
   * Makes records of instructions from those that they have in another block, each of which has another instruction behind it: so it ends no block
   * by itself. Returns how many, at most `most`.
   * @param end where in the page the last one must end
   */
  private copy(at: number, mode: number, record: number, end: number, most: number): number {
    const known = this.index.find(at, mode);
    if (known === 0) return 0;
    const { words } = this;
    let from = known >> 2;
    let to = record >> 2;
    let count = 0;
    while (count < most && (words[from]! & 0xffff) !== HANDLER_END && (words[from + (R_LENGTH >> 2)]! >>> 8 & 0xff) !== REGION_MARK) {
      const next = words[from + RECORD_WORDS]!;
      if ((next & 0xffff) === HANDLER_END || next >>> 16 > end) break;
      for (let n = 0; n < RECORD_WORDS; n++) words[to + n] = words[from + n]!;
      words[to + (R_EXECUTED >> 2)] = 0;
      this.view.setUint16((to << 2) + R_HANDLER, this.table.alone(words[from]! & 0xffff, (mode & MODE_LONG) !== 0), true);
      // Where a jump leads each block learns for itself. Masks and second immediates, which stand there otherwise, are no addresses of records.
      const link = words[to + (R_LINK >> 2)]!;
      if (link >= this.base && link < this.end) words[to + (R_LINK >> 2)] = 0;
      from += RECORD_WORDS;
      to += RECORD_WORDS;
      count++;
    }
    this.decoded += count;
    return count;
  }

  /** Makes pairs of the records of a block: from left to right, but an instruction is left to make one with the conditional jump behind it. */
  private pair(first: number, end: number, long: boolean): void {
    const { words, table } = this;
    const last = (end >> 2) - RECORD_WORDS;
    for (let word = first >> 2; word < last; word += RECORD_WORDS) {
      const next = words[word + RECORD_WORDS]! & 0xffff;
      const fused = table.fused(words[word]! & 0xffff, next, long);
      if (fused === 0) continue;
      const third = word + RECORD_WORDS < last ? words[word + 2 * RECORD_WORDS]! & 0xffff : HANDLER_END;
      if (table.isConditionalJump(third, long) && table.fused(next, third, long) !== 0) continue;
      words[word] = (words[word]! & ~0xffff) | fused;
      word += RECORD_WORDS;
    }
  }

  /** Whether code may be put in the place of blocks: not while the host wants to stop at some of their instructions. */
  get takesRegions(): boolean {
    return this.stops.size === 0 && this.regionsAllowed;
  }

  /** Turns the instruction into its fallback, or into an undefined one, where the CPU lacks the feature. */
  private available(): Form {
    const { instruction } = this;
    const usual = this.forms[instruction.form.id];
    if (usual !== undefined) return (instruction.form = usual);
    let form: Form | undefined = instruction.form;
    while (form !== undefined && !this.cpu.hasFeature(form.feature)) form = form.fallback;
    if (form === undefined) this.become(this.undefinedForm, instruction.length);
    else {
      this.forms[instruction.form.id] = form;
      instruction.form = form;
    }
    return instruction.form;
  }

  private become(form: Form, length: number): void {
    const { instruction } = this;
    instruction.form = form;
    instruction.length = length;
    instruction.memory = false;
    instruction.prefixes = 0;
    instruction.operandSize = 4;
  }

  /** #GP(0): the instruction is longer than 15 bytes, or reaches beyond the code segment. */
  private limitFault(): number {
    this.cpu.raise(13, 0);
    return FETCH_FAULTED;
  }

  /** One instruction that lies in two pages. */
  private decodeAcross(linear: number, host: number, mode: number, key: number): number {
    const { cpu, window } = this;
    const offset = host & (PAGE_SIZE - 1);
    const before = PAGE_SIZE - offset;
    const second = cpu.linear.fetch(cpu.wrap(linear + before));
    if (second === FETCH_FAULT) return FETCH_FAULTED;
    window.fill(0xff);
    window.set(this.bytes.subarray(host, host + before), 0);
    if (second !== FETCH_NO_MEMORY) window.set(this.bytes.subarray(second, second + MAXIMUM_LENGTH), before);
    const status = this.decodeWindow(linear, mode, offset);
    if (status !== FOUND) return status;
    if (second === FETCH_NO_MEMORY) return FOUND;
    const { length } = this.instruction;
    this.enter(key, this.record, this.next - RECORD_SIZE, host, before, second);
    this.mark(second, Math.max(0, length - before), this.record, 2, key);
    return FOUND;
  }

  /** An instruction where there is no memory (all ones), or at a page's edge: decoded each time it is reached. */
  private decodeLoose(linear: number, mode: number): number {
    this.window.fill(0xff);
    return this.decodeWindow(linear, mode, linear & (PAGE_SIZE - 1));
  }

  /** Decodes the one instruction in the window into a block of its own, which the caller may enter. */
  private decodeWindow(linear: number, mode: number, offset: number): number {
    const flat = (mode & MODE_FLAT) !== 0;
    const long = (mode & MODE_LONG) !== 0;
    const limit = Math.min(MAXIMUM_LENGTH, flat ? MAXIMUM_LENGTH : this.room(linear));
    const status = decode(this.window, 0, Math.max(limit, 0), long ? 8 : mode & MODE_CODE32 ? 4 : 2, this.instruction);
    if (status === TOO_LONG || status === TRUNCATED) return this.limitFault();
    if (status !== OK) this.become(this.undefinedForm, 1);
    this.available();
    this.record = this.next;
    encodeRecord(this.words, this.record, this.table.handler(this.instruction, long, flat), offset, this.instruction);
    this.decoded++;
    this.finish(this.record + RECORD_SIZE, offset + this.instruction.length);
    return FOUND;
  }

  private finish(record: number, offset: number): void {
    this.view.setUint16(record + R_HANDLER, HANDLER_END, true);
    this.view.setUint16(record + R_OFFSET, offset, true);
    this.next = record + RECORD_SIZE;
  }

  private enter(key: number, first: number, endRecord: number, host: number, length: number, second: number): void {
    this.record = first;
    this.blocks.set(key, { record: first, length: second === 0 ? length : this.instruction.length, second });
    if (second === 0) this.place(key, first);
    this.mark(host, length, first, (endRecord - first) / RECORD_SIZE + 1, key);
  }

  /** Watches the frame that a block's bytes lie in. */
  private mark(host: number, length: number, record: number, count: number, key: number): FrameCode {
    const frame = Math.floor(host / PAGE_SIZE);
    let code = this.code.get(frame);
    if (code === undefined) {
      code = this.spare ?? new FrameCode();
      this.spare = undefined;
      this.code.set(frame, code);
      this.frames.watch(frame, this.observer);
      this.revokeWrite(frame);
    }
    const from = host & (PAGE_SIZE - 1);
    code.mark(from, from + length);
    if (count > 0) {
      const bytes = Math.floor(hostOfKey(key) / PAGE_SIZE) === frame ? (this.blocks.get(key)?.length ?? length) : 0;
      code.blocks.add(key, record, count, from, from + bytes);
    }
    return code;
  }

  /**
   * Puts a region in the place of the blocks that begin at its entries: their first records get the region's handler, now and when they
   * are decoded again.
   */
  install(region: CodeRegion): void {
    this.regions.add(region);
    for (const { host, length } of region.spans) this.mark(host, length, 0, 0, 0).regions.add(region);
    for (const [number, key] of region.keys.entries()) {
      this.entries.set(key, { region, number });
      const block = this.blocks.get(key);
      if (block !== undefined) this.place(key, block.record);
    }
  }

  /** Turns a block's first record into a region's, if there is one: its link leads to the instruction alone, with the end of a block behind it. */
  private place(key: number, record: number): void {
    const entry = this.entries.get(key);
    if (entry === undefined || this.next + 2 * RECORD_SIZE > this.end) return;
    const long = (modeOfKey(key) & MODE_LONG) !== 0;
    // In the middle of another block it may have been a pair's second instruction. Before a block of its own stands the end of one.
    const before = record - RECORD_SIZE;
    if (before >= this.base) this.view.setUint16(before + R_HANDLER, this.table.alone(this.view.getUint16(before + R_HANDLER, true), long), true);
    if (this.view.getUint8(record + R_LENGTH) === REGION_MARK) {
      // Another region was there: the link stands already.
      this.view.setUint16(record + R_HANDLER, entry.region.handler, true);
      this.view.setInt32(record + ENTRY_NUMBER, entry.number, true);
      return;
    }
    const host = hostOfKey(key);
    const mode = modeOfKey(key);
    decode(this.bytes, host, host - (host & (PAGE_SIZE - 1)) + PAGE_SIZE, long ? 8 : mode & MODE_CODE32 ? 4 : 2, this.instruction);
    this.available();
    const alone = this.next;
    encodeRecord(this.words, alone, this.table.handler(this.instruction, long, (mode & MODE_FLAT) !== 0), host & (PAGE_SIZE - 1), this.instruction);
    this.finish(alone + RECORD_SIZE, (host & (PAGE_SIZE - 1)) + this.instruction.length);
    this.mark(host, this.instruction.length, alone, 2, key);
    this.view.setUint16(record + R_HANDLER, entry.region.handler, true);
    this.view.setInt32(record + ENTRY_NUMBER, entry.number, true);
    this.view.setInt32(record + R_LINK, alone, true);
    this.view.setUint8(record + R_LENGTH, REGION_MARK);
    // A direct jump that is under way may stand here: its record leads to the instruction alone now, and not to where that goes.
    if (this.view.getInt32(STATE + CONTROL_FROM, true) === record) this.view.setInt32(STATE + CONTROL_FROM, 0, true);
  }

  /** Whether a record was made of the byte at a host address: code there was reached. */
  isKnown(host: number): boolean {
    const at = host & (PAGE_SIZE - 1);
    return this.code.get((host - at) / PAGE_SIZE)?.isMarked(at) ?? false;
  }

  /** Bytes of a block, by its key; 0 where there is none. */
  lengthOf(key: number): number {
    return this.blocks.get(key)?.length ?? 0;
  }

  /** How often a block was interpreted since it was decoded, by its key. */
  executed(key: number): number {
    const block = this.blocks.get(key);
    return block === undefined ? 0 : this.words[(block.record + R_EXECUTED) >> 2]! >>> 0;
  }

  /** How often the instructions of a page were interpreted, by their offsets in it, since they were decoded; for a host address in it. */
  executions(host: number): Uint32Array {
    const page = new Uint32Array(PAGE_SIZE);
    const mode = this.keyOf(0);
    const blocks = this.code.get(Math.floor(host / PAGE_SIZE))?.blocks;
    const { words, table } = this;
    const long = (mode & MODE_LONG) !== 0;
    for (let block = 0; block < (blocks?.length ?? 0); block++) {
      if (blocks!.mode(block) !== mode) continue;
      const first = blocks!.record(block);
      let before = 0;
      for (let n = 0; n < blocks!.count(block) - 1; n++) {
        const at = (first + n * RECORD_SIZE) >> 2;
        const word = words[at]!;
        const times = words[at + (R_EXECUTED >> 2)]! >>> 0;
        page[(word >>> 16) & (PAGE_SIZE - 1)]! += times + before;
        before = table.alone(word & 0xffff, long) === (word & 0xffff) ? 0 : times;
      }
    }
    return page;
  }

  /** Host address at which the block begins that was executed most often of those that contain what stands at one, in the processor's present mode; or -1. */
  hottestAround(host: number): number {
    const at = host & (PAGE_SIZE - 1);
    const blocks = this.code.get((host - at) / PAGE_SIZE)?.blocks;
    const best = blocks === undefined ? -1 : blocks.hottest(at, this.keyOf(0), this.words);
    return best < 0 ? -1 : host - at + best;
  }

  /** Key of what begins at a host address in the processor's present mode. */
  keyOf(host: number): number {
    return codeKey(host, this.cpu.state.mode & CODE_KEY & ~MODE_SINGLE);
  }

  /** A frame with code is about to be written. Data beside the code may change; blocks and regions that are hit go. */
  written(frame: Frame, offset: number, length: number): void {
    const code = this.code.get(frame);
    if (code?.isHit(offset, offset + length) === true) this.dropPart(frame, code, offset, offset + length);
  }

  /** Drops the blocks and regions of a frame that have bytes from one offset up to another. */
  private dropPart(frame: Frame, code: FrameCode, from: number, to: number): void {
    const { blocks } = code;
    const gone = code.blocksIn(from, to);
    for (const n of gone) this.dropBlock(blocks, n);
    blocks.remove(gone);
    const page = frame * PAGE_SIZE;
    for (const region of code.regions) {
      // One that went with another of its frames was left here.
      if (this.regions.has(region) && !region.spans.some(({ host, length }) => host < page + to && page + from < host + length)) continue;
      code.regions.delete(region);
      this.dropRegion(region);
    }
    if (blocks.length === 0 && code.regions.size === 0) this.forgetFrame(frame, code);
    else code.markAgain(page);
    this.invalidated++;
    this.onDropped();
  }

  /** Turns a block's records into END records. */
  private dropBlock(blocks: FrameBlocks, n: number): void {
    const record = blocks.record(n);
    // It is no region's any more. The length of an instruction stays: that one may have written itself, and ends behind its last byte.
    if (this.view.getUint8(record + R_LENGTH) === REGION_MARK) this.view.setUint8(record + R_LENGTH, 0);
    for (let one = 0; one < blocks.count(n); one++) this.view.setUint16(record + one * RECORD_SIZE + R_HANDLER, HANDLER_END, true);
    // The instruction alone of a region's entry has the same key.
    if (this.blocks.get(blocks.key(n))?.record === record) this.blocks.set(blocks.key(n), undefined);
  }

  /** There is no code in a frame any more. */
  private forgetFrame(frame: Frame, code: FrameCode): void {
    this.code.set(frame, undefined);
    code.clear();
    this.spare = code;
    this.frames.unwatch(frame, this.observer);
  }

  private drop(frame: Frame, code: FrameCode): void {
    const { blocks } = code;
    for (let block = 0; block < blocks.length; block++) this.dropBlock(blocks, block);
    for (const region of code.regions) this.dropRegion(region);
    this.forgetFrame(frame, code);
    this.invalidated++;
    this.onDropped();
  }

  /**
   * Lets blocks begin at these offsets of every page, so that an arrival there is always looked up. A breakpoint is a linear address
   * and a block is not, hence every page. Code that runs through a new offset, or may be linked to it, is dropped.
   */
  stopAt(offsets: ReadonlySet<number>): void {
    const fresh = [...offsets].filter((offset) => !this.stops.has(offset));
    this.stops = offsets;
    if (fresh.length > 0) {
      // A region would run through.
      for (const [frame, code] of [...this.code]) if (code !== undefined && (code.regions.size > 0 || this.reaches(code, new Set(fresh)))) this.drop(frame, code);
    }
    this.onForgotten();
  }

  private reaches({ blocks }: FrameCode, offsets: ReadonlySet<number>): boolean {
    for (let block = 0; block < blocks.length; block++) {
      for (let n = 0; n < blocks.count(block); n++) if (offsets.has(this.view.getUint16(blocks.record(block) + n * RECORD_SIZE + R_OFFSET, true))) return true;
    }
    return false;
  }

  /** Takes regions away: their code is interpreted again. */
  dropRegions(drops: (id: number) => boolean): void {
    for (const region of this.regions) if (drops(region.id)) this.dropRegion(region);
  }

  private dropRegion(region: CodeRegion): void {
    if (!this.regions.delete(region)) return;
    for (const key of region.keys) {
      if (this.entries.get(key)?.region !== region) continue;
      this.entries.delete(key);
      // The entry may lie in another frame than the one that was written, and its block be good: its first instruction stands elsewhere, too.
      const block = this.blocks.get(key);
      if (block !== undefined && this.view.getUint8(block.record + R_LENGTH) === REGION_MARK) {
        const alone = this.view.getInt32(block.record + R_LINK, true);
        this.bytes.copyWithin(block.record, alone, alone + R_EXECUTED);
      }
    }
    this.onRegionDropped(region);
  }

  /** Makes the mapping of every entry of the jump cache stale; with `localOnly`, those of global pages stay. */
  outdate(localOnly = false): void {
    // Two spaces of numbers, neither with 0: the cache's empty entries carry that.
    this.generation = (this.generation + 1) & (GLOBAL - 1) || 1;
    if (!localOnly) this.globalGeneration = ((this.globalGeneration + 1) & (GLOBAL - 1)) | GLOBAL;
    if (!this.active) return;
    this.publish();
    // A region that has called the helper or device behind this may have its code elsewhere now.
    this.onDropped();
  }

  /** Puts the generations into the hot state: generated code compares them. */
  publish(): void {
    this.view.setInt32(STATE + GENERATION, this.generation, true);
    this.view.setInt32(STATE + GLOBAL_GENERATION, this.globalGeneration, true);
  }

  /** Drops all records, so that their part of the memory is free again. What regions were made from is watched on. */
  private recycle(): void {
    for (const [frame, code] of [...this.code]) {
      if (code === undefined) continue;
      code.blocks.clear();
      // A region that went with another of its frames was left here.
      for (const region of code.regions) if (!this.regions.has(region)) code.regions.delete(region);
      if (code.regions.size > 0) continue;
      this.code.delete(frame);
      this.frames.unwatch(frame, this.observer);
    }
    this.forgetBlocks();
  }

  private forgetBlocks(): void {
    this.blocks.clear();
    this.index.clear();
    this.next = this.base;
    this.view.setInt32(STATE + CONTROL_FROM, 0, true);
    this.view.setInt32(STATE + RESUME, 0, true);
    this.onForgotten();
  }

  /** Drops everything: memory was replaced. */
  clear(): void {
    for (const [frame, code] of this.code) if (code !== undefined) this.frames.unwatch(frame, this.observer);
    for (const region of this.regions) this.dropRegion(region);
    this.code.clear();
    this.forgetBlocks();
  }
}
