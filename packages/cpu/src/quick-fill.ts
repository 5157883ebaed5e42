/**
 * What accesses need that the TLB does not know yet, in the usual cases: the walk through tables in RAM, accessed and dirty bits, the entry in the TLB, and
 * page faults (SDM volume 3, 4.3 to 4.8). It does to the letter what `Mmu.translate` does, or nothing: then that is to be asked.
 */
import { PAGE_SIZE } from "@doppel/memory";
import {
  LARGE_MASK, LARGE_SHIFT, type PageImage, PF_P, SLOT_BITS, SLOT_CHAINED, SLOT_EXECUTE, SLOT_GLOBAL, SLOT_HOST, SLOT_LOCAL, SLOT_NEXT, SLOT_PREVIOUS, SLOT_READ,
  SLOT_SHARED, SLOT_SHIFT, SLOT_SIZE_SHIFT, SLOT_STORE_PAGE, SLOT_WRITE, type Tlb, TLB_ENTRIES, TLB_EVERYWHERE, TLB_EXEC_TAG, TLB_FILLS, TLB_HOST, TLB_LARGE, TLB_LAST,
  TLB_LOCAL, TLB_LOCAL_COUNT, TLB_MASK, TLB_READ_TAG, TLB_SHARED, TLB_SHARED_COUNT, TLB_SHIFT, TLB_SLOTS, TLB_WALK, TLB_WALKS, TLB_WRITE_TAG, VIEW_USER, WALK_32, WALK_FLAGS,
  WALK_GIGABYTE, WALK_GLOBAL, WALK_KIND, WALK_LARGE_4M, WALK_LONG, WALK_NONE, WALK_PDPTES, WALK_RESERVED, WALK_ROOT, WALK_SMAP, WALK_SMEP, WALK_WRITE_PROTECT,
} from "@doppel/mmu";
import { type FunctionBuilder, type Label, OP } from "@doppel/wasm";
import { VECTOR_PF } from "@doppel/x86";
import type { GeneratedModule } from "./handler.ts";
import { chainOf, slotBehind, writeUnchain } from "./quick-forget.ts";
import type { QuickWriter } from "./quick-writer.ts";
import { FAULT_ADDRESS, FAULT_CODE, FAULT_HAS_CODE, FAULT_VECTOR, SCRATCH, STATE, STATUS_FAULT, TLB_VIEW } from "./state-layout.ts";

/** Bits of page-table entries of all kinds; `DIRTY` is `ACCESSED` shifted left by one. */
const [PRESENT, WRITABLE, USER, ACCESSED, DIRTY, LARGE, GLOBAL] = [1 << 0, 1 << 1, 1 << 2, 1 << 5, 1 << 6, 1 << 7, 1 << 8];
/** Bits of an entry for a large page that must be zero, or, of 4 MiB, may be bits of addresses beyond 4 GiB. */
const [RESERVED_4M, RESERVED_2M, RESERVED_1G] = [0x3fe000, 0x1fe000, 0x3fffe000];
const ADDRESS = 0x000f_ffff_ffff_f000n;
const UNUSUAL = 0;
const FAULTED = 1;
/** Arguments of the function: the linear address, 1 for a write, and 1 for a fetch. */
const [LINEAR, IS_WRITE, IS_FETCH] = [0, 1, 2];

/** Where the vCPU's TLB and the machine's pages stand. */
export interface FillPlaces {
  readonly tlb: Tlb;
  readonly image: PageImage;
  readonly views: { readonly user: number; readonly supervisor: number };
}

/** Writes the function, and gives its index: host address of the byte, {@link UNUSUAL}, or {@link FAULTED} with the page fault recorded. A fetch that faults is unusual, and one of what data may not be read from. */
function writeFill(module: GeneratedModule, places: FillPlaces): number {
  const { builder, index } = module.module.function({ parameters: ["i64", "i32", "i32"], results: ["i32"] });
  new FillWriter(builder, places).write();
  return index;
}

