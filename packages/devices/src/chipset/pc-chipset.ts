/**
 * A PC of the i440FX kind, without its CPUs, memory, disks and networks: every device of this package, wired as on the board. The host
 * gives it a clock, a way into guest memory, and callbacks; it gives the CPUs two buses and their interrupts.
 */

import { PersistError } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import { MmioBus } from "../bus/mmio-bus.ts";
import { PortBus } from "../bus/port-bus.ts";
import { DebugPorts } from "../debug/debug-ports.ts";
import type { DebugPortsState } from "../debug/debug-ports.ts";
import { Dma } from "../dma/dma-8237.ts";
import type { DmaState } from "../dma/dma-8237.ts";
import { FwCfg } from "../firmware-config/fw-cfg.ts";
import type { FwCfgState } from "../firmware-config/fw-cfg.ts";
import { I8042 } from "../input/i8042.ts";
import type { I8042State } from "../input/i8042.ts";
import type { Keyboard } from "../input/keyboard.ts";
import type { Mouse } from "../input/mouse.ts";
import { ApicBus } from "../interrupt/apic-bus.ts";
import type { InterruptSource } from "../interrupt/interrupt-source.ts";
import { IoApic } from "../interrupt/io-apic.ts";
import type { IoApicState } from "../interrupt/io-apic.ts";
import { LocalApic } from "../interrupt/local-apic.ts";
import type { LocalApicState } from "../interrupt/local-apic.ts";
import { PicPair } from "../interrupt/pic-pair.ts";
import type { PicPairState } from "../interrupt/pic-pair.ts";
import { createI440fx } from "../pci/i440fx.ts";
import { PciBus } from "../pci/pci-bus.ts";
import type { PciBusState } from "../pci/pci-bus.ts";
import type { PciFunction, PciFunctionState } from "../pci/pci-function.ts";
import { Piix3 } from "../pci/piix3.ts";
import type { Piix3State } from "../pci/piix3.ts";
import { Piix4Pm } from "../power/piix4-pm.ts";
import type { Piix4PmState } from "../power/piix4-pm.ts";
import { Uart } from "../serial/uart.ts";
import type { UartState } from "../serial/uart.ts";
import { Hpet } from "../timer/hpet.ts";
import type { HpetState } from "../timer/hpet.ts";
import { KvmClock } from "../timer/kvm-clock.ts";
import type { KvmClockState } from "../timer/kvm-clock.ts";
import { Pit } from "../timer/pit.ts";
import type { PitState } from "../timer/pit.ts";
import { Rtc } from "../timer/rtc.ts";
import type { RtcState } from "../timer/rtc.ts";
import { Vga } from "../video/vga.ts";
import type { TextScreen, VgaState } from "../video/vga.ts";
import { presetAsFirmware } from "./firmware-preset.ts";
import { GLOBAL_INTERRUPTS, InterruptWiring } from "./interrupt-wiring.ts";
import type { InterruptWiringState } from "./interrupt-wiring.ts";
import { describeMemoryInCmos, describeMemoryInFwCfg } from "./memory-size.ts";
import type { PcHost, PcOptions } from "./pc-options.ts";
import { SystemPorts } from "./system-ports.ts";
import type { SystemPortsState } from "./system-ports.ts";

/** State of everything. */
export type PcChipsetState = {
  pic: PicPairState; pit: PitState; rtc: RtcState; kvmClock: KvmClockState; uarts: UartState[]; i8042: I8042State; dma: DmaState; vga: VgaState; pci: PciBusState;
  i440fx: PciFunctionState; piix3: Piix3State; pm: Piix4PmState; fwCfg: FwCfgState; debug: DebugPortsState; system: SystemPortsState;
  hpet: HpetState[]; wiring: InterruptWiringState; ioApic: IoApicState[]; apics: LocalApicState[];
};

