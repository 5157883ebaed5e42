/**
 * One local APIC in xAPIC mode (SDM volume 3, chapter "Advanced Programmable Interrupt Controller"): a page of registers at 16-byte
 * steps, the interrupts in request and in service, the local vector table, and the 8259's output on LINT0 (virtual wire).
 *
 *   020 ID  030 version  080 TPR  090 APR  0A0 PPR  0B0 EOI  0D0 LDR  0E0 DFR  0F0 SVR  100 ISR  180 TMR  200 IRR  280 ESR
 *   300, 310 ICR  320 timer  330 thermal  340 performance  350 LINT0  360 LINT1  370 error  380, 390 count  3E0 divide
 */

import { conform, copy } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { AccessSize, BusDevice } from "../bus/bus-device.ts";
import { DELIVERY } from "./apic-message.ts";
import type { ApicMessage } from "./apic-message.ts";
import type { LocalApicOptions } from "./apic-network.ts";
import { ApicTimer } from "./apic-timer.ts";
import type { ApicTimerState } from "./apic-timer.ts";
import { InterruptAcceptance } from "./interrupt-acceptance.ts";
import type { InterruptAcceptanceState } from "./interrupt-acceptance.ts";
import { FIRST_LEGAL_VECTOR, ICR_WRITABLE, interruptCommand } from "./interrupt-command.ts";
import type { InterruptSource } from "./interrupt-source.ts";
import { LocalVectorTable, LVT } from "./local-vector-table.ts";

/** Version 14h with entries 0 to 5 in the local vector table. */
const VERSION = 0x0005_0014;
const BASE_BSP = 0x100;
const BASE_ENABLE = 0x800;
/** Where the page stands after reset. */
export const APIC_DEFAULT_BASE = 0xfee0_0000;

const SVR_ENABLE = 0x100;
const ESR_SEND_ILLEGAL = 0x20;
const ESR_RECEIVE_ILLEGAL = 0x40;
const ESR_ILLEGAL_REGISTER = 0x80;

/** Registers; `errors` have occurred since ESR was last written, `lint` are the levels of the two pins. */
export type LocalApicState = {
  baseHigh: number; baseLow: number; id: number; tpr: number; ldr: number; dfr: number; svr: number; esr: number; errors: number;
  icrHigh: number; icrLow: number; lint: boolean[]; lvt: number[]; vectors: InterruptAcceptanceState; timer: ApicTimerState;
};

/** Those of them that no part of the APIC keeps for itself. */
type Registers = Omit<LocalApicState, "lvt" | "vectors" | "timer">;

/** The interrupt controller inside a CPU. */
export class LocalApic implements BusDevice, InterruptSource, Persist<LocalApicState> {
  readonly #options: LocalApicOptions;
  readonly #timer: ApicTimer;
  readonly #table: LocalVectorTable;
  readonly #vectors = new InterruptAcceptance();
  #state!: Registers;
  #pending = false;

  constructor(options: LocalApicOptions) {
    this.#options = options;
    this.#timer = new ApicTimer(options.clock, `apic.${options.id}`, options.tscDeadline, () => this.#raise(LVT.TIMER));
    this.#table = new LocalVectorTable(options.pic !== undefined);
    this.#state = this.#fresh();
  }

  /** Power-on. The boot processor's LINT0 passes the 8259 through at once, as firmware would set it up. */
  reset(): void {
    const { lint } = this.#state;
    this.#state = { ...this.#fresh(), lint };
    this.#timer.reset();
    this.#table.reset();
    this.#vectors.reset();
    this.#options.network.moved();
    this.#update();
  }

  /** INIT: registers as at power-on, but for the base and the ID. */
  initialize(): void {
    const { lint, baseHigh, baseLow, id } = this.#state;
    this.#state = { ...this.#fresh(), lint, baseHigh, baseLow, id };
    this.#timer.reset();
    this.#table.reset();
    this.#vectors.reset();
    this.#update();
  }

  /** The APIC's ID. */
  get id(): number {
    return this.#state.id;
  }

