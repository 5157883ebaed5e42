/**
 * The ISA bridge of a PIIX3 (82371SB data sheet) as far as it routes interrupts: registers 60h to 63h lead the PCI interrupt lines
 * PIRQA to PIRQD to an ISA interrupt, or nowhere while their bit 7 is set.
 */

import { conform } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { InterruptLine } from "../bus/bus-device.ts";
import { PciFunction } from "./pci-function.ts";
import type { PciFunctionState } from "./pci-function.ts";

const PIRQRCA = 0x60;
const ROUTING_DISABLED = 0x80;

/** Power-on values of the registers that are not zero (data sheet, section 2.2): XBCS, top of memory, MBIRQ, MBDMA, PCSC, SMI control and timer. */
const DEFAULTS = [[0x4c, 0x4d], [0x4e, 0x03], [0x69, 0x02], [0x70, 0x80], [0x76, 0x0c], [0x77, 0x0c], [0x78, 0x02], [0xa0, 0x08], [0xa8, 0x0f]] as const;

/** Configuration space, and for each PIRQ which sources assert it. */
export type Piix3State = { config: PciFunctionState; asserted: number[] };

/** The ISA bridge at device 1, function 0. */
export class Piix3 implements Persist<Piix3State> {
  /** Its configuration space. */
  readonly config: PciFunction;
  readonly #isaIrq: readonly InterruptLine[];
  #asserted = [0, 0, 0, 0];
  #sources = 0;

  /** @param isaIrq the inputs IRQ0 to IRQ15 as PCI devices may reach them. */
  constructor(isaIrq: readonly InterruptLine[]) {
    this.#isaIrq = isaIrq;
    this.config = new PciFunction({ vendor: 0x8086, device: 0x7000, revision: 0x00, classCode: 0x060100, headerType: 0x80 });
    for (let offset = 0x40; offset < 0x100; offset++) this.config.allow(offset, 0xff);
    this.config.set16(0x06, 0x0200);
    for (let i = 0; i < 4; i++) this.config.set8(PIRQRCA + i, ROUTING_DISABLED);
    for (const [offset, value] of DEFAULTS) this.config.set8(offset, value);
    this.config.onWrite((offset, size) => {
      if (offset < PIRQRCA + 4 && offset + size > PIRQRCA) this.#drive();
    });
  }

  /** The line of an interrupt pin (1 is INTA#) of the device in a slot, as the board of this PC is wired. */
  interruptPin(device: number, pin: number): InterruptLine {
    const pirq = (device + pin - 2) & 3;
    const bit = 1 << this.#sources++;
    return {
      set: (level) => {
        this.#asserted[pirq] = level ? this.#asserted[pirq] | bit : this.#asserted[pirq] & ~bit;
        this.#drive();
      },
    };
  }

  save(): Piix3State {
    return { config: this.config.save(), asserted: [...this.#asserted] };
  }

  restore(state: Piix3State): void {
    const { asserted, config } = conform(state, this.save());
    this.#asserted = asserted;
    this.config.restore(config);
  }

  /** An ISA interrupt is asserted while a PIRQ that is routed to it is. */
  #drive(): void {
    let levels = 0;
    this.#asserted.forEach((sources, pirq) => {
      const route = this.config.get8(PIRQRCA + pirq);
      if (sources !== 0 && (route & ROUTING_DISABLED) === 0) levels |= 1 << (route & 15);
    });
    this.#isaIrq.forEach((line, irq) => line.set((levels & (1 << irq)) !== 0));
  }
}
