/**
 * The machine that fuzzed programs run on: a CPU, an interpreter, RAM and devices. It runs one program after another, is saved and
 * restored, and gives a hash of everything that its guest could see.
 */
import { ACTIVE, Cpu, Interpreter, layout } from "@doppel/cpu";
import { Arena, Frames, PAGE_SIZE, PhysicalMap } from "@doppel/memory";
import { TLB_SIZE } from "@doppel/mmu";
import { decode, encode, type PersistValue } from "@doppel/persist";
import { EFER_NXE, IA32_SYSENTER_CS, IA32_SYSENTER_EIP, IA32_SYSENTER_ESP } from "@doppel/x86";
import { Random, randomBytes } from "../host-vectors-random.ts";
import { CODE, CODE0, CODE_BYTES, DIRECTORY, GDT, GDT_LIMIT, HANDLERS, IDT, LDT, RAM, STACK0, TABLE_SELECTOR, TSS, TSS1, TSS_LIMIT } from "./fuzz-image.ts";
import { FuzzDevices } from "./fuzz-devices.ts";
import type { FuzzProgram, Leg } from "./fuzz-program.ts";

const RECORDS = 1 << 20;
const MULTIPLIER = 0x9e3779b1;
/** Faults in a row without an instruction that retires: the guest would take them for ever. */
const MOST_FAULTS = 64;
const TSC_START = 1000;
const TABLES_END = 0xc000;
const ACCESSED_DIRTY = 0x60;
const { CS, LDTR, TR } = layout;

/** Everything about a machine that its guest could see. */
export interface MachineImage {
  readonly cpu: ReturnType<Cpu["save"]>;
  readonly ram: Uint8Array;
  readonly device: readonly [hash: number, lines: number, nmi: number];
}

/** A machine for one program after another. */
export class FuzzMachine {
  readonly cpu: Cpu;
  readonly engine: Interpreter;
  readonly ram: Uint8Array;
  private readonly physical: PhysicalMap;
  private readonly words: Int32Array;
  private readonly devices: FuzzDevices;
  private streak = 0;
  private streakAt = -1;
  /** Faults delivered since construction. */
  faults = 0;
  /** The page tables as they were at the last flush of the TLB, less what the processor writes itself. */
  private readonly tables = new Int32Array((TABLES_END - DIRECTORY) >> 2);

  constructor() {
    const arena = new Arena(RAM + RECORDS + TLB_SIZE + (1 << 20));
    arena.reserve(PAGE_SIZE); // the hot state, at STATE
    const tlbBase = arena.reserve(TLB_SIZE);
    const frames = new Frames(arena, RAM / PAGE_SIZE);
    this.physical = new PhysicalMap(frames);
    this.physical.addRam(0, RAM);
    const base = this.physical.hostAddress(0);
    for (let page = 1; page < RAM / PAGE_SIZE; page++) {
      if (this.physical.hostAddress(page) !== base + page * PAGE_SIZE) throw new Error("the fuzzer's RAM is expected to lie in one piece");
    }
    this.ram = arena.u8.subarray(base, base + RAM);
    this.words = arena.i32.subarray(base >> 2, (base + RAM) >> 2);
    this.devices = new FuzzDevices({
      nmi: () => void (this.engine.nmiPending = true),
      a20: (open) => this.cpu.mmu.setA20(open),
      dma: (value) => this.physical.write8(CODE + (value & (CODE_BYTES - 1)), value >>> 11),
      attend: () => this.engine.attend(),
    });
    const cpu = new Cpu({
      buffer: arena.buffer, tlbBase, physical: this.physical,
      bus: this.devices,
      timestamp: () => TSC_START + (this.engine?.count ?? 0),
    });
    this.cpu = cpu;
    const { tlb } = cpu.mmu;
    const flush = tlb.flush.bind(tlb);
    tlb.flush = () => {
      flush();
      for (let n = 0; n < this.tables.length; n++) this.tables[n] = this.words[(DIRECTORY >> 2) + n]! & ~ACCESSED_DIRTY;
    };
    const deliver = cpu.deliverFault.bind(cpu);
    cpu.deliverFault = () => {
      this.faults++;
      if (this.streakAt !== this.engine.retired) this.streak = 0;
      this.streakAt = this.engine.retired;
      if (++this.streak >= MOST_FAULTS) this.engine.requestExit();
      return deliver();
    };
    this.engine = new Interpreter({ cpu, frames, recordsSize: RECORDS, interrupts: this.devices });
  }