class FillWriter {
  private readonly f: FunctionBuilder;
  private readonly places: FillPlaces;
  private readonly base: number;
  private readonly unusual: Label;
  private readonly isUser: number;
  /** Address of the TLB's entry. */
  private readonly entry: number;
  /** Number of the slot, and the address of what is known of it. */
  private readonly number: number;
  private readonly slot: number;
  /** `WALK_FLAGS`. */
  private readonly flags: number;
  /** Address of the table entry read last, its low dword, and that as it is to become. */
  private readonly at: number;
  private readonly low: number;
  private readonly marked: number;
  /** What the entries of all levels have, and whether one of them forbids execution. */
  private readonly rights: number;
  private readonly never: number;
  /** log2 of the size of a page of this level. */
  private readonly shift: number;
  /** The page looked up last, and its frame. */
  private readonly page: number;
  private readonly frame: number;

  constructor(f: FunctionBuilder, places: FillPlaces) {
    this.f = f;
    this.places = places;
    this.base = places.tlb.base;
    this.unusual = f.block();
    const local = (): number => f.local("i32");
    [this.isUser, this.entry, this.number, this.slot, this.flags, this.at] = [local(), local(), local(), local(), local(), local()];
    [this.low, this.marked, this.rights, this.never, this.shift, this.page, this.frame] = [local(), local(), local(), local(), local(), local(), local()];
  }

  write(): void {
    const { f, base } = this;
    this.locate();
    this.known();
    f.i32(base).memory(OP.i32_load, TLB_WALK + WALK_FLAGS).set(this.flags);
    f.i32(base).memory(OP.i32_load, TLB_WALK + WALK_KIND).i32(WALK_32).op(OP.i32_eq).if();
    this.walk32();
    f.else();
    this.walk64();
    f.end();
    this.check();
    this.enter();
    f.end();
    f.i32(UNUSUAL);
  }

  private leaveIf(): void {
    this.f.brIf(this.unusual, false);
  }

  private leaveUnless(): void {
    this.f.op(OP.i32_eqz);
    this.leaveIf();
  }

  /** Pushes a number that is not 0 where a local has one of some bits. */
  private has(local: number, bits: number): FunctionBuilder {
    return this.f.get(local).i32(bits).op(OP.i32_and);
  }

  private pushLow(): FunctionBuilder {
    return this.f.get(LINEAR).op(OP.i32_wrap_i64);
  }

  /** Pushes how far behind the page of a tag the address lies: at most 4095 when that is its page. */
  private fromTag(tag: number): FunctionBuilder {
    return this.f.get(LINEAR).get(this.entry).memory(OP.i64_load, tag).op(OP.i64_add).i64(PAGE_SIZE).op(OP.i64_lt_u);
  }

  private pushHost(): FunctionBuilder {
    return this.pushLow().i32(PAGE_SIZE - 1).op(OP.i32_and).op(OP.i32_add);
  }

  /** The entry of the TLB and the slot. Leaves where accesses are not as programs and kernels make them. */
  private locate(): void {
    const { f, base, places: { views } } = this;
    f.i32(0).memory(OP.i32_load, STATE + TLB_VIEW).tee(this.entry).i32(views.user).op(OP.i32_eq).tee(this.isUser);
    f.get(this.entry).i32(views.supervisor).op(OP.i32_eq).op(OP.i32_or);
    this.leaveUnless();
    f.i32(base).memory(OP.i32_load, TLB_WALK + WALK_KIND).i32(WALK_NONE).op(OP.i32_eq);
    f.get(LINEAR).i64(16).op(OP.i64_shl).i64(16).op(OP.i64_shr_s).get(LINEAR).op(OP.i64_ne).op(OP.i32_or);
    this.leaveIf();
    this.pushLow().i32(TLB_SHIFT).op(OP.i32_shr_u).i32(TLB_MASK).op(OP.i32_and).get(this.entry).op(OP.i32_add).set(this.entry);
    this.pushLow().i32(12).op(OP.i32_shr_u).i32(TLB_ENTRIES - 1).op(OP.i32_and);
    f.get(this.isUser).i32(VIEW_USER * TLB_ENTRIES).op(OP.i32_mul).op(OP.i32_add).tee(this.number);
    f.i32(SLOT_SHIFT).op(OP.i32_shl).i32(base + TLB_SLOTS).op(OP.i32_add).set(this.slot);
  }

