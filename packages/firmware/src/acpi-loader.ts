/**
 * The ACPI tables as files of fw_cfg, for a BIOS that places them itself: QEMU documentation, "ACPI tables in fw_cfg" and the
 * linker-loader commands that SeaBIOS and OVMF execute. A command has 128 bytes: its number and up to 124 bytes of operands.
 */
import type { AcpiOptions } from "./acpi-tables.ts";
import { buildAcpiTables } from "./acpi-tables.ts";
import { ByteWriter } from "./byte-writer.ts";

/** Names of the three files, in the order in which they are listed. */
export const ACPI_TABLES_FILE = "etc/acpi/tables";
export const ACPI_RSDP_FILE = "etc/acpi/rsdp";
export const ACPI_LOADER_FILE = "etc/table-loader";

const ALLOCATE = 1;
const ADD_POINTER = 2;
const ADD_CHECKSUM = 3;
const ZONE_HIGH = 1;
const ZONE_FSEG = 2;
const NAME_SIZE = 56;
const COMMAND_SIZE = 128;

const fileOf = { tables: ACPI_TABLES_FILE, rsdp: ACPI_RSDP_FILE } as const;

/** The contents of the files, by name. */
export function acpiFwCfgFiles(options: AcpiOptions): Record<string, Uint8Array> {
  const acpi = buildAcpiTables(options);
  const script = new ByteWriter();
  const command = (number: number, operands: () => void): void => {
    const start = script.length;
    script.u32(number);
    operands();
    script.padTo(start + COMMAND_SIZE);
  };
  const allocate = (file: string, alignment: number, zone: number): void =>
    command(ALLOCATE, () => script.text(file, NAME_SIZE).u32(alignment).u8(zone));
  allocate(ACPI_RSDP_FILE, 16, ZONE_FSEG);
  allocate(ACPI_TABLES_FILE, 64, ZONE_HIGH);
  for (const { blob, offset, size } of acpi.pointers)
    command(ADD_POINTER, () => script.text(fileOf[blob], NAME_SIZE).text(ACPI_TABLES_FILE, NAME_SIZE).u32(offset).u8(size));
  // A sum is right only once everything under it is.
  for (const { blob, offset, start, length } of acpi.checksums)
    command(ADD_CHECKSUM, () => script.text(fileOf[blob], NAME_SIZE).u32(offset).u32(start).u32(length));
  return {
    [ACPI_TABLES_FILE]: acpi.tables,
    [ACPI_RSDP_FILE]: acpi.rsdp,
    [ACPI_LOADER_FILE]: script.finish(),
  };
}