  /** IA32_APIC_BASE. */
  get base(): { high: number; low: number } {
    return { high: this.#state.baseHigh, low: this.#state.baseLow };
  }

  /** Writes IA32_APIC_BASE; reserved bits are the CPU's to check. Disabling brings the registers into their reset state. */
  setBase(high: number, low: number): void {
    const wasEnabled = this.isEnabled;
    this.#state.baseHigh = high >>> 0;
    this.#state.baseLow = ((low & ~BASE_BSP) | (this.#state.baseLow & BASE_BSP)) >>> 0;
    if (wasEnabled && !this.isEnabled) this.initialize();
    this.#options.network.moved();
    this.#update();
  }

  /** Whether IA32_APIC_BASE enables it. */
  get isEnabled(): boolean {
    return (this.#state.baseLow & BASE_ENABLE) !== 0;
  }

  /** Physical address of the page. */
  get address(): number {
    return this.#state.baseHigh * 2 ** 32 + ((this.#state.baseLow & 0xffff_f000) >>> 0);
  }

  /** IA32_TSC_DEADLINE. */
  get tscDeadline(): { high: number; low: number } {
    return this.#timer.tscDeadline;
  }

  /** Writes IA32_TSC_DEADLINE. */
  setTscDeadline(high: number, low: number): void {
    this.#timer.setTscDeadline(high, low);
  }

  /** To be called when the CPU's time-stamp counter was written. */
  counterWritten(): void {
    this.#timer.counterWritten();
  }

  /** Task priority as CR8 shows it, 0 to 15. */
  get taskPriority(): number {
    return this.#state.tpr >> 4;
  }

  set taskPriority(value: number) {
    this.#state.tpr = (value & 15) << 4;
    this.#update();
  }

  pending(): boolean {
    return this.#pending;
  }

  acknowledge(): number {
    const vector = this.#deliverable();
    if (vector >= 0) {
      this.#vectors.take(vector);
      this.#update();
      return vector;
    }
    if (this.#picPasses()) {
      const external = (this.#options.pic as InterruptSource).acknowledge();
      this.#update();
      return external;
    }
    return this.#state.svr & 0xff;
  }

  /** Drives LINT0 or LINT1. */
  setLint(pin: 0 | 1, level: boolean): void {
    const state = this.#state;
    const rises = level && !state.lint[pin];
    state.lint[pin] = level;
    if (!this.isEnabled) {
      // Without APIC the pins are INTR and NMI.
      if (pin === 1 && rises) this.#options.cpu.nmi();
    } else if (rises) {
      this.#raise(pin === 0 ? LVT.LINT0 : LVT.LINT1);
    }
    this.#update();
  }

  /** Takes a message that is addressed to this APIC. @returns whether it could. */
  accept(message: ApicMessage): boolean {
    const { cpu } = this.#options;
    switch (message.delivery) {
      case DELIVERY.FIXED:
      case DELIVERY.LOWEST_PRIORITY:
        if (!this.isEnabled || (this.#state.svr & SVR_ENABLE) === 0) return false;
        this.#request(message.vector, message.level);
        return true;
      case DELIVERY.SMI: cpu.smi(); return true;
      case DELIVERY.NMI: cpu.nmi(); return true;
      case DELIVERY.INIT:
        this.initialize();
        cpu.init();
        return true;
      case DELIVERY.START_UP: cpu.sipi(message.vector); return true;
      default: return false;
    }
  }

  /** Whether a destination field names this APIC. */
  isAddressed(destination: number, logical: boolean): boolean {
    if (!logical) return destination === 0xff || destination === this.#state.id;
    const own = this.#state.ldr >>> 24;
    // Flat model: a bit each. Cluster model: the upper nibble is the cluster (all ones is each), the lower a bit each.
    if (this.#state.dfr >>> 28 === 0xf) return (destination & own) !== 0;
    const cluster = destination >> 4;
    return (cluster === 0xf || cluster === own >> 4) && (destination & own & 15) !== 0;
  }

  /** Processor priority: what lowest-priority arbitration compares. */
  get processorPriority(): number {
    return this.#vectors.processorPriority(this.#state.tpr);
  }

  read(offset: number, size: AccessSize): number {
    const within = offset & 15;
    // Registers are 32 bits at 16-byte steps; what lies between them reads zero.
    if (within + size > 4) return 0;
    return this.#readRegister((offset >> 4) & 0xff) >>> (8 * within);
  }

  write(offset: number, size: AccessSize, value: number): void {
    if (size !== 4 || (offset & 15) !== 0) return;
    this.#writeRegister((offset >> 4) & 0xff, value);
    this.#update();
  }

  save(): LocalApicState {
    return { ...copy(this.#state), lvt: this.#table.save(), vectors: this.#vectors.save(), timer: this.#timer.save() };
  }

  restore(state: LocalApicState): void {
    const { timer, vectors, lvt, ...own } = conform(state, this.save());
    this.#state = own;
    this.#table.restore(lvt);
    this.#vectors.restore(vectors);
    this.#timer.restore(timer);
    this.#options.network.moved();
    this.#pending = this.#picPasses() || this.#deliverable() >= 0;
  }

  /** To be called when the 8259's output changed without LINT0 being driven, as after a restore. */
  refresh(): void {
    this.#pending = this.#picPasses() || this.#deliverable() >= 0;
  }

  #fresh(): Registers {
    const isBoot = this.#options.pic !== undefined;
    return {
      baseHigh: 0, baseLow: (APIC_DEFAULT_BASE | BASE_ENABLE | (isBoot ? BASE_BSP : 0)) >>> 0, id: this.#options.id,
      tpr: 0, ldr: 0, dfr: 0xffff_ffff, svr: 0xff, esr: 0, errors: 0, icrHigh: 0, icrLow: 0,
      lint: [false, false],
    };
  }

  #update(): void {
    const before = this.#pending;
    this.#pending = this.#picPasses() || this.#deliverable() >= 0;
    if (this.#pending && !before) this.#options.onPending();
  }

  /** The requested vector that the processor priority lets through, or -1. */
  #deliverable(): number {
    return this.isEnabled ? this.#vectors.deliverable(this.#state.tpr) : -1;
  }

  #picPasses(): boolean {
    const { pic } = this.#options;
    if (pic === undefined || !pic.pending()) return false;
    return !this.isEnabled || this.#table.passesExternal;
  }

  #request(vector: number, level: boolean): void {
    if (vector < FIRST_LEGAL_VECTOR) {
      this.#error(ESR_RECEIVE_ILLEGAL);
      return;
    }
    this.#vectors.request(vector, level);
    this.#update();
  }

  /** An error is recorded, and interrupts unless the error entry itself is what failed. */
  #error(bit: number): void {
    this.#state.errors |= bit;
    const { isMasked, vector } = this.#table.entry(LVT.ERROR);
    if (!isMasked && vector >= FIRST_LEGAL_VECTOR) this.#request(vector, false);
  }

  /** A local interrupt, as its table entry says. */
  #raise(index: number): void {
    if (index === LVT.LINT0 && this.#table.passesExternal) return;
    const { isMasked, delivery, vector, level } = this.#table.entry(index);
    if (isMasked) return;
    if (delivery === DELIVERY.FIXED) {
      if (level) this.#table.setRemoteIrr(index);
      this.#request(vector, level);
    } else if (delivery !== DELIVERY.EXT_INT) {
      this.accept({ delivery, vector, level: false, destination: this.#state.id, logical: false });
    }
  }

  #readRegister(register: number): number {
    const state = this.#state;
    if (register >= 0x10 && register < 0x28) return this.#vectors.read(register - 0x10);
    if (register >= 0x32 && register <= 0x37) return this.#table.read(register - 0x32);
    switch (register) {
      case 0x02: return (state.id << 24) >>> 0;
      case 0x03: return VERSION;
      case 0x08: return state.tpr;
      case 0x09: return this.#vectors.arbitrationPriority(state.tpr);
      case 0x0a: return this.processorPriority;
      case 0x0d: return state.ldr;
      case 0x0e: return state.dfr;
      case 0x0f: return state.svr;
      case 0x28: return state.esr;
      case 0x30: return state.icrLow;
      case 0x31: return state.icrHigh;
      case 0x38: return this.#timer.initialCount;
      case 0x39: return this.#timer.currentCount;
      case 0x3e: return this.#timer.divideConfiguration;
      case 0x0b: // EOI is write-only
      case 0x0c: return 0; // no remote read
      default:
        this.#error(ESR_ILLEGAL_REGISTER);
        return 0;
    }
  }

  #writeRegister(register: number, value: number): void {
    const state = this.#state;
    if (register >= 0x32 && register <= 0x37) return this.#writeLvt(register - 0x32, value);
    switch (register) {
      case 0x02: state.id = value >>> 24; return;
      case 0x08: state.tpr = value & 0xff; return;
      case 0x0b: return this.#endOfInterrupt();
      case 0x0d: state.ldr = (value & 0xff00_0000) >>> 0; return;
      case 0x0e: state.dfr = (value | 0x0fff_ffff) >>> 0; return;
      case 0x0f:
        state.svr = value & 0x1ff;
        // Switched off by software, the whole table is masked.
        if ((value & SVR_ENABLE) === 0) this.#table.maskAll();
        return;
      case 0x28:
        state.esr = state.errors;
        state.errors = 0;
        return;
      case 0x30:
        state.icrLow = value & ICR_WRITABLE;
        return this.#send();
      case 0x31: state.icrHigh = (value & 0xff00_0000) >>> 0; return;
      case 0x38: this.#timer.initialCount = value; return;
      case 0x3e: this.#timer.divideConfiguration = value; return;
      case 0x03:
      case 0x09:
      case 0x0a:
      case 0x0c:
      case 0x39: return;
      default:
        // ISR, TMR and IRR are read-only; anything else is no register.
        if (register < 0x10 || register >= 0x28) this.#error(ESR_ILLEGAL_REGISTER);
    }
  }

  #writeLvt(index: number, value: number): void {
    this.#table.write(index, value, (this.#state.svr & SVR_ENABLE) === 0);
    if (index === LVT.TIMER) this.#timer.setMode((value >> 17) & 3);
  }

  #endOfInterrupt(): void {
    const ended = this.#vectors.end();
    if (ended?.level !== true) return;
    this.#options.network.endOfInterrupt(ended.vector);
    ([LVT.LINT0, LVT.LINT1] as const).forEach((index, pin) => {
      if (this.#table.endRemoteIrr(index, ended.vector) && this.#state.lint[pin]) this.#raise(index);
    });
  }

  #send(): void {
    const command = interruptCommand(this.#state.icrHigh, this.#state.icrLow);
    if (command.kind === "illegal-vector") this.#error(ESR_SEND_ILLEGAL);
    if (command.kind !== "send") return;
    const { network } = this.#options;
    switch (command.to) {
      case "self": this.accept(command.message); return;
      case "all": network.broadcast(command.message, undefined); return;
      case "others": network.broadcast(command.message, this); return;
      case "destination": network.deliver(command.message);
    }
  }
}
