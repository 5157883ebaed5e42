/**
 * The ACPI tables of the machine (ACPI 6.4, section 5.2): RSDP -> RSDT -> FADT -> FACS and DSDT, the MADT, and the HPET's table
 * (IA-PC HPET specification 1.0a, section 3.2.4). They are built once,
 * free of addresses, with a list of where addresses and checksums belong: a direct boot places them itself, and a BIOS gets
 * the same list as the loader script of fw_cfg.
 */
import { ByteWriter, checksum } from "./byte-writer.ts";
import { SCI, dsdtBody } from "./dsdt.ts";

/** What differs from machine to machine. */
export interface AcpiOptions {
  /** First byte of the PCI memory window: the end of low RAM. */
  pciMemory: number;
  /** Number of processors; their APIC identifiers count from 0. Default 1. */
  cpus?: number;
  /** Number of UARTs. Default 2. */
  serialPorts?: number;
  /** Whether there is a high precision event timer. Default true. */
  hpet?: boolean;
  /** FADT of ACPI 1.0 (1, the default: what every guest since Windows 2000 takes) or of ACPI 2.0 with a reset register (3). */
  fadtRevision?: 1 | 3;
}

/** A field of one blob that holds an offset into another (or the same) blob, to which the blob's address is to be added. */
export interface AcpiPointer { blob: "tables" | "rsdp"; offset: number; size: 4 | 8 }
/** A checksum byte over a part of a blob. */
export interface AcpiChecksum { blob: "tables" | "rsdp"; offset: number; start: number; length: number }

/** Tables that know no address yet. Every pointer points into `tables`. */
export interface AcpiTables {
  tables: Uint8Array;
  rsdp: Uint8Array;
  pointers: readonly AcpiPointer[];
  checksums: readonly AcpiChecksum[];
}

/** First I/O port of the PIIX4's power-management block, as the firmware programs it. */
export const PM_BASE = 0x600;
/** I/O port that switches ACPI on (written with {@link ACPI_ENABLE}) and off. */
export const SMI_COMMAND = 0xb2;
export const ACPI_ENABLE = 0xf1;
export const ACPI_DISABLE = 0xf0;
export const LOCAL_APIC = 0xfee0_0000;
export const IO_APIC = 0xfec0_0000;
const HPET = 0xfed0_0000;

/** General capabilities of the timer block, low half: Intel, three 64-bit timers, legacy replacement, revision 1. */
const EVENT_TIMER_BLOCK = 0x8086_a201;
/** The least periodic interval that loses no interrupt, in counts of 10 ns. */
const MINIMUM_TICK = 1000;

const OEM = "DOPPEL";
const OEM_TABLE = "DOPPELPC";

// FADT feature flags (ACPI 6.4, table 5-10).
const WBINVD = 1 << 0;
const PROC_C1 = 1 << 2;
const SLP_BUTTON = 1 << 5;
const RTC_S4 = 1 << 7;
const RESET_REG_SUP = 1 << 10;
/** IAPC_BOOT_ARCH: there is an 8042. */
const BOOT_8042 = 1 << 1;
/** FADT latencies above these mean that the C2 and C3 states are not there. */
const NO_C2 = 0xfff;
const NO_C3 = 0xfff;

/** Builds all tables, with pointers as offsets and checksums zero. */
export function buildAcpiTables(options: AcpiOptions): AcpiTables {
  const cpus = options.cpus ?? 1;
  const revision = options.fadtRevision ?? 1;
  const hpet = options.hpet ?? true;
  const out = new ByteWriter();
  const pointers: AcpiPointer[] = [];
  const checksums: AcpiChecksum[] = [];
  const pointer = (size: 4 | 8, target: number): void => {
    pointers.push({ blob: "tables", offset: out.length, size });
    out.integer(size, target);
  };
  /** A system description table: the 36-byte header, and a body written by `body`. Gives its offset. */
  const table = (signature: string, tableRevision: number, body: () => void): number => {
    const start = out.align(16).length;
    out.text(signature).u32(0).u8(tableRevision).u8(0).text(OEM, 6).text(OEM_TABLE, 8).u32(1).text("DPPL").u32(1);
    body();
    const length = out.length - start;
    out.patch(start + 4, 4, length);
    checksums.push({ blob: "tables", offset: start + 9, start, length });
    return start;
  };

  // The FACS wants an alignment of 64 bytes, and has neither revision nor checksum.
  const facs = out.length;
  out.text("FACS").u32(64).padTo(facs + 64);
  const dsdt = table("DSDT", 1, () => out.bytes(dsdtBody({ pciMemory: options.pciMemory, serialPorts: options.serialPorts ?? 2, cpus, hpet })));
  const fadt = table("FACP", revision, () => fadtBody(out, revision, () => pointer(4, facs), (size) => pointer(size, dsdt)));
  const madt = table("APIC", 1, () => madtBody(out, cpus));
  const tables = [fadt, madt];
  if (hpet) tables.push(table("HPET", 1, () => hpetBody(out)));
  const rsdt = table("RSDT", 1, () => {
    for (const at of tables) pointer(4, at);
  });

  const rsdp = new ByteWriter().text("RSD PTR ").u8(0).text(OEM, 6).u8(0);
  pointers.push({ blob: "rsdp", offset: rsdp.length, size: 4 });
  rsdp.u32(rsdt);
  checksums.push({ blob: "rsdp", offset: 8, start: 0, length: 20 });
  return { tables: out.finish(), rsdp: rsdp.finish(), pointers, checksums };
}