  /** Returns where the TLB has the page: whoever fetches has looked there. Leaves where a write is permitted, and somebody watched the frame. */
  private known(): void {
    const { f } = this;
    f.get(IS_FETCH).op(OP.i32_eqz).if();
    for (const [isWrite, tag] of [[0, TLB_READ_TAG], [1, TLB_WRITE_TAG]] as const) {
      f.get(IS_WRITE).i32(isWrite).op(OP.i32_eq);
      this.fromTag(tag).op(OP.i32_and).if();
      f.get(this.entry).memory(OP.i32_load, tag + TLB_HOST);
      this.pushHost().op(OP.return).end();
    }
    f.get(IS_WRITE);
    this.fromTag(TLB_READ_TAG).op(OP.i32_and);
    f.get(this.slot).memory(OP.f64_load, SLOT_STORE_PAGE).f64(0).op(OP.f64_gt).op(OP.i32_and);
    this.leaveIf();
    f.end();
  }

  /** Looks up the frame of the page on the stack. Leaves where it is not RAM, or not known here. */
  private lookFrame(): void {
    const { f, places: { image } } = this;
    f.tee(this.page).i32(image.pages).op(OP.i32_ge_u);
    this.leaveIf();
    f.get(this.page).i32(2).op(OP.i32_shl).memory(OP.i32_load, image.entries).tee(this.frame).i32(1).op(OP.i32_sub).i32(image.romBit - 1).op(OP.i32_ge_u);
    this.leaveIf();
  }

  /** Faults where the condition on the stack holds. */
  private faultIf(code: number): void {
    const { f, base } = this;
    const put = (offset: number, push: () => void): void => {
      f.i32(0);
      push();
      f.memory(OP.i32_store, STATE + offset);
    };
    f.if(undefined, false);
    f.get(IS_FETCH);
    this.leaveIf();
    put(FAULT_VECTOR, () => f.i32(VECTOR_PF));
    put(FAULT_CODE, () => f.get(IS_WRITE).i32(1).op(OP.i32_shl).get(this.isUser).i32(2).op(OP.i32_shl).op(OP.i32_or).i32(code).op(OP.i32_or));
    put(FAULT_HAS_CODE, () => f.i32(1));
    f.i32(0).get(LINEAR).memory(OP.i64_store, STATE + FAULT_ADDRESS);
    this.count(base + TLB_WALKS);
    f.i32(FAULTED).op(OP.return).end();
  }

  private count(at: number): void {
    this.f.i32(at).i32(at).memory(OP.f64_load).f64(1).op(OP.f64_add).memory(OP.f64_store);
  }

  /** Reads the 32-bit entry of the table in the frame just found; `index` pushes its number. */
  private entry32(index: () => void): void {
    const { f } = this;
    f.get(this.frame).i32(12).op(OP.i32_shl);
    index();
    f.i32(2).op(OP.i32_shl).op(OP.i32_add).tee(this.at).memory(OP.i32_load).tee(this.low).i32(PRESENT).op(OP.i32_and).op(OP.i32_eqz);
    this.faultIf(0);
  }

  private walk32(): void {
    const { f, base } = this;
    f.i32(base).memory(OP.i32_load, TLB_WALK + WALK_ROOT).i32(12).op(OP.i32_shr_u);
    this.lookFrame();
    this.entry32(() => this.pushLow().i32(22).op(OP.i32_shr_u));
    f.get(this.low).set(this.rights).i32(0).set(this.never);
    this.has(this.low, LARGE).i32(0).op(OP.i32_ne);
    this.has(this.flags, WALK_LARGE_4M).i32(0).op(OP.i32_ne).op(OP.i32_and).if();
    {
      this.has(this.low, RESERVED_4M);
      this.leaveIf();
      f.i32(22).set(this.shift);
      f.get(this.low).i32(22).op(OP.i32_shr_u).i32(10).op(OP.i32_shl);
      this.pushLow().i32(12).op(OP.i32_shr_u).i32(1023).op(OP.i32_and).op(OP.i32_or).set(this.page);
    }
    f.else();
    {
      this.has(this.low, ACCESSED);
      this.leaveUnless();
      f.get(this.low).i32(12).op(OP.i32_shr_u);
      this.lookFrame();
      this.entry32(() => this.pushLow().i32(12).op(OP.i32_shr_u).i32(1023).op(OP.i32_and));
      f.get(this.rights).get(this.low).op(OP.i32_and).set(this.rights);
      f.i32(12).set(this.shift);
      f.get(this.low).i32(12).op(OP.i32_shr_u).set(this.page);
    }
    f.end();
  }