  /** Puts a program's image into RAM, whole, and forgets what ran before. */
  load(program: FuzzProgram): void {
    this.write(program.image, 0, RAM);
    this.devices.history = 0;
    this.devices.lines = 0;
    this.streak = 0;
    this.streakAt = -1;
  }

  /** Writes the pages of a range that differ, as a device would. */
  private write(image: Uint8Array, from: number, to: number): void {
    const wanted = new Int32Array(image.buffer, image.byteOffset, image.byteLength >> 2);
    for (let page = from; page < to; page += PAGE_SIZE) {
      for (let at = page >> 2; at < (page + PAGE_SIZE) >> 2; at++) {
        if (this.words[at] === wanted[at]) continue;
        this.physical.load(page, image.subarray(page, page + PAGE_SIZE));
        break;
      }
    }
  }

  /** Begins a leg: fresh tables, handlers and code, the leg's registers; data stays as the program left it. */
  begin(program: FuzzProgram, leg: Leg): void {
    const { cpu, engine } = this;
    const { state } = cpu;
    const { mode } = program;
    this.write(program.image, 0, 0xc000);
    this.write(program.image, 0x10000, 0x12000);
    this.write(program.image, HANDLERS, HANDLERS + 0x5000);
    cpu.reset();
    engine.nmiPending = false;
    cpu.mmu.setA20(true);
    cpu.mmu.mode.pdptes.fill(0);
    cpu.cr0 = leg.cr0 | 0;
    cpu.cr3 = program.paging === "none" ? 0 : DIRECTORY;
    cpu.cr4 = leg.cr4;
    cpu.efer = leg.efer & EFER_NXE;
    Object.assign(cpu.gdtr, { base: GDT, limit: GDT_LIMIT });
    const real = mode.kind === "real" || mode.kind === "unreal";
    Object.assign(cpu.idtr, real ? { base: 0, limit: 0x3ff } : { base: IDT, limit: 0x7ff });
    cpu.msr.set(IA32_SYSENTER_CS, CODE0, 0);
    cpu.msr.set(IA32_SYSENTER_ESP, STACK0, 0);
    cpu.msr.set(IA32_SYSENTER_EIP, CODE + leg.start, 0);
    if (!real) {
      this.segment(TR, TSS1);
      state.setSegmentLimit(TR, TSS_LIMIT);
      state.setSegmentBase(TR, TSS);
      this.segment(LDTR, TABLE_SELECTOR);
      state.setSegmentBase(LDTR, LDT);
    }
    for (const [segment, selector] of [[CS, mode.code] as const, ...leg.segments]) {
      if (mode.kind === "protected") this.segment(segment, selector);
      else {
        state.setSelector(segment, selector);
        state.setSegmentBase(segment, selector << 4);
        state.setSegmentLimit(segment, mode.kind === "unreal" && segment !== CS ? 0xffffffff : 0xffff);
        state.setSegmentAttributes(segment, mode.kind === "v86" ? 0xf300 : 0x9300);
      }
    }
    for (const [n, value] of leg.gpr.entries()) state.setGpr32(n, value);
    state.rip = mode.codeOffset + leg.start;
    state.cpl = mode.level;
    state.eflags = leg.eflags;
    for (const [n, value] of leg.dr.entries()) cpu.dr[n] = value;
    state.fpuControl = leg.fpuControl;
    state.fpuTags = leg.fpuTags;
    state.mxcsr = leg.mxcsr;
    const random = new Random(`registers ${leg.vectors}`);
    for (let n = 0; n < 8; n++) {
      const fpr = state.fpr(n);
      randomBytes(random, fpr, 0, 8);
      fpr[7]! |= 0x80;
      fpr[8] = random.below(256);
      fpr[9] = random.pick([0x3f, 0x40, 0xbf, 0xc0, random.below(256)]);
      randomBytes(random, state.xmm(n), 0, 16);
    }
    cpu.activity = ACTIVE;
    if (program.paging === "PAE") cpu.mmu.loadPdptes(DIRECTORY);
    if ((leg.dr[7]! & 0xff) !== 0) cpu.restore(cpu.save()); // also sets up the breakpoints
    else {
      cpu.applyPaging();
      cpu.mmu.setRoot(cpu.cr3);
      cpu.deriveSegments();
    }
    this.streak = 0;
  }

