/**
 * One vCPU's memory management unit: the paging mode, the page walk and the TLB that a successful walk fills. Only a real
 * access fills the TLB, so accessed and dirty bits, and stale entries, are those of the program and of no lookahead: what is entered ahead are pieces of
 * the page that was accessed.
 */
import type { PhysicalMap, TableMemory } from "./physical.ts";
import { createPagingMode, loadPdptes, READ, Translation, walk, WRITE } from "./page-walk.ts";
import type { Access, PagingMode } from "./page-walk.ts";
import { Tlb, TLB_EXEC_TAG, TLB_READ_TAG, TLB_WALK, TLB_WRITE_TAG, VIEW_CHECKED, VIEW_OPEN, VIEW_SUPERVISOR, VIEW_USER } from "./tlb.ts";
import { WalkImage } from "./walk-image.ts";

/** Where a TLB entry has the tag of a kind of access. */
const TAG_OF = [TLB_READ_TAG, TLB_WRITE_TAG, TLB_EXEC_TAG] as const;
const A20 = 1 << 20;
/** Pieces of a large page that are entered with one, where accesses run through it. */
const AHEAD = 7;

/**
 * Translates linear addresses for one vCPU. Results are fields, overwritten by the next call.
 *
 * @example
 * const mmu = new Mmu(memory.buffer, tlbAddress, physicalMap);
 * if (mmu.translate(0x7c00, READ, false)) mmu.host >= 0 ? bytes[mmu.host] : bus.readMmio(mmu.physical, 1);
 * else raisePageFault(mmu.faultCode);
 */
export class Mmu {
  readonly tlb: Tlb;
  /** Change it through {@link configure}, which flushes. */
  readonly mode: PagingMode = createPagingMode();
  /** After a translation: linear-memory address of the byte when the access may go straight there, else -1. */
  host = -1;
  /** After a translation with `host` -1: the physical address. */
  physical = -0;
  /** After a translation with `host` -1: true when no memory stands there, and the bus answers. */
  mmio = false;
  /** After a failed translation: the page-fault error code. */
  faultCode = 0;
  /** The view that user accesses use: {@link VIEW_USER}, or {@link VIEW_CHECKED} while alignment is checked. */
  userView: number = VIEW_USER;
  /** The view that supervisor accesses use: {@link VIEW_SUPERVISOR}, or {@link VIEW_OPEN} while EFLAGS.AC lifts SMAP. */
  supervisorView: number = VIEW_SUPERVISOR;
  readonly #physical: PhysicalMap;
  readonly #image: WalkImage;
  readonly #masked: TableMemory;
  #tables: TableMemory;
  #a20 = true;
  #watched: readonly number[] = [];
  #isObserved = false;
  readonly #result = new Translation();

  /** @param buffer the linear memory's buffer  @param tlbBase where the TLB's `TLB_SIZE` bytes stand in it */
  constructor(buffer: ArrayBufferLike, tlbBase: number, physical: PhysicalMap) {
    this.tlb = new Tlb(buffer, tlbBase);
    this.#image = new WalkImage(buffer, tlbBase + TLB_WALK);
    this.#physical = physical;
    this.#tables = physical;
    this.#masked = {
      read32: (address) => physical.read32(this.#gate(address)),
      write32: (address, value) => physical.write32(this.#gate(address), value),
    };
  }

  /** Page walks since construction, for statistics. */
  get walks(): number {
    return this.tlb.walks;
  }

  /** The view of an access privilege. */
  viewOf(user: boolean): number {
    // Both are read: what V8 makes of a kernel's accesses is then good for its first program, too.
    const { userView, supervisorView } = this;
    return user ? userView : supervisorView;
  }

  /** Changes the paging mode. Flushes the whole TLB when anything but the root changes. */
  configure(change: Partial<Omit<PagingMode, "pdptes" | "root" | "accessOpen">>): void {
    Object.assign(this.mode, change);
    this.#modeChanged();
    this.tlb.flush();
  }

  /** Tells generated code how to walk; while an access may have effects that a walk has not, it is not to. */
  #modeChanged(): void {
    this.#image.write(this.mode, this.#a20 && this.#watched.length === 0 && !this.#isObserved);
  }

  /** Whether somebody is told of every access that the TLB does not answer, so that generated code must not fill it. */
  set isObserved(value: boolean) {
    this.#isObserved = value;
    this.#modeChanged();
  }

  /**
   * MOV to CR3: takes the new root and forgets pages that are not global, unless `keep`: the same process context with bit 63
   * set. PAE paging calls {@link loadPdptes} first.
   */
  setRoot(root: number, keep = false): void {
    this.mode.root = root;
    this.#modeChanged();
    if (!keep) this.tlb.flushLocal();
  }