  private walk64(): void {
    const { f, base } = this;
    const [table, wide] = [f.local("i64"), f.local("i64")];
    f.i32(base).memory(OP.i32_load, TLB_WALK + WALK_KIND).i32(WALK_LONG).op(OP.i32_eq).if();
    f.i32(base).memory(OP.i64_load, TLB_WALK + WALK_ROOT).set(table);
    f.i32(39).set(this.shift);
    f.else();
    this.pushLow().i32(30).op(OP.i32_shr_u).i32(3).op(OP.i32_shl).memory(OP.i64_load, base + TLB_WALK + WALK_PDPTES).tee(table).op(OP.i32_wrap_i64).i32(PRESENT).op(OP.i32_and).op(OP.i32_eqz);
    this.faultIf(0);
    f.i32(21).set(this.shift).end();
    f.i32(-1).set(this.rights).i32(0).set(this.never);
    const found = f.block();
    const next = f.loop();
    f.get(table).i64(ADDRESS).op(OP.i64_and).i64(12).op(OP.i64_shr_u).tee(wide).i64(this.places.image.pages).op(OP.i64_ge_u);
    this.leaveIf();
    f.get(wide).op(OP.i32_wrap_i64);
    this.lookFrame();
    f.get(this.frame).i32(12).op(OP.i32_shl);
    f.get(LINEAR).get(this.shift).op(OP.i64_extend_i32_u).op(OP.i64_shr_u).op(OP.i32_wrap_i64).i32(511).op(OP.i32_and).i32(3).op(OP.i32_shl).op(OP.i32_add).tee(this.at);
    f.memory(OP.i64_load).tee(table).op(OP.i32_wrap_i64).tee(this.low).i32(PRESENT).op(OP.i32_and).op(OP.i32_eqz);
    this.faultIf(0);
    f.get(table).i32(base).memory(OP.i64_load, TLB_WALK + WALK_RESERVED).op(OP.i64_and).i64(0).op(OP.i64_ne);
    this.leaveIf();
    f.get(this.rights).get(this.low).op(OP.i32_and).set(this.rights);
    f.get(this.never).get(table).i64(63).op(OP.i64_shr_u).op(OP.i32_wrap_i64).op(OP.i32_or).set(this.never);
    f.get(this.shift).i32(12).op(OP.i32_eq).brIf(found);
    this.has(this.low, LARGE).if();
    {
      f.get(this.shift).i32(21).op(OP.i32_eq).if();
      this.has(this.low, RESERVED_2M);
      this.leaveIf();
      f.else();
      this.has(this.flags, WALK_GIGABYTE).op(OP.i32_eqz);
      f.get(this.shift).i32(30).op(OP.i32_ne).op(OP.i32_or);
      this.has(this.low, RESERVED_1G).op(OP.i32_or);
      this.leaveIf();
      f.end();
      f.br(found);
    }
    f.end();
    this.has(this.low, ACCESSED);
    this.leaveUnless();
    f.get(this.shift).i32(9).op(OP.i32_sub).set(this.shift).br(next).end();
    f.end();
    // What of the page's number comes from the address: the lower bits of a large one.
    const ofPage = (): FunctionBuilder => f.i64(1).get(this.shift).i32(12).op(OP.i32_sub).op(OP.i64_extend_i32_u).op(OP.i64_shl).i64(1).op(OP.i64_sub);
    f.get(table).i64(ADDRESS).op(OP.i64_and).i64(12).op(OP.i64_shr_u);
    ofPage().i64(-1).op(OP.i64_xor).op(OP.i64_and);
    f.get(LINEAR).i64(12).op(OP.i64_shr_u);
    ofPage().op(OP.i64_and).op(OP.i64_or).tee(wide).i64(this.places.image.pages).op(OP.i64_ge_u);
    this.leaveIf();
    f.get(wide).op(OP.i32_wrap_i64).set(this.page);
  }

  /** Pushes whether a page is a program's, and the kernel accesses it. */
  private pushPrevented(): FunctionBuilder {
    this.has(this.rights, USER).i32(0).op(OP.i32_ne);
    return this.f.get(this.isUser).op(OP.i32_eqz).op(OP.i32_and);
  }