  /** Loads a segment register from the image's tables without a check. */
  private segment(segment: number, selector: number): void {
    const { state } = this.cpu;
    const at = ((selector & 4) !== 0 ? LDT : GDT) + (selector & 0xfff8);
    const low = this.words[at >> 2]!;
    const high = this.words[(at >> 2) + 1]!;
    state.setSelector(segment, selector);
    if ((selector & 0xfffc) === 0) {
      state.setSegmentAttributes(segment, 1);
      state.setSegmentLimit(segment, 0);
      return;
    }
    const limit = (low & 0xffff) | (high & 0xf0000);
    state.setSegmentBase(segment, ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0);
    state.setSegmentLimit(segment, (high & 0x800000) !== 0 ? ((limit << 12) | 0xfff) >>> 0 : limit);
    state.setSegmentAttributes(segment, high & 0x00f0ff00);
  }

  /** The linear address of the next instruction. */
  get linear(): number {
    return this.cpu.wrap(this.cpu.state.segmentBase(CS) + this.cpu.state.rip);
  }

  /**
   * Whether the page tables were changed and the TLB not flushed since: which translation is used is the processor's choice then
   * (SDM volume 3, 4.10.2.3), and runs in other slices may choose otherwise.
   */
  get tablesChanged(): boolean {
    for (let n = 0; n < this.tables.length; n++) if (this.tables[n] !== (this.words[(DIRECTORY >> 2) + n]! & ~ACCESSED_DIRTY)) return true;
    return false;
  }

  /** Whether the next instruction is a fault handler's. */
  get inHandler(): boolean {
    const { linear } = this;
    return linear >= HANDLERS && linear < HANDLERS + PAGE_SIZE;
  }

  save(): MachineImage {
    return { cpu: this.cpu.save(), ram: this.ram.slice(), device: [this.devices.history, this.devices.lines, this.engine.nmiPending ? 1 : 0] };
  }

  restore(image: MachineImage): void {
    this.write(image.ram, 0, RAM);
    // By way of the codec, as a saved file would come.
    this.cpu.restore(decode(encode(image.cpu as unknown as PersistValue)) as unknown as MachineImage["cpu"]);
    [this.devices.history, this.devices.lines] = image.device;
    this.engine.nmiPending = image.device[2] === 1;
    this.streak = 0;
    this.streakAt = -1;
  }

  /** A number for everything that the guest could see, and one for each part. */
  digest(): MachineDigest {
    const bytes = encode(this.cpu.save() as unknown as PersistValue);
    const padded = new Uint8Array((bytes.length + 3) & ~3);
    padded.set(bytes);
    return { cpu: hash(new Int32Array(padded.buffer)), ram: hash(this.words), device: hash(Int32Array.of(this.devices.history, this.devices.lines, this.engine.nmiPending ? 1 : 0)) };
  }
}

/** Hashes of a machine's parts. */
export interface MachineDigest {
  readonly cpu: number;
  readonly ram: number;
  readonly device: number;
}

function hash(words: Int32Array): number {
  let h = 0x811c9dc5;
  for (let n = 0; n < words.length; n++) h = Math.imul(h ^ words[n]! ^ (h >>> 15), MULTIPLIER);
  return h >>> 0;
}
