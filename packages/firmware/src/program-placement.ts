/**
 * Puts a program, what comes with it and what describes both into guest memory, without one lying on another: what the multiboot and
 * PVH loaders have in common.
 *
 *    program   where its headers say
 *    modules   on page boundaries after it, in order
 *    area      descriptor table and boot information: at 0_9000, at 6_0000, or after everything, where it is free
 */
import type { LoadedProgram } from "./elf.ts";
import type { MemoryLayout } from "./memory-map.ts";
import type { PhysicalWrite } from "./entry-state.ts";
import { FirmwareError, formatSize } from "./errors.ts";
import { EBDA, HIGH_MEMORY } from "./memory-map.ts";

const PAGE = 4096;
const AREAS = [0x9000, 0x60000];

/** A file that the loader puts into memory for the kernel, and the string beside it. */
export interface Module { data: Uint8Array; args: string }

/** A module, and where it went: `end` is the first byte after it. */
export interface PlacedModule { start: number; end: number; data: Uint8Array; args: string }

/** Where everything goes; `free` is the first page after it. */
export interface Placement { program: LoadedProgram; modules: PlacedModule[]; free: number }

/**
 * Finds places for a program and its modules.
 * @throws {FirmwareError} `FIRMWARE_UNSUPPORTED` when there is nothing to load, `FIRMWARE_MEMORY_TOO_SMALL` when it does not fit.
 */
export function placeProgram(program: LoadedProgram, modules: readonly Module[], layout: MemoryLayout): Placement {
  if (program.segments.length === 0)
    throw new FirmwareError("FIRMWARE_UNSUPPORTED", "The kernel has nothing to load: its ELF file holds no loadable segment.");
  for (const segment of program.segments) {
    const end = segment.physical + segment.memorySize;
    if (end > layout.acpiArea || (segment.physical < HIGH_MEMORY && end > EBDA))
      throw new FirmwareError(
        "FIRMWARE_MEMORY_TOO_SMALL",
        `The kernel wants to be loaded up to ${formatSize(end)}, where this machine has no free memory; give it more memory.`,
      );
  }
  let free = pageUp(Math.max(HIGH_MEMORY, ...program.segments.map((segment) => segment.physical + segment.memorySize)));
  const placed = modules.map(({ data, args }) => {
    const start = free;
    free = pageUp(start + data.length);
    return { start, end: start + data.length, data, args };
  });
  if (free > layout.acpiArea)
    throw new FirmwareError("FIRMWARE_MEMORY_TOO_SMALL", `Kernel and modules reach up to ${formatSize(free)}; give the machine more memory.`);
  return { program, modules: placed, free };
}

/**
 * An address for `length` more bytes.
 * @throws {FirmwareError} `FIRMWARE_MEMORY_TOO_SMALL`.
 */
export function placeArea({ program, free }: Placement, length: number, layout: MemoryLayout): number {
  const taken = (base: number): boolean =>
    program.segments.some((segment) => segment.physical < base + length && segment.physical + segment.memorySize > base);
  const base = [...AREAS, free].find((candidate) => !taken(candidate) && (candidate >= HIGH_MEMORY || candidate + length <= EBDA));
  if (base === undefined || base + length > layout.acpiArea)
    throw new FirmwareError("FIRMWARE_MEMORY_TOO_SMALL", "There is no room for the boot information; give the machine more memory.");
  return base;
}

/** Writes program and modules. */
export function writePlaced({ program, modules }: Placement, write: PhysicalWrite): void {
  for (const segment of program.segments) {
    write(segment.physical, segment.bytes);
    if (segment.memorySize > segment.bytes.length)
      write(segment.physical + segment.bytes.length, new Uint8Array(segment.memorySize - segment.bytes.length));
  }
  for (const module of modules) write(module.start, module.data);
}

function pageUp(address: number): number {
  return Math.ceil(address / PAGE) * PAGE;
}
