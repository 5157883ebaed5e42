/**
 * Lowers memory accesses. An access is inline (engine.md, item 9): entry = TLB view + ((linear >> 12) & 4095) * 32,
 * off = linear - tag, and `off <u 4097 - size` says both that the page matches and that the access does not cross its end. What
 * the TLB does not know goes to a TypeScript helper, which returns a status.
 */
import { TLB_HOST, TLB_MASK, TLB_READ_TAG, TLB_SHIFT, TLB_WRITE_TAG } from "@doppel/mmu";
import { OP } from "@doppel/wasm";
import type { Address, SegmentRef, Size, Statement } from "@doppel/semantics";
import { SCRATCH, SEGMENT, SEGMENT_STRIDE, SEG_BASE, SEG_READ_LENGTH, SEG_WRITE_LENGTH, STATE } from "./state-layout.ts";
import { loadOf, storeOf, type Target, type ValueSource } from "./target.ts";


/** Leaves with a fault when the status on the stack says so. */
export function faultOnStatus(t: Target): void {
  t.f.if(undefined, false);
  t.fault();
  t.f.end();
}

/** Memory accesses of one instruction. */
export class MemoryLowering {
  private readonly t: Target;
  private readonly f: Target["f"];
  private readonly values: ValueSource;
  private readonly probes = new Map<Statement, { linear: number; host: number; offset: number }>();

  constructor(target: Target, values: ValueSource) {
    this.t = target;
    this.f = target.f;
    this.values = values;
  }

  /** Another instruction begins. */
  forget(): void {
    if (this.probes.size > 0) this.probes.clear();
  }

  private pushSegment(segment: SegmentRef): void {
    if (segment === "record") this.t.recordSegment();
    else this.f.i32(SEGMENT + SEGMENT_STRIDE * segment);
  }

  /** Adds a segment's base to the offset on the stack. */
  addSegmentBase(segment: SegmentRef): void {
    const { long } = this.t;
    this.pushSegment(segment);
    this.f.memory(long ? OP.i64_load : OP.i32_load, STATE + SEG_BASE).op(long ? OP.i64_add : OP.i32_add);
  }

  /** Leaves the linear address of an access in a local, after the segment's checks. */
  linear(address: Address, size: number, write: boolean): number {
    const { f, t } = this;
    const type = t.long ? "i64" : "i32";
    this.values.push(address.offset);
    const local = this.values.own(type);
    if (!address.checked) {
      f.set(local);
      return local;
    }
    if (!t.long) {
      f.tee(local).op(OP.i64_extend_i32_u).i64(size).op(OP.i64_add);
      this.pushSegment(address.segment);
      f.memory(OP.i64_load, STATE + (write ? SEG_WRITE_LENGTH : SEG_READ_LENGTH)).op(OP.i64_gt_u);
      f.if(undefined, false);
      if (t.miss !== undefined) t.miss();
      else {
        this.pushSegment(address.segment);
        f.get(local).i32(0).i32(size).i32(write ? 1 : 0).call(t.helper("segmentCheck", 5));
        faultOnStatus(t);
      }
      f.end();
      f.get(local);
    }
    this.addSegmentBase(address.segment);
    f.set(local);
    return local;
  }

  /** Pushes linear + tag, teed into `off`; leaves in `entry` the address of the tag, less what it returns. */
  private lookUp(linear: number, entry: number, off: number, tag: number): number {
    const { f, t } = this;
    f.get(linear);
    if (t.long) f.op(OP.i32_wrap_i64);
    f.i32(TLB_SHIFT).op(OP.i32_shr_u).i32(TLB_MASK).op(OP.i32_and);
    const place = t.tlbView() + tag;
    f.set(entry);
    f.get(linear).get(entry);
    if (t.long) f.memory(OP.i64_load, place).op(OP.i64_add);
    else f.memory(OP.i32_load, place).op(OP.i32_add);
    f.tee(off);
    return place;
  }

  private inBounds(size: Size): void {
    if (this.t.long) this.f.i64(4097 - size).op(OP.i64_lt_u);
    else this.f.i32(4097 - size).op(OP.i32_lt_u);
  }

  private hostAddress(entry: number, off: number, place: number): void {
    this.f.get(off);
    if (this.t.long) this.f.op(OP.i32_wrap_i64);
    this.f.get(entry).memory(OP.i32_load, place + TLB_HOST).op(OP.i32_add);
  }

  /** Pushes the host address of an access, for a tier that leaves where the TLB does not have it. */
  private pushHost(linear: number, size: Size, write: boolean, miss: () => void): void {
    const { f, t } = this;
    const entry = f.local("i32");
    const off = f.local(t.long ? "i64" : "i32");
    const place = this.lookUp(linear, entry, off, write ? TLB_WRITE_TAG : TLB_READ_TAG);
    if (t.long) f.i64(4096 - size).op(OP.i64_gt_u);
    else f.i32(4096 - size).op(OP.i32_gt_u);
    f.if(undefined, false);
    miss();
    f.end();
    this.hostAddress(entry, off, place);
    f.release(entry);
    f.release(off);
  }

