/**
 * The MultiProcessor table for kernels that know no ACPI: Intel MultiProcessor Specification 1.4, chapter 4. A floating pointer of
 * 16 bytes, and the configuration table with processors, buses, the I/O APIC and the wiring of interrupts.
 */
import { IO_APIC, LOCAL_APIC } from "./acpi-tables.ts";
import { ByteWriter, checksum } from "./byte-writer.ts";
import { SCI } from "./dsdt.ts";

const PCI_BUS = 0;
const ISA_BUS = 1;
/** Signature (family 6) and feature flags (FPU, CX8, APIC) of the processor entries. */
const CPU_SIGNATURE = 0x600;
const CPU_FEATURES = 0x0201 | (1 << 8);
const BOOT_PROCESSOR = 3;
const INT = 0;
const NMI = 1;
const EXT_INT = 3;

/** Builds floating pointer and table as one piece to be written at `base`, which must be a multiple of 16 below 1 MiB. */
export function buildMpTable(base: number, cpus: number): Uint8Array {
  const table = new ByteWriter();
  let entries = 0;
  const entry = (): ByteWriter => {
    entries++;
    return table;
  };
  const ioApic = 0;
  table.text("PCMP").u16(0).u8(4).u8(0).text("DOPPEL  ").text("PC          ").u32(0).u16(0).u16(0).u32(LOCAL_APIC).u32(0);
  for (let id = 0; id < cpus; id++)
    entry().u8(0).u8(id).u8(0x14).u8(id === 0 ? BOOT_PROCESSOR : 1).u32(CPU_SIGNATURE).u32(CPU_FEATURES).u64(0);
  entry().u8(1).u8(PCI_BUS).text("PCI   ");
  entry().u8(1).u8(ISA_BUS).text("ISA   ");
  entry().u8(2).u8(ioApic).u8(0x11).u8(1).u32(IO_APIC);
  for (let irq = 0; irq < 16; irq++) {
    // Input 2 carries the timer; the cascade has no source of its own.
    if (irq === 2) continue;
    const level = irq === SCI ? 0x0d : 0;
    entry().u8(3).u8(INT).u16(level).u8(ISA_BUS).u8(irq).u8(ioApic).u8(irq === 0 ? 2 : irq);
  }
  entry().u8(4).u8(EXT_INT).u16(0).u8(ISA_BUS).u8(0).u8(0).u8(0);
  entry().u8(4).u8(NMI).u16(0).u8(ISA_BUS).u8(0).u8(0xff).u8(1);
  table.patch(4, 2, table.length).patch(34, 2, entries);
  const body = table.finish();
  body[7] = checksum(body);

  const pointer = new ByteWriter().text("_MP_").u32(base + 16).u8(1).u8(4).u8(0).padTo(16).finish();
  pointer[10] = checksum(pointer);
  return new ByteWriter().bytes(pointer).bytes(body).finish();
}