const COM_PORTS = [[0x3f8, 4], [0x2f8, 3], [0x3e8, 4], [0x2e8, 3]] as const;
const KEYBOARD_IRQ = 1;
const CLOCK_IRQ = 8;
const ACPI_IRQ = 9;
const MOUSE_IRQ = 12;
const COPROCESSOR_IRQ = 13;

/**
 * The chipset.
 *
 * @example
 * const pc = new PcChipset({ clock, memory, memorySize: { below4G: 256 << 20, above4G: 0 }, host, serial: [{ output: print }] });
 * pc.ports.write(0x3f8, 1, 0x41); // prints A
 */
export class PcChipset implements Persist<PcChipsetState> {
  /** I/O ports, for IN and OUT. */
  readonly ports = new PortBus();
  /** Physical addresses that are not memory. */
  readonly memory = new MmioBus();
  /** Firmware configuration; add items before the machine starts. */
  readonly fwCfg: FwCfg;
  /** PCI bus 0, for further functions. */
  readonly pci: PciBus;
  /** Real-time clock and CMOS memory. */
  readonly rtc: Rtc;
  /** The paravirtual clock, whose registers are MSRs: the machine gives them to the CPUs. */
  readonly kvmClock: KvmClock;
  /** Local APICs by CPU; empty on a machine without. */
  readonly apics: readonly LocalApic[];
  /** COM1 to COM4, undefined where there is none. */
  readonly serial: readonly (Uart | undefined)[];
  readonly #apicBus: ApicBus;
  readonly #pic: PicPair;
  readonly #ioApic: IoApic | undefined;
  readonly #wiring: InterruptWiring;
  readonly #pit: Pit;
  readonly #hpet: Hpet | undefined;
  readonly #i8042: I8042;
  readonly #dma: Dma;
  readonly #vga: Vga;
  readonly #i440fx: PciFunction;
  readonly #piix3: Piix3;
  readonly #pm: Piix4Pm;
  readonly #debug: DebugPorts;
  readonly #system: SystemPorts;

