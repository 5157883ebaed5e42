/** Which forms of the tables a fuzzing run has to reach: those that a model executes in a kind of code (SDM volume 2, chapters 3 to 5). */
import { featuresOf } from "@doppel/cpu";
import { DEFINITIONS } from "@doppel/semantics";
import { type Form, FORMS } from "@doppel/x86";
import { FUZZ_MODELS, type FuzzModel } from "./fuzz-modes.ts";

/** Whether code is outside IA-32e mode, or in one of its two kinds. */
export type CodeKind = "legacy" | "compatibility" | "64-bit";

/** A model, a kind of code, and the forms that it executes there. */
export interface FormClass {
  readonly name: string;
  readonly model: FuzzModel;
  readonly kind: CodeKind;
  readonly forms: readonly Form[];
}

/** Whether a form is one that a processor executes in 16- and 32-bit code, or in 64-bit code. */
function isReachable(form: Form, features: ReadonlySet<string>, long: boolean): boolean {
  return (long ? !form.invalid64 : !form.only64 && !form.rexW) && features.has(form.feature) && DEFINITIONS.has(form.mnemonic);
}

function formClass(model: FuzzModel, kind: CodeKind): FormClass {
  const features = featuresOf(FUZZ_MODELS[model]);
  return { name: `${model}, ${kind}`, model, kind, forms: FORMS.filter((form) => isReachable(form, features, kind === "64-bit")) };
}

/** Every class that programs begin in; the classes do not share what they reached. */
export const FORM_CLASSES: readonly FormClass[] = [formClass("i686", "legacy"), formClass("max", "legacy"), formClass("max", "compatibility"), formClass("max", "64-bit")];

/** The class of a model and a kind of code; undefined for one that no program begins in. */
export function classOf(model: FuzzModel, kind: CodeKind): FormClass | undefined {
  return FORM_CLASSES.find((one) => one.model === model && one.kind === kind);
}
