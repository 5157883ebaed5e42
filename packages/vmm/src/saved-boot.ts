/**
 * What a machine was booted from, in its saved state. Kernel and BIOS are to this machine what the ROM is to one on a desk: a reset
 * starts them again, and so it must in a machine that goes on from a file. What is absent is left out.
 */
import type { LinuxEntry } from "@doppel/firmware";
import type { PersistValue } from "@doppel/persist";
import { MachineError } from "./errors.ts";
import type { BootSource } from "./virtual-machine.ts";

type Fields = Readonly<Record<string, PersistValue>>;

/** The boot source of a machine's options. */
export function saveBoot({ kernel, multiboot, bios, vgaBios }: BootSource): PersistValue {
  return fields({ kernel: kernel && fields({ ...kernel }), bios, vgaBios, multiboot: multiboot && fields({ ...multiboot }) }) as PersistValue;
}

/**
 * The boot source of saved bytes, in bytes of its own.
 * @throws {MachineError} `MACHINE_STATE` when it is none
 */
export function restoreBoot(saved: PersistValue | undefined): BootSource {
  const { kernel, multiboot, bios, vgaBios } = object(saved);
  return fields<BootSource>({ kernel: optional(kernel, linux), bios: optional(bios, bytes), vgaBios: optional(vgaBios, bytes), multiboot: optional(multiboot, image) });
}

function linux(saved: PersistValue): NonNullable<BootSource["kernel"]> {
  const { kernel, initrd, append, entry } = object(saved);
  return fields({ kernel: bytes(kernel), initrd: optional(initrd, bytes), append: optional(append, text), entry: optional(entry, text) as LinuxEntry | undefined });
}

function image(saved: PersistValue): NonNullable<BootSource["multiboot"]> {
  const { image, modules, append } = object(saved);
  return fields({ image: bytes(image), modules: optional(modules, list), append: optional(append, text) });
}

function list(saved: PersistValue): { data: Uint8Array; args: string }[] {
  if (!Array.isArray(saved)) throw damaged();
  return (saved as readonly PersistValue[]).map(object).map(({ data, args }) => ({ data: bytes(data), args: text(args) }));
}

function optional<T>(value: PersistValue | undefined, read: (value: PersistValue) => T): T | undefined {
  return value === undefined ? undefined : read(value);
}

/** Without those that are undefined. */
function fields<T extends object>(all: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as T;
}

function object(value: PersistValue | undefined): Fields {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array || Array.isArray(value)) throw damaged();
  return value as Fields;
}

function bytes(value: PersistValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw damaged();
  // Not a view: it would keep the whole file.
  return value.slice();
}

function text(value: PersistValue | undefined): string {
  if (typeof value !== "string") throw damaged();
  return value;
}

function damaged(): MachineError {
  return new MachineError("MACHINE_STATE", "what the saved machine was booted from is incomplete; the file is damaged");
}