  /** Pushes whether the page may be written. */
  private pushWritable(): FunctionBuilder {
    this.has(this.rights, WRITABLE).i32(0).op(OP.i32_ne);
    this.f.get(this.isUser);
    return this.has(this.flags, WALK_WRITE_PROTECT).op(OP.i32_or).op(OP.i32_eqz).op(OP.i32_or);
  }

  /** Pushes whether the page may not be executed. */
  private pushNoCode(): FunctionBuilder {
    this.f.get(this.never);
    this.pushPrevented();
    return this.has(this.flags, WALK_SMEP).i32(0).op(OP.i32_ne).op(OP.i32_and).op(OP.i32_or);
  }

  /** Rights; leaves also where a store is not to go to the frame, and in runs through a large page. */
  private check(): void {
    const { f, base, places: { image } } = this;
    this.has(this.rights, USER).op(OP.i32_eqz).get(this.isUser).op(OP.i32_and);
    this.pushPrevented();
    this.has(this.flags, WALK_SMAP).i32(0).op(OP.i32_ne).op(OP.i32_and).op(OP.i32_or);
    this.pushWritable().op(OP.i32_eqz).get(IS_WRITE).op(OP.i32_and).op(OP.i32_or);
    this.faultIf(PF_P);
    this.pushNoCode().get(IS_FETCH).op(OP.i32_and);
    this.leaveIf();
    f.get(this.page);
    this.lookFrame();
    this.pushObserved().i32(0).op(OP.i32_ne).get(IS_WRITE).op(OP.i32_and);
    this.leaveIf();
    // The entry's own frame, where it is to be marked.
    f.get(this.low).i32(ACCESSED).get(IS_WRITE).i32(Math.log2(DIRTY)).op(OP.i32_shl).op(OP.i32_or).op(OP.i32_or).tee(this.marked).get(this.low).op(OP.i32_ne);
    f.get(this.at).i32(12).op(OP.i32_shr_u).memory(OP.i32_load8_u, image.observed).i32(0).op(OP.i32_ne).op(OP.i32_and);
    this.leaveIf();
    f.get(this.shift).i32(12).op(OP.i32_gt_u).if();
    {
      const number = f.local("f64");
      const last = (): FunctionBuilder => f.get(IS_WRITE).get(IS_FETCH).i32(1).op(OP.i32_shl).op(OP.i32_or).i32(3).op(OP.i32_shl).i32(base + TLB_LAST).op(OP.i32_add);
      f.get(LINEAR).i64(12).op(OP.i64_shr_s).op(OP.f64_convert_i64_s).tee(number);
      last().memory(OP.f64_load).f64(1).op(OP.f64_add).op(OP.f64_eq);
      this.leaveIf();
      last().get(number).memory(OP.f64_store);
    }
    f.end();
    f.get(this.marked).get(this.low).op(OP.i32_ne).if();
    f.get(this.at).get(this.marked).tee(this.low).memory(OP.i32_store);
    f.end();
  }

  private pushObserved(): FunctionBuilder {
    return this.f.get(this.frame).memory(OP.i32_load8_u, this.places.image.observed);
  }

