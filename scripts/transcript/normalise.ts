/**
 * What may differ between two machines that behave alike: times, addresses, sizes of memory, process ids, and speed. All of
 * that is replaced before two transcripts are compared.
 */
import type { Answer } from "./session.ts";

/** Kernel messages of this level and below are warnings and worse (printk levels of the kernel: 4 is KERN_WARNING). */
const WARNING = 4;

/** A line without what differs from run to run. */
export function normaliseLine(line: string): string {
  return line
    .replace(/\[ *\d+\.\d+\] ?/g, "")
    .replace(/\b\d\d:\d\d:\d\d\b/g, "TIME")
    .replace(/^(cpu MHz|bogomips)(\s*): .*$/, "$1$2: N")
    .replace(/0x[0-9a-f]+/gi, "HEX")
    .replace(/\b[0-9a-f]{8,16}\b/g, (text) => (/[a-f]/.test(text) || text.length !== 8 ? "HEX" : text))
    .trimEnd();
}

/** What the kernel says in the middle of another program's output. */
const MESSAGE = /^\[ *\d+\.\d+\] /;

/** Flags of one side only: QEMU's TCG has no VME and no invariant counter, and a processor that speculates needs page-table isolation. */
const ONE_SIDED = / (vme|tsc_known_freq|constant_tsc|nonstop_tsc|tsc_adjust|arch_capabilities|pti)\b/g;

/** QEMU has caches of other sizes, a microcode revision, no leaves 5 to 16h, does not tell the width of virtual addresses, and claims to speculate. */
function processor(line: string): string[] {
  if (/^(cpuid level|cache size|microcode|address sizes|bugs)\b/.test(line)) return [];
  return [normaliseLine(line).replace(/^flags.*/, (flags) => flags.replace(ONE_SIDED, ""))];
}

/** The lines of an answer that have to be equal. */
export function normalise({ command, lines }: Answer): string[] {
  if (command === "free") return lines.map((line) => line.replace(/\d+/g, (size) => (size === "0" ? size : "N")).replace(/ +/g, " "));
  if (command.startsWith("ls -R /proc")) return procTree(lines);
  const printed = lines.filter((line) => !MESSAGE.test(line));
  if (command.includes("sum")) return printed.map((line) => line.trimEnd());
  if (command.includes("cpuinfo")) return printed.flatMap(processor);
  return printed.map((line) => normaliseLine(line).replace(/^(\[\d+\][+-]? +)\d+\b/, "$1PID"));
}

/** The tree of /proc without processes and interrupts, whose numbers are each machine's own. */
function procTree(lines: readonly string[]): string[] {
  const kept: string[] = [];
  let folder = "";
  let keep = true;
  for (const line of lines) {
    if (/^\/proc.*:$/.test(line)) folder = line;
    if (folder === line) keep = !/^\/proc\/(\d+|irq|self|thread-self)\b/.test(line);
    // Names, whatever the columns; numbers are processes, interrupts and PCI devices.
    if (keep) kept.push(...line.split(/\s+/).filter((name) => !/^[\d.]*$/.test(name)).map((name) => `${folder} ${name}`));
  }
  return kept.sort();
}

/** The warnings and errors of `dmesg -r`, each `<level>text`. */
export function warnings(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const match = /^<(\d+)>(.*)$/.exec(line);
    return match && (Number(match[1]) & 7) <= WARNING ? [normaliseLine(match[2]!)] : [];
  });
}
