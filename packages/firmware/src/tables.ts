/**
 * What a BIOS leaves in memory for a kernel that is started without one: the BIOS data area (IBM PC/AT Technical Reference,
 * "BIOS Data Area"), the extended one, interrupt vectors and services, the MP table and the ACPI tables.
 *
 *   0_0000  interrupt vectors    f_e000  their services
 *   0_0400  BIOS data area       f_0000  "RSD PTR "      f_0100  "_MP_" and its table      acpiArea  the other ACPI tables
 */
import type { PhysicalWrite } from "./entry-state.ts";
import { buildAcpiTables, placeAcpiTables } from "./acpi-tables.ts";
import { biosServices } from "./bios-services.ts";
import { ByteWriter } from "./byte-writer.ts";
import { BIOS_SEGMENT, EBDA, e820Map, layoutMemory } from "./memory-map.ts";
import { buildMpTable } from "./mp-table.ts";

const BIOS_DATA = 0x400;
const MP_TABLE = BIOS_SEGMENT + 0x100;
const SERIAL_PORTS = [0x3f8, 0x2f8, 0x3e8, 0x2e8];

/** What differs from machine to machine. */
export interface FirmwareTables {
  /** RAM of the machine in bytes. */
  memorySize: number;
  cpus?: number;
  serialPorts?: number;
  /** Whether there is a high precision event timer. Default true. */
  hpet?: boolean;
  fadtRevision?: 1 | 3;
  write: PhysicalWrite;
}

/**
 * Writes all tables into guest memory, and gives the address of the ACPI root pointer and a copy of it, which multiboot 2 hands on.
 * @throws {FirmwareError} `FIRMWARE_BAD_SIZE` for a memory size that no PC has.
 */
export function installTables(options: FirmwareTables): { rsdp: number; root: Uint8Array } {
  const { write, cpus = 1, serialPorts = 2 } = options;
  const layout = layoutMemory(options.memorySize);
  const acpi = placeAcpiTables(
    buildAcpiTables({ pciMemory: layout.lowEnd, cpus, serialPorts, hpet: options.hpet ?? true, fadtRevision: options.fadtRevision ?? 1 }),
    layout.acpiArea,
  );
  write(layout.acpiArea, acpi.tables);
  write(BIOS_SEGMENT, acpi.rsdp);
  write(MP_TABLE, buildMpTable(MP_TABLE, cpus));
  const services = biosServices(e820Map(layout));
  write(0, services.vectors);
  write(services.base, services.code);
  write(BIOS_DATA, biosData(serialPorts));
  // The first byte of the extended area is its size in KiB.
  write(EBDA, Uint8Array.of(1));
  return { rsdp: BIOS_SEGMENT, root: acpi.rsdp };
}

function biosData(serialPorts: number): Uint8Array {
  const data = new ByteWriter();
  for (let i = 0; i < 4; i++) data.u16(i < serialPorts ? SERIAL_PORTS[i]! : 0);
  // No parallel port; the fourth word is the segment of the extended area.
  data.u16(0).u16(0).u16(0).u16(EBDA >> 4);
  // Equipment: FPU, 80x25 colour, PS/2 mouse, and the number of serial ports.
  data.u16(0x0026 | (serialPorts << 9)).u8(0).u16(EBDA >> 10);
  data.padTo(0x1a).u16(0x1e).u16(0x1e);
  data.padTo(0x49).u8(3).u16(80).u16(0x1000);
  data.padTo(0x60).u16(0x0607).u8(0).u16(0x3d4);
  data.padTo(0x80).u16(0x1e).u16(0x3e).u8(24).u16(16);
  return data.finish();
}