  /** Enters the page, and returns; see `Tlb.fill`. */
  private enter(): void {
    const { f, base } = this;
    const [bits, host, permitted, valid, neighbour] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
    const page = f.local("i64");
    const field = (offset: number): FunctionBuilder => f.get(this.slot).memory(OP.i32_load, offset);
    const put = (address: () => void, push: () => void, offset: number): void => {
      address();
      push();
      f.memory(OP.i32_store, offset);
    };
    const chain = (): FunctionBuilder => chainOf(f, base, () => f.get(this.frame));
    field(SLOT_BITS).set(bits);
    this.has(this.low, DIRTY).i32(0).op(OP.i32_ne);
    this.pushWritable().op(OP.i32_and).set(permitted);
    // Tags: what may be read, may be written at once, and may be executed.
    f.get(permitted);
    this.pushObserved().op(OP.i32_eqz).op(OP.i32_and).i32(Math.log2(SLOT_WRITE)).op(OP.i32_shl).i32(SLOT_READ).op(OP.i32_or);
    this.pushNoCode().op(OP.i32_eqz).i32(Math.log2(SLOT_EXECUTE)).op(OP.i32_shl).op(OP.i32_or).set(valid);
    f.get(this.frame).i32(12).op(OP.i32_shl).set(host);
    f.get(LINEAR).i64(-PAGE_SIZE).op(OP.i64_and).set(page);
    const tag = (at: number, push: () => void): void => {
      f.get(this.entry);
      push();
      f.memory(OP.i64_store, at);
      put(() => f.get(this.entry), () => f.get(host), at + TLB_HOST);
    };
    const negated = (): FunctionBuilder => f.i64(0).get(page).op(OP.i64_sub);
    tag(TLB_READ_TAG, negated);
    for (const [bit, at, sign, push] of [[SLOT_WRITE, TLB_WRITE_TAG, -1, negated], [SLOT_EXECUTE, TLB_EXEC_TAG, 1, () => f.get(page)]] as const) {
      this.has(valid, bit).if();
      tag(at, push);
      f.else();
      this.has(bits, bit).if();
      f.get(this.entry).i64(0).i64(sign * PAGE_SIZE).get(this.number).i32(TLB_ENTRIES - 1).op(OP.i32_and).op(OP.select).memory(OP.i64_store, at);
      f.end();
      f.end();
    }
    // Out of one frame's chain and into another's.
    writeUnchain(f, base, this.slot);
    put(() => f.get(this.slot), () => f.get(host), SLOT_HOST);
    put(() => f.get(this.slot), () => chain().memory(OP.i32_load).tee(neighbour), SLOT_NEXT);
    put(() => f.get(this.slot), () => f.i32(0), SLOT_PREVIOUS);
    f.get(neighbour).if();
    put(() => slotBehind(f, base, neighbour), () => f.get(this.number).i32(1).op(OP.i32_add), SLOT_PREVIOUS);
    f.end();
    put(() => chain(), () => f.get(this.number).i32(1).op(OP.i32_add), 0);
    put(() => f.get(this.slot), () => f.get(this.frame).i32(1).op(OP.i32_add), SLOT_CHAINED);
    f.get(this.slot);
    f.get(this.page).i32(1).op(OP.i32_add).i32(0).get(permitted).op(OP.select).op(OP.f64_convert_i32_u).memory(OP.f64_store, SLOT_STORE_PAGE);
    this.noteLarge();
    const isGlobal = (): FunctionBuilder => {
      this.has(this.low, GLOBAL).i32(0).op(OP.i32_ne);
      return this.has(this.flags, WALK_GLOBAL).i32(0).op(OP.i32_ne).op(OP.i32_and);
    };
    f.get(bits).i32(SLOT_LOCAL | SLOT_SHARED).op(OP.i32_and).get(valid).op(OP.i32_or).get(this.shift).i32(SLOT_SIZE_SHIFT).op(OP.i32_shl).op(OP.i32_or).set(bits);
    isGlobal().if();
    this.list(bits, SLOT_SHARED, TLB_SHARED, TLB_SHARED_COUNT);
    f.get(bits).i32(SLOT_GLOBAL).op(OP.i32_or).set(bits);
    f.else();
    this.list(bits, SLOT_LOCAL, TLB_LOCAL, TLB_LOCAL_COUNT);
    f.end();
    put(() => f.get(this.slot), () => f.get(bits), SLOT_BITS);
    this.count(base + TLB_WALKS);
    this.count(base + TLB_FILLS);
    f.get(host);
    this.pushHost().op(OP.return);
  }

  /** Notes where pieces of large pages are. */
  private noteLarge(): void {
    const { f, base } = this;
    const large = f.local("i32");
    f.get(this.shift).i32(LARGE_SHIFT).op(OP.i32_gt_u).if();
    f.i32(base).i32(1).memory(OP.i32_store, TLB_EVERYWHERE);
    f.else();
    f.get(this.shift).i32(12).op(OP.i32_gt_u).if();
    f.get(LINEAR).i64(LARGE_SHIFT).op(OP.i64_shr_u).op(OP.i32_wrap_i64).i32(LARGE_MASK).op(OP.i32_and).tee(large).i32(5).op(OP.i32_shr_u).i32(2).op(OP.i32_shl).i32(base + TLB_LARGE).op(OP.i32_add);
    f.get(large).i32(5).op(OP.i32_shr_u).i32(2).op(OP.i32_shl).memory(OP.i32_load, base + TLB_LARGE).i32(1).get(large).op(OP.i32_shl).op(OP.i32_or).memory(OP.i32_store);
    f.end();
    f.end();
  }