/** Adds the address of the tables to every pointer and fills in the checksums; gives both blobs ready to be written. */
export function placeAcpiTables(acpi: AcpiTables, base: number): { tables: Uint8Array; rsdp: Uint8Array } {
  const placed = { tables: acpi.tables.slice(), rsdp: acpi.rsdp.slice() };
  for (const { blob, offset } of acpi.pointers) {
    const view = new DataView(placed[blob].buffer);
    view.setUint32(offset, view.getUint32(offset, true) + base, true);
  }
  for (const { blob, offset, start, length } of acpi.checksums)
    placed[blob][offset] = checksum(placed[blob], start, start + length);
  return placed;
}

/** Section 5.2.9; field by field from offset 36. */
function fadtBody(out: ByteWriter, revision: 1 | 3, facs: () => void, dsdt: (size: 4 | 8) => void): void {
  facs();
  dsdt(4);
  // Dual PIC (ACPI 1.0: INT_MODEL 1), desktop profile from 2.0 on.
  out.u8(revision === 1 ? 1 : 0).u8(revision === 1 ? 0 : 1);
  out.u16(SCI).u32(SMI_COMMAND).u8(ACPI_ENABLE).u8(ACPI_DISABLE).u8(0).u8(0);
  // PM1a event, PM1b event, PM1a control, PM1b control, PM2 control, PM timer, GPE0, GPE1.
  out.u32(PM_BASE).u32(0).u32(PM_BASE + 4).u32(0).u32(0).u32(PM_BASE + 8).u32(0).u32(0);
  out.u8(4).u8(2).u8(0).u8(4).u8(0).u8(0).u8(0).u8(0);
  // C2 and C3 latencies, flush size and stride, duty offset and width, day alarm, month alarm, century register.
  out.u16(NO_C2).u16(NO_C3).u16(0).u16(0).u8(0).u8(0).u8(0).u8(0).u8(0x32);
  out.u16(revision === 1 ? 0 : BOOT_8042).u8(0);
  out.u32(WBINVD | PROC_C1 | SLP_BUTTON | RTC_S4 | (revision === 1 ? 0 : RESET_REG_SUP));
  if (revision === 1) return;

  const port = (address: number, bits: number): void => {
    out.u8(1).u8(bits).u8(0).u8(address === 0 ? 0 : bits === 8 ? 1 : bits === 16 ? 2 : 3).u64(address);
  };
  // Reset register: CF9h, written with 0Fh for a full reset.
  port(0xcf9, 8);
  out.u8(0x0f).u8(0).u8(0).u8(0);
  out.u64(0);
  dsdt(8);
  port(PM_BASE, 32);
  port(0, 0);
  port(PM_BASE + 4, 16);
  port(0, 0);
  port(0, 0);
  port(PM_BASE + 8, 32);
  port(0, 0);
  port(0, 0);
}

/** Section 5.2.12: local APICs, one I/O APIC, how ISA interrupts differ from its inputs, and NMI on LINT1. */
function madtBody(out: ByteWriter, cpus: number): void {
  out.u32(LOCAL_APIC).u32(1);
  for (let id = 0; id < cpus; id++) out.u8(0).u8(8).u8(id).u8(id).u32(1);
  out.u8(1).u8(12).u8(0).u8(0).u32(IO_APIC).u32(0);
  // The timer is wired to input 2; what PCI and the SCI use is active high and level triggered.
  const override = (irq: number, input: number, flags: number): void => {
    out.u8(2).u8(10).u8(0).u8(irq).u32(input).u16(flags);
  };
  override(0, 2, 0);
  for (const irq of [5, SCI, 10, 11]) override(irq, irq, 0x000d);
  out.u8(4).u8(6).u8(0xff).u16(0).u8(1);
}

/** The timer block's place in memory (address space 0), its sequence number, least tick, and no page protection. */
function hpetBody(out: ByteWriter): void {
  out.u32(EVENT_TIMER_BLOCK).u8(0).u8(0).u8(0).u8(0).u64(HPET).u8(0).u16(MINIMUM_TICK).u8(0);
}
