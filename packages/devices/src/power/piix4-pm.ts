/**
 * Power management of a PIIX4 (82371AB data sheet, chapter 7; ACPI specification, "Fixed hardware"): the PM1a registers, the power
 * management timer, one block of general-purpose events, and the command port by which an operating system takes over from firmware.
 *
 *   PMBASE +0 PM1a status  +2 enable  +4 control  +8 timer    AFE0h GPE0 status, AFE2h enable    B2h, B3h APM
 */

import { Alarm, Frequency } from "@doppel/clock";
import type { Clock } from "@doppel/clock";
import { conform } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { AccessSize, BusDevice, InterruptLine } from "../bus/bus-device.ts";
import type { PortBus } from "../bus/port-bus.ts";
import { PciFunction } from "../pci/pci-function.ts";
import type { PciFunctionState } from "../pci/pci-function.ts";

/** Ticks per second of the power management timer. */
export const PM_TIMER_HZ = 3_579_545;
/** Where the GPE0 block stands. */
export const GPE0_PORT = 0xafe0;
/** Commands of port B2h that turn ACPI mode on and off: ACPI_ENABLE and ACPI_DISABLE of the FADT. */
export const APM_ACPI_ENABLE = 0xf1;
export const APM_ACPI_DISABLE = 0xf0;

const PMBA = 0x40;
const PMREGMISC = 0x80;
const PMIOSE = 0x01;

const TMR_STS = 0x0001;
const GBL_STS = 0x0020;
const PWRBTN_STS = 0x0100;
const RTC_STS = 0x0400;
const SCI_EN = 0x0001;
const SLP_EN = 0x2000;
/** SLP_TYP values of this chip that end the machine: soft off, and suspend to disk. */
const SOFT_OFF = 0;
const SUSPEND_TO_DISK = 2;

/** Half a turn of the 24-bit timer: each sets TMR_STS. */
const HALF_TURN = 2 ** 23;

/** Registers; `halfTurns` is how many half turns of the timer are accounted for. */
export type Piix4PmState = {
  config: PciFunctionState; status: number; enable: number; control: number; halfTurns: number; gpeStatus: number; gpeEnable: number;
  apmCommand: number; apmStatus: number; overflowAt: number;
};

/** The function at device 1, function 3. */
export class Piix4Pm implements BusDevice, Persist<Piix4PmState> {
  /** Its configuration space. */
  readonly config: PciFunction;
  readonly #clock: Clock;
  readonly #sci: InterruptLine;
  readonly #powerOff: () => void;
  readonly #rate = new Frequency(PM_TIMER_HZ);
  readonly #overflow: Alarm;
  #ports: PortBus | undefined;
  #claim: { base: number; range: Disposable } | undefined;
  #status = 0;
  #enable = 0;
  #control = 0;
  #halfTurns = 0;
  #gpeStatus = 0;
  #gpeEnable = 0;
  #apmCommand = 0;
  #apmStatus = 0;

