/** What a fuzzing run reached, in words and as a table. */
import type { Form } from "@doppel/x86";
import type { Coverage } from "./coverage.ts";
import { FORM_CLASSES, type FormClass } from "./form-classes.ts";
import { pairsOf } from "./pair-pieces.ts";

/** Forms that raise #UD whatever the mode: RSM outside system management mode is one of them. */
const ALWAYS_UNDEFINED = new Set(["UD0", "UD1", "UD2", "RSM"]);

/** A form in the notation of the tables. */
export function formName({ opcode, mnemonic, operands }: Form): string {
  return `${opcode} ${mnemonic}${operands.length === 0 ? "" : ` ${operands.map(({ kind, size, register }) => (register < 0 ? kind + size : `${kind}${register}`)).join(",")}`}`;
}

/** Forms of a class that never retired, or, where all they can do is fault, never did that. */
export function unreached(coverage: Coverage, { model, kind, forms }: FormClass): Form[] {
  const { retired, faulted } = coverage.of(model, kind);
  return forms.filter(({ id, mnemonic }) => (ALWAYS_UNDEFINED.has(mnemonic) ? faulted[id] : retired[id]) === 0);
}

/** What every class has not reached, one line a class; nothing where all is reached. */
export function missingForms(coverage: Coverage): string[] {
  return FORM_CLASSES.map((one) => ({ name: one.name, forms: unreached(coverage, one) }))
    .filter(({ forms }) => forms.length > 0)
    .map(({ name, forms }) => `not reached by ${name}: ${forms.map(formName).join("; ")}`);
}

/** Retirements of each form that a long run against regions is to reach. */
const ENOUGH = 1000;

/**
 * How often the rarest forms of every class retired (those that only fault: faulted), which did less than {@link ENOUGH} times, and of those that
 * regions hold, which did less often there.
 */
export function rarestForms(coverage: Coverage): string[] {
  return FORM_CLASSES.flatMap(({ name, model, kind, forms }) => {
    const { retired, faulted, inRegions } = coverage.of(model, kind);
    const times = ({ id, mnemonic }: Form): number => (ALWAYS_UNDEFINED.has(mnemonic) ? faulted : retired)[id]!;
    const held = forms.filter(({ id }) => inRegions[id]! > 0);
    const list = (few: readonly Form[], count: (form: Form) => number): string => (few.length === 0 ? "" : `: ${few.map((form) => `${formName(form)} (${count(form)})`).join("; ")}`);
    const few = forms.filter((form) => times(form) < ENOUGH);
    const fewHeld = held.filter(({ id }) => inRegions[id]! < ENOUGH);
    return [
      `${name}: every form retired at least ${Math.min(...forms.map(times))} times, ${few.length} of ${forms.length} less than ${ENOUGH} times${list(few, times)}`,
      `${name}: ${held.length} forms were executed in regions, ${fewHeld.length} of them less than ${ENOUGH} times${list(fewHeld, ({ id }) => inRegions[id]!)}; never: ${forms.filter(({ id }) => inRegions[id] === 0).map(formName).join("; ")}`,
    ];
  });
}

/** One line a form and class: how often it retired, how often it faulted, and how often it was executed in regions, rarest first. */
export function coverageTable(coverage: Coverage): string {
  const rows = FORM_CLASSES.flatMap(({ name, model, kind, forms }) => {
    const { retired, faulted, inRegions } = coverage.of(model, kind);
    return forms.map((form) => ({ name: `${name}: ${formName(form)}`, retired: retired[form.id]!, faulted: faulted[form.id]!, inRegions: inRegions[form.id]! }));
  });
  rows.sort((a, b) => a.retired - b.retired || a.name.localeCompare(b.name));
  return rows.map(({ name, retired, faulted, inRegions }) => `${[retired, faulted, inRegions].map((count) => String(count).padStart(9)).join(" ")}  ${name}`).join("\n");
}

/** Counts of a run, in a few lines. */
export function coverageSummary(coverage: Coverage, seconds: number): string {
  const modes = [...coverage.modes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `  ${String(count).padStart(9)}  ${name}`);
  const inRegions = coverage.translated === 0 ? [] : [`${coverage.translated} instructions in one piece by machines that translate, ${((100 * coverage.inRegions) / coverage.translated).toFixed(1)} % of them in regions`];
  return [
    ...inRegions,
    `${coverage.programs} programs, ${coverage.instructions} instructions retired outside fault handlers (a REP once), ${coverage.faults} faults`,
    `${coverage.executed} instructions over all runs in ${seconds.toFixed(1)} s: ${(coverage.executed / seconds / 1e6).toFixed(2)} MIPS, machines, checks and hashes included`,
    `${coverage.stale} programs whose slices differ by stale translations (SDM volume 3, 4.10.2.3)`,
    `${coverage.pairs.size} of ${pairsOf(false).length + pairsOf(true).length} pairs of instructions with a handler of their own`,
    ...FORM_CLASSES.map((one) => `${one.forms.length - unreached(coverage, one).length} of ${one.forms.length} forms reached by ${one.name} code`),
    "Instructions by the mode that their program began in:", ...modes,
  ].join("\n");
}
