/**
 * The MC146818 real-time clock with 128 bytes of CMOS memory behind ports 70h and 71h (Motorola MC146818A data sheet). Bit 7 of
 * port 70h masks NMI. Time is the injected wall-clock start plus virtual time; once a second an update compares the alarm.
 *
 *   00 seconds  02 minutes  04 hours  (01 03 05 alarms)  06 weekday  07 day  08 month  09 year  0A..0D registers A..D  32 century
 */

import { Alarm, Frequency } from "@doppel/clock";
import type { Clock } from "@doppel/clock";
import { conform } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { AccessSize, BusDevice, InterruptLine } from "../bus/bus-device.ts";
import type { PortBus } from "../bus/port-bus.ts";
import { calendarTime, decodeField, decodeHour, encodeField, encodeHour, epochSeconds } from "./calendar.ts";

const REG_A = 0x0a;
const REG_B = 0x0b;
const REG_C = 0x0c;
const REG_D = 0x0d;
const CENTURY = 0x32;
/** Where a PS/2 keeps the century; the same byte. */
const CENTURY_PS2 = 0x37;

const UIP = 0x80;
const SET = 0x80;
const DM_BINARY = 0x04;
const HOURS_24 = 0x02;
/** Enable bits of register B; the flags of register C stand at the same bits. */
const PERIODIC = 0x40;
const ALARM = 0x20;
const UPDATE = 0x10;
const IRQF = 0x80;
const VRT = 0x80;

const SECOND = 1e9;
/** UIP rises this long before an update (data sheet, "Update cycle"). */
const UIP_NS = 244_000;
const DIVIDER_HZ = 32_768;

/**
 * `base` is the wall-clock time in seconds at virtual time `-phase` nanoseconds; while updates are held (SET, or the divider in
 * reset) the time registers in `ram` count instead. `checked` is the divider tick up to which periodic flags are accounted for.
 */
export type RtcState = {
  ram: Uint8Array; index: number; nmiMasked: boolean; base: number; phase: number; checked: number; updateAt: number; periodicAt: number;
};

/** Real-time clock and CMOS memory. */
export class Rtc implements BusDevice, Persist<RtcState> {
  readonly #clock: Clock;
  readonly #irq: InterruptLine;
  readonly #divider = new Frequency(DIVIDER_HZ);
  readonly #updates: Alarm;
  readonly #periods: Alarm;
  #ram: Uint8Array = new Uint8Array(128);
  #index = 0;
  #nmiMasked = false;
  #base: number;
  #phase = 0;
  #checked = 0;

  /** @param epochStart seconds since 1970 (UTC) at virtual time 0. @param irq IRQ8. */
  constructor(clock: Clock, irq: InterruptLine, epochStart: number) {
    this.#clock = clock;
    this.#irq = irq;
    this.#base = Math.floor(epochStart);
    this.#updates = new Alarm(clock, "rtc.update", (deadline) => this.#update(deadline));
    this.#periods = new Alarm(clock, "rtc.periodic", () => this.#period());
    this.#ram[REG_A] = 0x26;
    this.#ram[REG_B] = HOURS_24;
    this.#ram[REG_D] = VRT;
    this.#scheduleUpdate();
  }

  /** Claims ports 70h to 73h; 72h and 73h reach the same memory, as where no extended bank is fitted. */
  attach(ports: PortBus): void {
    ports.register(0x70, 4, this, "MC146818");
  }

  /** RESET pin: interrupts off, flags cleared; time and memory stay. */
  reset(): void {
    this.#ram[REG_B] &= ~(PERIODIC | ALARM | UPDATE | 0x08);
    this.#ram[REG_C] = 0;
    this.#index = 0;
    this.#nmiMasked = false;
    this.#periods.clear();
    this.#irq.set(false);
  }

  /** Whether bit 7 of port 70h masks NMI. */
  get nmiMasked(): boolean {
    return this.#nmiMasked;
  }

  /** Stores one byte of CMOS memory, as a BIOS setup would; registers 0 to 0Dh are the clock's. */
  setMemory(index: number, value: number): void {
    if (index > REG_D) this.#ram[index & 0x7f] = value;
  }

  /** Seconds since 1970 by this clock. */
  get epochSeconds(): number {
    return this.#held() ? this.#fromRegisters() : this.#seconds();
  }