  /** Where the target has a window for an access: the address itself is not needed then. */
  private window(s: Statement & { address: Address }): ReturnType<NonNullable<Target["window"]>> {
    const window = this.values.isUnconditional ? this.t.window?.(s) : undefined;
    if (window !== undefined) this.values.leaveOut(s.address.offset);
    return window;
  }

  private slow(name: string, linear: number, size: Size): void {
    const { f, t } = this;
    t.synchronize();
    if (t.long) f.get(linear).op(OP.i32_wrap_i64).get(linear).i64(32).op(OP.i64_shr_u).op(OP.i32_wrap_i64);
    else f.get(linear).i32(0);
    f.i32(size).call(t.helper(name, 3));
    t.resynchronize();
    faultOnStatus(t);
  }

  /** Loads; leaves the value with its source. */
  load(s: Statement & { kind: "load" }): void {
    const { f, t } = this;
    const op = loadOf(s.size, s.value.type);
    const window = this.window(s);
    if (window !== undefined) {
      if (s.update) this.probes.set(s, { linear: NaN, ...window });
      f.get(window.host).memory(op, window.offset);
      return this.values.take(s.value);
    }
    const linear = this.linear(s.address, s.size, s.update);
    if (t.miss !== undefined) {
      this.pushHost(linear, s.size, s.update, () => t.miss!());
      if (s.update) {
        const host = this.values.own("i32");
        this.probes.set(s, { linear, host, offset: 0 });
        f.tee(host);
      }
      f.memory(op);
      return this.values.take(s.value);
    }
    const entry = f.local("i32");
    const off = f.local(t.long ? "i64" : "i32");
    const place = this.lookUp(linear, entry, off, s.update ? TLB_WRITE_TAG : TLB_READ_TAG);
    this.inBounds(s.size);
    if (s.update) {
      const host = this.values.own("i32");
      this.probes.set(s, { linear, host, offset: 0 });
      f.if(s.value.type, true);
      this.hostAddress(entry, off, place);
      f.tee(host).memory(op).else();
      this.slow("probeWrite", linear, s.size);
      this.slow("loadSlow", linear, s.size);
      f.i32(0).set(host);
    } else {
      f.if(s.value.type, true);
      this.hostAddress(entry, off, place);
      f.memory(op).else();
      this.slow("loadSlow", linear, s.size);
    }
    f.i32(0).memory(op, STATE + SCRATCH).end();
    f.release(entry);
    f.release(off);
    this.values.take(s.value);
  }

  /** Checks write permission, and remembers where the page is. */
  probe(s: Statement & { kind: "probe" }): void {
    const { f, t } = this;
    const window = this.window(s);
    if (window !== undefined) return void this.probes.set(s, { linear: NaN, ...window });
    const linear = this.linear(s.address, s.size, true);
    const host = this.values.own("i32");
    this.probes.set(s, { linear, host, offset: 0 });
    if (t.miss !== undefined) {
      this.pushHost(linear, s.size, true, () => t.miss!());
      f.set(host);
      return;
    }
    const entry = f.local("i32");
    const off = f.local(t.long ? "i64" : "i32");
    const place = this.lookUp(linear, entry, off, TLB_WRITE_TAG);
    this.inBounds(s.size);
    f.if("i32", true);
    this.hostAddress(entry, off, place);
    f.else();
    this.slow("probeWrite", linear, s.size);
    f.i32(0).end().set(host);
    f.release(entry);
    f.release(off);
  }

  /** Stores; at an address that was probed it cannot fault. */
  store(s: Statement & { kind: "store" }): void {
    const { f, t } = this;
    const op = storeOf(s.size, s.value.type);
    const probed = s.address.probed === undefined ? undefined : this.probes.get(s.address.probed);
    const value = this.values.shared(s.value);
    const slowly = (linear: number): void => {
      f.i32(0);
      value.push();
      f.memory(op, STATE + SCRATCH);
      this.slow("storeSlow", linear, s.size);
    };
    if (probed !== undefined && s.address.probed!.address === s.address) {
      // The offset was evaluated by the probe; count this use of it.
      this.values.forget(s.address.offset);
      if (t.miss !== undefined) {
        // The probe left where there was no host address.
        f.get(probed.host);
        value.push();
        f.memory(op, probed.offset);
        value.done();
        return;
      }
      f.get(probed.host).if(undefined, true);
      f.get(probed.host);
      value.push();
      f.memory(op).else();
      slowly(probed.linear);
      f.end();
      value.done();
      return;
    }
    const window = this.window(s);
    if (window !== undefined) {
      f.get(window.host);
      value.push();
      f.memory(op, window.offset);
      return value.done();
    }
    const linear = this.linear(s.address, s.size, true);
    if (t.miss !== undefined) {
      this.pushHost(linear, s.size, true, () => t.miss!());
      value.push();
      f.memory(op);
      return value.done();
    }
    const entry = f.local("i32");
    const off = f.local(t.long ? "i64" : "i32");
    const place = this.lookUp(linear, entry, off, TLB_WRITE_TAG);
    this.inBounds(s.size);
    f.if(undefined, true);
    this.hostAddress(entry, off, place);
    value.push();
    f.memory(op).else();
    slowly(linear);
    f.end();
    f.release(entry);
    f.release(off);
    value.done();
  }
}