  /** Enters the slot into a list that it does not stand in yet. */
  private list(bits: number, bit: number, list: number, count: number): void {
    const { f, base } = this;
    this.has(bits, bit).op(OP.i32_eqz).if();
    f.get(bits).i32(bit).op(OP.i32_or).set(bits);
    f.i32(base).memory(OP.i32_load, count).i32(2).op(OP.i32_shl).get(this.number).memory(OP.i32_store, base + list);
    f.i32(base).i32(base).memory(OP.i32_load, count).i32(1).op(OP.i32_add).memory(OP.i32_store, count);
    f.end();
  }
}

/** What the quick ways of accesses need. */
export class QuickAccess {
  private readonly places: FillPlaces;
  private readonly fill: number;

  constructor(module: GeneratedModule, places: FillPlaces) {
    this.places = places;
    this.fill = writeFill(module, places);
  }

  /** (both halves of the linear address, size) */
  readonly load = (q: QuickWriter): void => {
    const host = this.look(q, false);
    this.bySize(q, (at, load, store) => void q.f.i32(0).get(host).memory(load, at).memory(store, STATE + SCRATCH + at));
  };

  /** (both halves of the linear address, size) */
  readonly store = (q: QuickWriter): void => {
    const host = this.look(q, true);
    this.bySize(q, (at, load, store, narrow) => void q.f.get(host).i32(0).memory(load, STATE + SCRATCH + at).memory(narrow ?? store, at));
  };

  /** (both halves of the linear address, size) */
  readonly probe = (q: QuickWriter): void => void this.look(q, true);

  /** (both halves of the linear address of code that the TLB does not have; the result is 0 where `Mmu.translate` is to be asked) */
  writeFetch(f: FunctionBuilder): void {
    this.pushLinear(f).i32(0).i32(1).call(this.fill);
  }

  /** Host address of the bytes in a new local. */
  private look(q: QuickWriter, write: boolean): number {
    const { f } = q;
    const [low, size] = [0, 2];
    const host = f.local("i32");
    f.get(low).i32(PAGE_SIZE - 1).op(OP.i32_and).get(size).op(OP.i32_add).i32(PAGE_SIZE).op(OP.i32_gt_u);
    q.leaveIf();
    this.pushLinear(f).i32(Number(write)).i32(0).call(this.fill).tee(host).i32(UNUSUAL).op(OP.i32_eq);
    q.leaveIf();
    f.get(host).i32(FAULTED).op(OP.i32_eq).if(undefined, false);
    f.i32(STATUS_FAULT).op(OP.return).end();
    return host;
  }

  private pushLinear(f: FunctionBuilder): FunctionBuilder {
    const [low, high] = [0, 1];
    f.get(low).op(OP.i64_extend_i32_u);
    f.get(high).op(OP.i64_extend_i32_u).i64(32).op(OP.i64_shl).i64(0);
    return f.i32(this.places.tlb.base).memory(OP.i32_load, TLB_WALK + WALK_KIND).i32(WALK_LONG).op(OP.i32_eq).op(OP.select).op(OP.i64_or);
  }

  /** Copies what an access has bytes of; `narrow` stores fewer than are stored in front of others. */
  private bySize(q: QuickWriter, copy: (at: number, load: number, store: number, narrow?: number) => void): void {
    const { f } = q;
    const isSize = (size: number): Label => f.get(2).i32(size).op(OP.i32_eq).if();
    isSize(4);
    copy(0, OP.i32_load, OP.i32_store);
    f.else();
    isSize(8);
    copy(0, OP.i64_load, OP.i64_store);
    f.else();
    isSize(1);
    copy(0, OP.i32_load8_u, OP.i32_store, OP.i32_store8);
    f.else();
    isSize(2);
    copy(0, OP.i32_load16_u, OP.i32_store, OP.i32_store16);
    f.else();
    copy(0, OP.i64_load, OP.i64_store);
    isSize(10);
    copy(8, OP.i32_load16_u, OP.i32_store, OP.i32_store16);
    f.else();
    copy(8, OP.i64_load, OP.i64_store);
    f.end();
    for (let n = 0; n < 4; n++) f.end();
  }
}