  /** @param sci the ACPI interrupt, level-triggered. @param powerOff called when the guest enters S5 or S4. */
  constructor(clock: Clock, sci: InterruptLine, powerOff: () => void) {
    this.#clock = clock;
    this.#sci = sci;
    this.#powerOff = powerOff;
    this.#overflow = new Alarm(clock, "pm.timer", () => this.#update());
    this.config = new PciFunction({ vendor: 0x8086, device: 0x7113, revision: 0x03, classCode: 0x068000, interruptPin: 1 });
    for (let offset = 0x40; offset < 0x100; offset++) this.config.allow(offset, 0xff);
    this.config.set16(0x06, 0x0280);
    this.config.set8(PMBA, 0x01);
    this.config.allow(PMBA, 0xc0, 0xff, 0x00, 0x00);
    this.config.set8(0x90, 0x01);
    this.config.allow(0x90, 0xf0, 0xff, 0x00, 0x00);
    // APMC_EN of DEVACTB: says that system management mode is already set up, so that firmware leaves it alone.
    this.config.set8(0x5b, 0x02);
    this.config.onWrite(() => this.#map());
  }

  /** Claims the fixed ports, and from now on the PM ports where the guest puts them. */
  attach(ports: PortBus): void {
    this.#ports = ports;
    const gpe: BusDevice = {
      read: (offset) => ((offset < 2 ? this.#gpeStatus : this.#gpeEnable) >> (8 * (offset & 1))) & 0xff,
      write: (offset, _size, value) => {
        const shifted = value << (8 * (offset & 1));
        if (offset < 2) this.#gpeStatus &= ~shifted;
        else this.#gpeEnable = (this.#gpeEnable & ~(0xff << (8 * (offset & 1)))) | shifted;
        this.#update();
      },
    };
    ports.register(GPE0_PORT, 4, gpe, "ACPI GPE0");
    const apm: BusDevice = {
      read: (offset) => (offset === 0 ? this.#apmCommand : this.#apmStatus),
      write: (offset, _size, value) => this.#writeApm(offset, value),
    };
    ports.register(0xb2, 2, apm, "APM");
    this.#map();
  }

  /** Power-on state of the registers; the configuration space is reset with its bus. */
  reset(): void {
    this.#status = 0;
    this.#enable = 0;
    this.#control = 0;
    this.#gpeStatus = 0;
    this.#gpeEnable = 0;
    this.#apmCommand = 0;
    this.#apmStatus = 0;
    this.#halfTurns = Math.floor(this.#ticks() / HALF_TURN);
    this.#update();
  }

  /** Presses the power button: the operating system is asked to shut down. */
  pressPowerButton(): void {
    this.#status |= PWRBTN_STS;
    this.#update();
  }

  /** Raises a general-purpose event, 0 to 15. */
  raiseEvent(event: number): void {
    this.#gpeStatus |= 1 << event;
    this.#update();
  }

  read(offset: number, size: AccessSize): number {
    this.#account();
    let value = 0;
    for (let i = 0; i < size; i++) value |= ((this.#word((offset + i) & ~1) >> (8 * ((offset + i) & 1))) & 0xff) << (8 * i);
    return value >>> 0;
  }

  write(offset: number, size: AccessSize, value: number): void {
    this.#account();
    for (let i = 0; i < size; ) {
      const at = offset + i;
      const step = (at & 1) === 0 && size - i >= 2 ? 2 : 1;
      const shift = 8 * (at & 1);
      const mask = (step === 2 ? 0xffff : 0xff) << shift;
      this.#writeWord(at & ~1, ((value >>> (8 * i)) << shift) & mask, mask);
      i += step;
    }
    this.#update();
  }

  save(): Piix4PmState {
    return {
      config: this.config.save(), status: this.#status, enable: this.#enable, control: this.#control, halfTurns: this.#halfTurns,
      gpeStatus: this.#gpeStatus, gpeEnable: this.#gpeEnable, apmCommand: this.#apmCommand, apmStatus: this.#apmStatus,
      overflowAt: this.#overflow.deadline,
    };
  }

  restore(state: Piix4PmState): void {
    const taken = conform(state, this.save());
    this.config.restore(taken.config);
    this.#status = taken.status;
    this.#enable = taken.enable;
    this.#control = taken.control;
    this.#halfTurns = taken.halfTurns;
    this.#gpeStatus = taken.gpeStatus;
    this.#gpeEnable = taken.gpeEnable;
    this.#apmCommand = taken.apmCommand;
    this.#apmStatus = taken.apmStatus;
    this.#overflow.set(taken.overflowAt);
  }

  #ticks(): number {
    return this.#rate.ticksAt(this.#clock.now());
  }

  /** Puts the PM ports to where PMBA says, if PMREGMISC lets them be seen and the place is free. */
  #map(): void {
    const base = (this.config.get8(PMREGMISC) & PMIOSE) !== 0 ? this.config.get16(PMBA) & 0xffc0 : 0;
    if (this.#ports === undefined || this.#claim?.base === base) return;
    this.#claim?.range[Symbol.dispose]();
    this.#claim = undefined;
    if (base !== 0 && this.#ports.isFree(base, 64)) this.#claim = { base, range: this.#ports.register(base, 64, this, "PIIX4 PM", 4) };
  }

  #word(offset: number): number {
    switch (offset) {
      case 0: return this.#status;
      case 2: return this.#enable;
      case 4: return this.#control;
      case 8: return this.#ticks() & 0xffff;
      case 10: return (Math.floor(this.#ticks() / 0x10000) & 0xff);
      default: return 0;
    }
  }

  #writeWord(offset: number, value: number, mask: number): void {
    if (offset === 0) {
      this.#status &= ~value;
    } else if (offset === 2) {
      this.#enable = (this.#enable & ~mask) | value;
    } else if (offset === 4) {
      this.#control = ((this.#control & ~mask) | value) & ~SLP_EN;
      if ((value & SLP_EN) === 0) return;
      const type = (this.#control >> 10) & 7;
      if (type === SOFT_OFF || type === SUSPEND_TO_DISK) this.#powerOff();
    }
  }

  #writeApm(offset: number, value: number): void {
    if (offset === 1) {
      this.#apmStatus = value;
      return;
    }
    this.#apmCommand = value;
    if (value === APM_ACPI_ENABLE) this.#control |= SCI_EN;
    else if (value === APM_ACPI_DISABLE) this.#control &= ~SCI_EN;
    this.#update();
  }

  /** Sets TMR_STS if bit 23 of the timer has changed since the last look. */
  #account(): void {
    const halfTurns = Math.floor(this.#ticks() / HALF_TURN);
    if (halfTurns > this.#halfTurns) this.#status |= TMR_STS;
    this.#halfTurns = halfTurns;
  }

  #update(): void {
    this.#account();
    const fixed = this.#status & this.#enable & (TMR_STS | GBL_STS | PWRBTN_STS | RTC_STS);
    this.#sci.set((this.#control & SCI_EN) !== 0 && (fixed !== 0 || (this.#gpeStatus & this.#gpeEnable) !== 0));
    const waits = (this.#enable & ~this.#status & TMR_STS) !== 0;
    this.#overflow.set(waits ? this.#rate.nsAt((this.#halfTurns + 1) * HALF_TURN) : Infinity);
  }
}
