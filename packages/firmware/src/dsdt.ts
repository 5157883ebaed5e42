/**
 * The definition block of the machine: an i440FX root bridge, a PIIX3 ISA bridge with its devices, PCI interrupt routing
 * through the bridge's four PIRQ registers, and the S5 sleep state (ACPI 6.4, chapters 5, 6 and 7; Intel 82371SB, PIRQRC).
 */
import type { Aml } from "./aml.ts";
import {
  and, arg, busRange, byteField, call, createDwordField, define, device, eisaId, fixedMemory, integer, interrupts, irq, less, memoryRange,
  method, name, or, packageOf, pciConfigRegion, portRange, ports, resources, returns, scope, store, string, when,
} from "./aml.ts";

/** The four UARTs of a PC: first port and ISA interrupt. */
const SERIAL = [{ port: 0x3f8, irq: 4 }, { port: 0x2f8, irq: 3 }, { port: 0x3e8, irq: 4 }, { port: 0x2e8, irq: 3 }];
/** ISA interrupts that PCI may be routed to. */
const PCI_IRQS = [5, 10, 11];
/** The system control interrupt. */
export const SCI = 9;
const PIRQ_DISABLED = 0x80;

/** What differs from machine to machine. */
export interface DsdtOptions {
  /** First byte of the PCI memory window: the end of low RAM. */
  pciMemory: number;
  /** Number of 16550 UARTs, at most four. */
  serialPorts: number;
  /** Number of processors. */
  cpus: number;
  /** Whether there is a high precision event timer. */
  hpet: boolean;
}

const isa = (path: string, id: string, uid: number, ...resource: Aml[]): Aml =>
  device(path, define("_HID", eisaId(id)), define("_UID", integer(uid)), define("_STA", integer(0xf)), define("_CRS", resources(...resource)));

/** A link device over one PIRQ register: its state, its choice of interrupts, and how to choose. */
const link = (path: string, uid: number, register: string): Aml =>
  device(
    path,
    define("_HID", eisaId("PNP0C0F")),
    define("_UID", integer(uid)),
    define("_PRS", resources(interrupts(...PCI_IRQS))),
    method("_STA", 0, false, returns(call("IQST", name(register)))),
    method("_DIS", 0, false, or(name(register), integer(PIRQ_DISABLED), name(register))),
    method("_CRS", 0, false, returns(call("IQCR", name(register)))),
    method("_SRS", 1, true, createDwordField(arg(0), 5, "PRRI"), store(name("PRRI"), name(register))),
  );

/** Pin INTA of slot 1 goes to PIRQA, and every further slot is rotated by one. */
function routing(): Aml {
  const links = ["LNKD", "LNKA", "LNKB", "LNKC"];
  const entries: Aml[] = [];
  for (let slot = 0; slot < 32; slot++)
    for (let pin = 0; pin < 4; pin++) {
      // The power-management function sits in slot 1 and its interrupt is hard-wired.
      const source = slot === 1 && pin === 0 ? "LNKS" : links[(slot + pin) & 3]!;
      entries.push(packageOf(integer(slot * 0x10000 + 0xffff), integer(pin), name(source), integer(0)));
    }
  return packageOf(...entries);
}

/** The body of the DSDT, after its header. */
export function dsdtBody(options: DsdtOptions): Uint8Array {
  const root = device(
    "PCI0",
    define("_HID", eisaId("PNP0A03")),
    define("_ADR", integer(0)),
    define("_UID", integer(0)),
    define("_CRS", resources(
      busRange(0, 0xff),
      ports(0xcf8, 8),
      portRange(0x0000, 0x0cf7),
      portRange(0x0d00, 0xffff),
      memoryRange(0xa0000, 0xbffff, true),
      memoryRange(options.pciMemory, 0xfebf_ffff, false),
    )),
    define("_PRT", routing()),
    device(
      "ISA",
      define("_ADR", integer(0x10000)),
      pciConfigRegion("P40C", 0x60, 4),
      isa("RTC", "PNP0B00", 0, ports(0x70, 2), irq(8)),
      isa("KBD", "PNP0303", 0, ports(0x60, 1), ports(0x64, 1), irq(1)),
      isa("MOU", "PNP0F13", 0, irq(12)),
      ...SERIAL.slice(0, options.serialPorts).map((serial, i) =>
        isa(`COM${i + 1}`, "PNP0501", i + 1, ports(serial.port, 8), irq(serial.irq))),
    ),
  );
  const hpet = device("HPET", define("_HID", eisaId("PNP0103")), define("_UID", integer(0)), define("_CRS", resources(fixedMemory(0xfed0_0000, 0x400))));
  const routes = scope(
    "\\_SB",
    byteField("PCI0.ISA.P40C", "PRQ0", "PRQ1", "PRQ2", "PRQ3"),
    method("IQST", 1, false, when(and(integer(PIRQ_DISABLED), arg(0)), returns(integer(0x9))), returns(integer(0xb))),
    method(
      "IQCR", 1, true,
      define("PRR0", resources(interrupts(0))),
      createDwordField(name("PRR0"), 5, "PRRI"),
      when(less(arg(0), integer(PIRQ_DISABLED)), store(arg(0), name("PRRI"))),
      returns(name("PRR0")),
    ),
    link("LNKA", 0, "PRQ0"),
    link("LNKB", 1, "PRQ1"),
    link("LNKC", 2, "PRQ2"),
    link("LNKD", 3, "PRQ3"),
    device(
      "LNKS",
      define("_HID", eisaId("PNP0C0F")),
      define("_UID", integer(4)),
      define("_PRS", resources(interrupts(SCI))),
      method("_STA", 0, false, returns(integer(0xb))),
      method("_DIS", 0, false),
      method("_CRS", 0, false, returns(name("_PRS"))),
      method("_SRS", 1, false),
    ),
    ...Array.from({ length: options.cpus }, (_, i) =>
      device(`C${i.toString(16).toUpperCase().padStart(3, "0")}`, define("_HID", string("ACPI0007")), define("_UID", integer(i)))),
  );
  return Uint8Array.from([
    ...scope("\\_SB", root, ...(options.hpet ? [hpet] : [])),
    ...routes,
    // SLP_TYP of "soft off" for PM1a and PM1b: the PIIX4 calls it type 0.
    ...define("\\_S5", packageOf(integer(0), integer(0), integer(0), integer(0))),
  ]);
}
