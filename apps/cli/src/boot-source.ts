/** Turns what the user named (files, a guest of the list, a saved state) into the bytes that a machine is made from. */
import type { Progress } from "doppel/node";
import type { VmOptions } from "./machine.ts";
import type { RunOptions } from "./run-options.ts";
import { basename } from "node:path";
import { EMBEDDED, getGuest, readInput } from "doppel/node";

const DEFAULT_MEMORY = 256 << 20;

/**
 * Reads every file that the options name.
 * @throws {HostError} when one cannot be read or a guest cannot be fetched.
 */
export async function readSource(options: RunOptions, progress: Progress): Promise<VmOptions> {
  const common = {
    memory: options.memory ?? DEFAULT_MEMORY,
    engine: options.engine,
    ...(options.cpu === undefined ? {} : { cpu: options.cpu }),
    ...(options.cpus === undefined ? {} : { cpus: options.cpus }),
    deterministic: options.deterministic,
    debugExit: options.debugExit,
    noReboot: options.noReboot,
  };
  const append = options.append === undefined ? {} : { append: options.append };
  const { source } = options;
  switch (source.kind) {
    case "kernel": {
      const kernel = await readInput(source.kernel, "kernel");
      const initrd = source.initrd === undefined ? {} : { initrd: await readInput(source.initrd, "initial RAM disk") };
      return { ...common, kernel: { kernel, ...initrd, ...append, ...(options.entry === undefined ? {} : { entry: options.entry }) } };
    }
    case "multiboot": {
      const image = await readInput(source.image, "kernel");
      const modules = [];
      for (const { path, args } of source.modules) modules.push({ data: await readInput(path, "module"), args });
      // By custom the first word of a multiboot command line is the kernel's name.
      const line = [basename(source.image), ...(options.append === undefined ? [] : [options.append])].join(" ");
      return { ...common, multiboot: { image, modules, append: line } };
    }
    case "bios": {
      const bios = await readInput(source.image, "BIOS image");
      return { ...common, bios, ...(source.vgaBios === undefined ? {} : { vgaBios: await readInput(source.vgaBios, "VGA BIOS") }) };
    }
    case "restore": return { ...common, restore: await readInput(source.state, "saved state") };
    case "guest": {
      if (source.name === EMBEDDED) return { ...common, guest: "embedded" };
      const { recipe, boot } = await getGuest(source.name, progress);
      const memory = options.memory ?? recipe.memory;
      const cpu = options.cpu ?? (recipe.architecture === "amd64" ? "x86-64" : "i686");
      if (boot.kind === "bios") return { ...common, cpu, memory, bios: boot.bios, ...(boot.vgaBios ? { vgaBios: boot.vgaBios } : {}) };
      const line = options.append === undefined ? boot.append : `${boot.append} ${options.append}`;
      if (boot.kind === "multiboot") return { ...common, cpu, memory, multiboot: { image: boot.image, modules: boot.modules, append: line } };
      return { ...common, cpu, memory, kernel: { kernel: boot.kernel, ...(boot.initrd ? { initrd: boot.initrd } : {}), append: line } };
    }
  }
}