  /** The wall clock when virtual time was 0, by this clock. */
  get epochAtZero(): { readonly seconds: number; readonly nanoseconds: number } {
    const whole = Math.floor(this.#phase / SECOND);
    return { seconds: this.#base + whole, nanoseconds: Math.floor(this.#phase - whole * SECOND) };
  }

  read(offset: number, _size: AccessSize): number {
    if ((offset & 1) === 0) return 0xff;
    const index = this.#index === CENTURY_PS2 ? CENTURY : this.#index;
    if (index === REG_A) return this.#ram[REG_A] | (this.#updating() ? UIP : 0);
    if (index === REG_C) return this.#takeFlags();
    if ((index < REG_A || index === CENTURY) && !this.#held()) this.#toRegisters(this.#seconds());
    return this.#ram[index];
  }

  write(offset: number, _size: AccessSize, value: number): void {
    if ((offset & 1) === 0) {
      this.#index = value & 0x7f;
      if (offset === 0) this.#nmiMasked = (value & 0x80) !== 0;
      return;
    }
    const index = this.#index === CENTURY_PS2 ? CENTURY : this.#index;
    if (index === REG_A) this.#writeA(value & 0x7f);
    else if (index === REG_B) this.#writeB(value);
    else if (index === REG_C || index === REG_D) return;
    else this.#writeRegister(index, value);
  }

  save(): RtcState {
    return {
      ram: this.#ram.slice(), index: this.#index, nmiMasked: this.#nmiMasked, base: this.#base, phase: this.#phase,
      checked: this.#checked, updateAt: this.#updates.deadline, periodicAt: this.#periods.deadline,
    };
  }

  restore(state: RtcState): void {
    const taken = conform(state, this.save());
    this.#ram = taken.ram;
    this.#index = taken.index & 0x7f;
    this.#nmiMasked = taken.nmiMasked;
    this.#base = taken.base;
    this.#phase = taken.phase;
    this.#checked = taken.checked;
    this.#updates.set(taken.updateAt);
    this.#periods.set(taken.periodicAt);
  }

  /** Updates are held while SET is on or the divider chain is in reset (register A, DV2 and DV1 both set). */
  #held(): boolean {
    return (this.#ram[REG_B] & SET) !== 0 || (this.#ram[REG_A] & 0x60) === 0x60;
  }

  #seconds(): number {
    return this.#base + Math.floor((this.#clock.now() + this.#phase) / SECOND);
  }

  #updating(): boolean {
    if (this.#held()) return false;
    const now = this.#clock.now();
    const next = (Math.floor((now + this.#phase) / SECOND) + 1) * SECOND - this.#phase;
    return next - now <= UIP_NS;
  }

  #toRegisters(seconds: number): void {
    const ram = this.#ram;
    const binary = (ram[REG_B] & DM_BINARY) !== 0;
    const time = calendarTime(seconds);
    ram[0] = encodeField(time.second, binary);
    ram[2] = encodeField(time.minute, binary);
    ram[4] = encodeHour(time.hour, binary, (ram[REG_B] & HOURS_24) !== 0);
    ram[6] = time.weekday;
    ram[7] = encodeField(time.day, binary);
    ram[8] = encodeField(time.month, binary);
    ram[9] = encodeField(time.year % 100, binary);
    ram[CENTURY] = encodeField(Math.floor(time.year / 100) % 100, binary);
  }

  #fromRegisters(): number {
    const ram = this.#ram;
    const binary = (ram[REG_B] & DM_BINARY) !== 0;
    return epochSeconds({
      second: decodeField(ram[0], binary), minute: decodeField(ram[2], binary),
      hour: decodeHour(ram[4], binary, (ram[REG_B] & HOURS_24) !== 0), weekday: ram[6],
      day: decodeField(ram[7], binary), month: decodeField(ram[8], binary),
      year: decodeField(ram[9], binary) + 100 * decodeField(ram[CENTURY], binary),
    });
  }

  /** Takes the registers as the present time; `fraction` is how many nanoseconds of the running second have passed. */
  #adopt(fraction: number): void {
    const now = this.#clock.now();
    const sinceBoundary = (((now + this.#phase) % SECOND) + SECOND) % SECOND;
    this.#phase += fraction - sinceBoundary;
    this.#base = this.#fromRegisters() - Math.floor((now + this.#phase) / SECOND);
    this.#scheduleUpdate();
  }

  #fraction(): number {
    return (((this.#clock.now() + this.#phase) % SECOND) + SECOND) % SECOND;
  }

  #writeRegister(index: number, value: number): void {
    const isTime = index < REG_A && ((index & 1) === 0 || index > 5);
    if ((!isTime && index !== CENTURY) || this.#held()) {
      this.#ram[index] = value;
      return;
    }
    this.#toRegisters(this.#seconds());
    this.#ram[index] = value;
    this.#adopt(this.#fraction());
  }

  #writeA(value: number): void {
    const wasHeld = this.#held();
    const wasReset = (this.#ram[REG_A] & 0x60) === 0x60;
    if (!wasHeld) this.#toRegisters(this.#seconds());
    this.#ram[REG_A] = value;
    if (wasHeld && !this.#held()) {
      // The first update follows half a second after the divider leaves its reset (data sheet, "Divider stages").
      this.#adopt(wasReset ? SECOND / 2 : this.#fraction());
    }
    this.#account();
    this.#schedulePeriod();
  }

  #writeB(value: number): void {
    const wasHeld = this.#held();
    if (!wasHeld) this.#toRegisters(this.#seconds());
    this.#account();
    // Setting SET clears UIE.
    if ((value & SET) !== 0 && (this.#ram[REG_B] & SET) === 0) value &= ~UPDATE;
    this.#ram[REG_B] = value;
    if (!wasHeld && this.#held()) return this.#afterB();
    if (wasHeld && !this.#held()) this.#adopt(this.#fraction());
    this.#afterB();
  }

  #afterB(): void {
    this.#raise(0);
    this.#schedulePeriod();
  }

  #scheduleUpdate(): void {
    this.#updates.set((Math.floor((this.#clock.now() + this.#phase) / SECOND) + 1) * SECOND - this.#phase);
  }

  #update(deadline: number): void {
    const last = this.#seconds();
    this.#scheduleUpdate();
    if (this.#held()) return;
    // After a pause of the host several seconds are due at once; an alarm among them still counts.
    const first = Math.max(this.#base + Math.floor((deadline + this.#phase) / SECOND), last - 3600);
    let flags = UPDATE;
    for (let second = first; second <= last; second++) if (this.#isAlarm(second)) flags |= ALARM;
    this.#raise(flags);
  }

  /** The alarm bytes compare equal, or have both upper bits set, which means any. */
  #isAlarm(seconds: number): boolean {
    this.#toRegisters(seconds);
    const ram = this.#ram;
    return [0, 2, 4].every((at) => (ram[at + 1] & 0xc0) === 0xc0 || ram[at + 1] === ram[at]);
  }

  /** Divider ticks per period, or 0. */
  #periodTicks(): number {
    const rate = this.#ram[REG_A] & 15;
    // Rates 1 and 2 are those of 8 and 9 with a 32.768 kHz time base.
    return rate === 0 || (this.#ram[REG_A] & 0x60) === 0x60 ? 0 : 1 << ((rate < 3 ? rate + 7 : rate) - 1);
  }

  /** Sets the periodic flag if a period has ended since the last look. */
  #account(): void {
    const now = this.#divider.ticksAt(this.#clock.now());
    const ticks = this.#periodTicks();
    if (ticks > 0 && Math.floor(now / ticks) > Math.floor(this.#checked / ticks)) this.#ram[REG_C] |= PERIODIC;
    this.#checked = now;
  }

  #schedulePeriod(): void {
    const ticks = this.#periodTicks();
    const wanted = ticks > 0 && (this.#ram[REG_B] & PERIODIC) !== 0;
    const now = this.#divider.ticksAt(this.#clock.now());
    this.#periods.set(wanted ? this.#divider.nsAt((Math.floor(now / ticks) + 1) * ticks) : Infinity);
  }

  #period(): void {
    this.#account();
    this.#schedulePeriod();
    this.#raise(PERIODIC);
  }

  #raise(flags: number): void {
    const flag = this.#ram[REG_C] | flags;
    const asserted = (flag & this.#ram[REG_B] & (PERIODIC | ALARM | UPDATE)) !== 0;
    this.#ram[REG_C] = asserted ? flag | IRQF : flag & ~IRQF;
    this.#irq.set(asserted);
  }

  #takeFlags(): number {
    this.#account();
    this.#raise(0);
    const flags = this.#ram[REG_C];
    this.#ram[REG_C] = 0;
    this.#irq.set(false);
    return flags;
  }
}