  /** Loads the PDPTE registers from the table at `root`; false when a reserved bit is set, and nothing changes. */
  loadPdptes(root: number): boolean {
    if (!loadPdptes(this.#tables, this.mode, root)) return false;
    this.#modeChanged();
    return true;
  }

  /** The A20 gate: when closed, bit 20 of every physical address is zero. */
  setA20(open: boolean): void {
    if (this.#a20 === open) return;
    this.#a20 = open;
    this.#tables = open ? this.#physical : this.#masked;
    this.#modeChanged();
    this.tlb.flush();
  }

  /** True when the A20 gate is open. */
  get a20(): boolean {
    return this.#a20;
  }

  /** Linear page addresses with data breakpoints: they get no data tags, so that each access takes the slow path. */
  watch(pages: readonly number[]): void {
    this.#watched = pages;
    this.#modeChanged();
    this.tlb.flush();
  }

  /** Whether there are such pages. */
  get isWatching(): boolean {
    return this.#watched.length > 0;
  }

  /** INVLPG. */
  flushPage(linear: number): void {
    this.tlb.flushPage(linear);
  }

  /**
   * Translates one byte's address and fills the TLB. False means page fault, with `faultCode`.
   *
   * @param linear unsigned below 2^32, or a canonical 64-bit address as a signed number
   * @param user true for user privilege
   */
  translate(linear: number, access: Access, user: boolean): boolean {
    const view = this.viewOf(user);
    const hit = this.tlb.lookup(view, linear, TAG_OF[access]);
    if (hit >= 0) {
      this.host = hit;
      return true;
    }
    if (access === WRITE) {
      const page = this.tlb.storePage(view, linear);
      if (page >= 0) {
        const direct = this.#physical.writable(page);
        this.physical = page * 4096 + (linear & 0xfff);
        this.mmio = false;
        this.host = direct ? this.#physical.hostAddress(page) + (linear & 0xfff) : -1;
        if (direct) this.tlb.grantWrite(view, linear);
        return true;
      }
    }
    return this.#fill(view, linear, access, user);
  }

  /** Translates without a TLB fill and without accessed or dirty bits: for debuggers. Gives the physical address, or -1. */
  peek(linear: number): number {
    const frozen: TableMemory = { read32: (address) => this.#tables.read32(address), write32: () => undefined };
    const result = new Translation();
    this.mode.accessOpen = true;
    return walk(frozen, this.mode, linear, READ, false, result) ? this.#gate(result.physical) : -1;
  }

  /** Linear-memory address of a byte as the tables map it now, or -1 where they do not, or where no memory is: without a fill, as {@link peek}. */
  peekHost(linear: number): number {
    const physical = this.peek(linear);
    const page = physical < 0 ? -1 : this.#physical.hostAddress(Math.floor(physical / 4096));
    return page < 0 ? -1 : page + (physical & 0xfff);
  }

  #gate(physical: number): number {
    return this.#a20 || !(Math.floor(physical / A20) & 1) ? physical : physical - A20;
  }

  #fill(view: number, linear: number, access: Access, user: boolean): boolean {
    const result = this.#result;
    const { mode } = this;
    this.tlb.countWalk();
    mode.accessOpen = view === VIEW_OPEN;
    if (!walk(this.#tables, mode, linear, access, user, result)) {
      this.faultCode = result.faultCode;
      return false;
    }
    const physical = this.#gate(result.physical);
    const page = Math.floor(physical / 4096);
    const hostPage = this.#physical.hostAddress(page);
    this.physical = physical;
    this.mmio = hostPage < 0;
    if (this.mmio) {
      this.host = -1;
      return true;
    }
    const direct = this.#physical.writable(page);
    this.host = access === WRITE && !direct ? -1 : hostPage + (physical & 0xfff);
    // What SMAP or SMEP refuses has no tag, though another kind of access has filled the entry.
    const prevented = !user && result.user;
    const data = view !== VIEW_CHECKED && !(prevented && mode.accessPrevention && !mode.accessOpen) && !this.#watched.includes(linear - (linear & 0xfff));
    const permitted = data && result.dirty && (result.write || (!user && !mode.writeProtect));
    const execute = result.execute && !(prevented && mode.executionPrevention);
    if (data || execute) {
      this.tlb.fill(
        view, linear, data, permitted && direct, execute, hostPage, this.#physical.frameOf(page), result.global, result.pageShift, permitted ? page : -1,
      );
      if (result.pageShift > 12 && this.#a20) this.#fillAhead(view, linear, access, page, data, permitted, execute);
    }
    return true;
  }

  /** Where accesses run from page to page within a large page, enters those that come next, too: to the processor they are one. */
  #fillAhead(view: number, linear: number, access: Access, page: number, data: boolean, permitted: boolean, execute: boolean): void {
    const { global, pageShift } = this.#result;
    const { last } = this.tlb;
    const number = Math.floor(linear / 4096);
    const isRun = number === last[access]! + 1;
    last[access] = number;
    if (!isRun) return;
    const pages = 2 ** (pageShift - 12);
    const left = Math.min(AHEAD, pages - 1 - (number - pages * Math.floor(number / pages)));
    for (let n = 1; n <= left; n += 1) {
      const next = (number + n) * 4096;
      const hostPage = this.#physical.hostAddress(page + n);
      if (hostPage < 0 || this.#watched.includes(next) || this.tlb.lookup(view, next, TAG_OF[access]) >= 0) return;
      const direct = this.#physical.writable(page + n);
      this.tlb.fill(view, next, data, permitted && direct, execute, hostPage, this.#physical.frameOf(page + n), global, pageShift, permitted ? page + n : -1);
      last[access] = number + n;
    }
  }
}

