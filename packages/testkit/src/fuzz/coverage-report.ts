/** What a fuzzing run reached, in words and as a table. */
import type { Form } from "@doppel/x86";
import type { Coverage } from "./fuzz-run.ts";

/** Forms that raise #UD whatever the mode: RSM outside system management mode is one of them. */
const ALWAYS_UNDEFINED = new Set(["UD0", "UD1", "UD2", "RSM"]);

/** A form in the notation of the tables. */
export function formName({ opcode, mnemonic, operands }: Form): string {
  return `${opcode} ${mnemonic}${operands.length === 0 ? "" : ` ${operands.map(({ kind, size, register }) => (register < 0 ? kind + size : `${kind}${register}`)).join(",")}`}`;
}

/** Forms that never retired, or, where all they can do is fault, never did that. */
export function unreached(coverage: Coverage, forms: readonly Form[]): Form[] {
  return forms.filter(({ id, mnemonic }) => (ALWAYS_UNDEFINED.has(mnemonic) ? coverage.faulted[id] : coverage.retired[id]) === 0);
}

/** One line a form: how often it retired and how often it faulted, rarest first. */
export function coverageTable(coverage: Coverage, forms: readonly Form[]): string {
  const rows = forms.map((form) => ({ name: formName(form), retired: coverage.retired[form.id]!, faulted: coverage.faulted[form.id]! }));
  rows.sort((a, b) => a.retired - b.retired || a.name.localeCompare(b.name));
  return rows.map(({ name, retired, faulted }) => `${String(retired).padStart(9)} ${String(faulted).padStart(9)}  ${name}`).join("\n");
}

/** Counts of a run, in a few lines. */
export function coverageSummary(coverage: Coverage, forms: readonly Form[], seconds: number): string {
  const modes = [...coverage.modes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `  ${String(count).padStart(9)}  ${name}`);
  return [
    `${coverage.programs} programs, ${coverage.instructions} instructions retired outside fault handlers (a REP once), ${coverage.faults} faults`,
    `${coverage.executed} instructions over all runs in ${seconds.toFixed(1)} s: ${(coverage.executed / seconds / 1e6).toFixed(2)} MIPS, machines, checks and hashes included`,
    `${forms.length - unreached(coverage, forms).length} of ${forms.length} forms reached; ${coverage.stale} programs whose slices differ by stale translations (SDM volume 3, 4.10.2.3)`,
    "Instructions by the mode that their program began in:", ...modes,
  ].join("\n");
}