  constructor(options: PcOptions) {
    const { clock, host, memorySize } = options;
    const { ports, memory } = this;
    const cpus = options.cpus ?? 1;
    const hasApic = options.apic ?? true;
    const reset = () => host.reset();

    this.#pic = new PicPair({ set: (level) => this.#picOutput(level, host) });
    this.#pic.attach(ports);
    this.#apicBus = new ApicBus(memory);
    this.#ioApic = hasApic ? new IoApic(this.#apicBus) : undefined;
    if (this.#ioApic !== undefined) {
      this.#ioApic.attach(memory);
      this.#apicBus.addListener(this.#ioApic);
    }
    const tscOffset = options.tscOffset ?? (() => 0);
    this.apics = Array.from({ length: hasApic ? cpus : 0 }, (_, id) => new LocalApic({
      id, clock, network: this.#apicBus, cpu: host.cpuEvents(id), onPending: () => host.interrupt(id),
      tscDeadline: (high, low) => high * 2 ** 32 + low - tscOffset(id), ...(id === 0 ? { pic: this.#pic } : {}),
    }));
    for (const apic of this.apics) this.#apicBus.addLocal(apic);
    this.#wiring = new InterruptWiring(this.#pic, this.#ioApic);
    const irq = (global: number) => this.#wiring.line(global);

    const tick = irq(0);
    const clockIrq = irq(CLOCK_IRQ);
    this.#hpet = options.hpet ?? true ? new Hpet(clock, { legacy: [tick, clockIrq], global: irq }) : undefined;
    this.#hpet?.attach(memory);
    this.#pit = new Pit(clock, this.#hpet?.pit ?? tick);
    this.#pit.attach(ports);
    this.rtc = new Rtc(clock, this.#hpet?.rtc ?? clockIrq, options.wallClock ?? 0);
    this.rtc.attach(ports);
    this.kvmClock = new KvmClock({ clock, memory: options.memory, cpus, tscOffset, wallClock: () => this.rtc.epochAtZero });
    describeMemoryInCmos(this.rtc, memorySize, cpus);
    this.#system = new SystemPorts(irq(COPROCESSOR_IRQ), { setA20: (open) => host.setA20(open), reset, ignoreNumericError: () => host.ignoreNumericError?.() });
    this.#system.attach(ports);
    this.#i8042 = new I8042(irq(KEYBOARD_IRQ), irq(MOUSE_IRQ), {
      a20: { get: () => this.#system.a20, set: (open) => this.#system.setA20(open) }, reset, leds: (leds) => host.leds?.(leds),
    });
    this.#i8042.attach(ports);
    this.#dma = new Dma((code) => host.postCode?.(code));
    this.#dma.attach(ports);
    this.serial = COM_PORTS.map(([port, line], i) => {
      const backend = options.serial?.[i];
      if (backend === undefined) return undefined;
      const uart = new Uart(clock, irq(line), backend, `com${i + 1}`);
      ports.register(port, 8, uart, `COM${i + 1}`);
      return uart;
    });
    this.#vga = new Vga(clock);
    this.#vga.attach(ports, memory);

    this.pci = new PciBus({ ports, memory }, reset);
    this.pci.attach(ports);
    this.#i440fx = createI440fx((ranges) => host.shadow?.(ranges));
    this.pci.add(0, 0, this.#i440fx);
    this.#piix3 = new Piix3(Array.from({ length: 16 }, (_, global) => irq(global)));
    this.pci.add(1, 0, this.#piix3.config);
    this.#pm = new Piix4Pm(clock, irq(ACPI_IRQ), () => host.powerOff());
    this.#pm.attach(ports);
    this.pci.add(1, 3, this.#pm.config);

    this.fwCfg = new FwCfg(options.memory);
    this.fwCfg.attach(ports);
    describeMemoryInFwCfg(this.fwCfg, memorySize, cpus);
    this.#debug = new DebugPorts(
      { output: (byte) => host.debugOutput?.(byte), exit: (value) => host.debugExit?.(value), shutdown: () => host.powerOff() },
      Array.from({ length: GLOBAL_INTERRUPTS }, (_, global) => irq(global)),
    );
    this.#debug.attach(ports, memory);
    if (options.debugExit === true) this.#debug.attachExit(ports);
  }

  /** Where a CPU takes its interrupts from: its local APIC, or the 8259s on a machine without. */
  interrupts(cpu: number): InterruptSource {
    return this.apics[cpu] ?? this.#pic;
  }

  /** Says which CPU makes the accesses from now on: each sees its own local APIC. */
  selectCpu(cpu: number): void {
    this.#apicBus.select(cpu);
  }

  /** The keyboard, for `key(name, down)`. */
  get keyboard(): Keyboard {
    return this.#i8042.keyboard;
  }

  /** The mouse, for `move(dx, dy, dz, buttons)`. */
  get mouse(): Mouse {
    return this.#i8042.mouse;
  }

  /** What stands on the screen. */
  screen(): TextScreen {
    return this.#vga.screen();
  }

  /** Whether address line 20 is driven. */
  get a20(): boolean {
    return this.#system.a20;
  }

  /** The interrupt line of a PCI slot's pin (1 is INTA#), for further devices. */
  pciInterrupt(device: number, pin: number) {
    return this.#piix3.interruptPin(device, pin);
  }

  /** Asks the guest to shut down. */
  pressPowerButton(): void {
    this.#pm.pressPowerButton();
  }

  /** Pulls NMI, unless port 70h masks it. */
  raiseNmi(): void {
    if (this.rtc.nmiMasked) return;
    this.apics[0]?.setLint(1, true);
    this.apics[0]?.setLint(1, false);
  }

  /** To be called when a guest has written a CPU's time-stamp counter. */
  timeStampWritten(cpu: number): void {
    this.apics[cpu]?.counterWritten();
    this.kvmClock.counterWritten();
  }

  /** FERR#: a numeric error with CR0.NE clear becomes IRQ13. */
  raiseNumericError(): void {
    this.#system.raiseNumericError();
  }

  /** Puts the chipset into the state in which firmware leaves it, for a kernel that is started without any. */
  presetAsFirmware(): void {
    presetAsFirmware(this.ports, this.memory, this.apics.length > 0);
  }

  /** Power-on state of everything; time goes on, and CMOS memory and fw_cfg items stay. */
  reset(): void {
    this.pci.reset();
    this.#pm.reset();
    this.#hpet?.reset();
    this.#pit.reset();
    this.rtc.reset();
    this.kvmClock.reset();
    for (const uart of this.serial) uart?.reset();
    this.#i8042.reset();
    this.#dma.reset();
    this.#vga.reset();
    this.fwCfg.reset();
    this.#system.reset();
    this.#ioApic?.reset();
    for (const apic of this.apics) apic.reset();
    this.#pic.reset();
  }

  save(): PcChipsetState {
    return {
      pic: this.#pic.save(), pit: this.#pit.save(), rtc: this.rtc.save(), kvmClock: this.kvmClock.save(), uarts: this.#uarts().map((uart) => uart.save()),
      i8042: this.#i8042.save(), dma: this.#dma.save(), vga: this.#vga.save(), pci: this.pci.save(), i440fx: this.#i440fx.save(),
      piix3: this.#piix3.save(), pm: this.#pm.save(), fwCfg: this.fwCfg.save(), debug: this.#debug.save(), system: this.#system.save(),
      hpet: this.#hpet === undefined ? [] : [this.#hpet.save()],
      wiring: this.#wiring.save(), ioApic: this.#ioApic === undefined ? [] : [this.#ioApic.save()], apics: this.apics.map((apic) => apic.save()),
    };
  }

  /** Restores everything; the clock is restored before. PCI functions that were added save and restore themselves. */
  restore(state: PcChipsetState): void {
    this.#checkOutline(state);
    this.#i440fx.restore(state.i440fx);
    this.#piix3.restore(state.piix3);
    this.#pm.restore(state.pm);
    this.pci.restore(state.pci);
    this.#hpet?.restore(state.hpet[0]);
    this.#pit.restore(state.pit);
    this.rtc.restore(state.rtc);
    this.kvmClock.restore(state.kvmClock);
    this.#uarts().forEach((uart, i) => uart.restore(state.uarts[i]));
    this.#i8042.restore(state.i8042);
    this.#dma.restore(state.dma);
    this.#vga.restore(state.vga);
    this.fwCfg.restore(state.fwCfg);
    this.#debug.restore(state.debug);
    this.#system.restore(state.system);
    // Lines and controllers last: whatever a restore above may have driven does not count.
    this.#wiring.restore(state.wiring);
    this.#pic.restore(state.pic);
    this.#ioApic?.restore(state.ioApic[0]);
    this.apics.forEach((apic, i) => apic.restore(state.apics[i]));
  }

  #uarts(): Uart[] {
    return this.serial.filter((uart) => uart !== undefined);
  }

  #picOutput(level: boolean, host: PcHost): void {
    const apic = this.apics[0] as LocalApic | undefined;
    if (apic !== undefined) apic.setLint(0, level);
    else if (level) host.interrupt(0);
  }

  /** Parts check their own states; that all parts are there, and as many as here, is checked first. */
  #checkOutline(state: PcChipsetState): void {
    const own: { readonly [key: string]: unknown } = this.save();
    const given: { readonly [key: string]: unknown } = state;
    for (const [key, part] of Object.entries(own)) {
      const fits = typeof given === "object" && given !== null && typeof given[key] === "object" && given[key] !== null;
      if (fits && (!Array.isArray(part) || (given[key] as readonly unknown[]).length === part.length)) continue;
      throw new PersistError("PERSIST_SHAPE", `The saved state has no ${key} that fits this machine; restore it into a machine of the same configuration.`);
    }
  }
}
