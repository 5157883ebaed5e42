/**
 * What a mnemonic of the assembly language means in terms of the tables: string suffixes, conditions, the names of the sizes of
 * CBW, IRET and their like, x87 instructions with an implied FWAIT, and the compare predicates of SSE.
 */
import { FORMS, type Form } from "./form.ts";
import { CONDITIONS } from "./register-names.ts";

/** One reading of a mnemonic. */
export interface Meaning {
  readonly forms: readonly Form[];
  /** Operand size that the name implies, or 0. */
  readonly operandSize: number;
  /** Address size that the name implies, or 0. */
  readonly addressSize: number;
  /** Condition code, or 0. */
  readonly condition: number;
  /** Applies only to an instruction written without operands. */
  readonly bare: boolean;
  /** FWAIT stands before it. */
  readonly wait: boolean;
  /** Immediate that the name implies when none is written, or -1. */
  readonly predicate: number;
}

const STRINGS = new Set(["MOVS", "CMPS", "STOS", "LODS", "SCAS", "INS", "OUTS"]);

/** What all mnemonics mean. It takes some milliseconds, for which who assembles nothing need not wait. */
function allMeanings(): Map<string, Meaning[]> {
  const meanings = new Map<string, Meaning[]>();
  const byMnemonic = new Map<string, Form[]>();
  for (const form of FORMS) {
    const list = byMnemonic.get(form.mnemonic);
    if (list === undefined) byMnemonic.set(form.mnemonic, [form]);
    else list.push(form);
  }

  const add = (name: string, mnemonic: string, details: Partial<Meaning> = {}, filter: (form: Form) => boolean = () => true): void => {
    const forms = (byMnemonic.get(mnemonic) ?? []).filter(filter);
    const meaning = { forms, operandSize: 0, addressSize: 0, condition: 0, bare: false, wait: false, predicate: -1, ...details };
    const list = meanings.get(name);
    if (list === undefined) meanings.set(name, [meaning]);
    else list.push(meaning);
  };
  const isByte = (form: Form): boolean => form.operands.some((o) => o.size === "b");
  for (const [mnemonic] of byMnemonic) {
    if (mnemonic.endsWith("cc")) {
      CONDITIONS.forEach((names, condition) => names.forEach((name) => add(mnemonic.slice(0, -2).toLowerCase() + name, mnemonic, { condition })));
    } else if (STRINGS.has(mnemonic)) {
      const name = mnemonic.toLowerCase();
      add(`${name}b`, mnemonic, { bare: true }, isByte);
      for (const [suffix, operandSize] of [["w", 2], ["d", 4], ["q", 8]] as const) {
        if (suffix === "q" && (mnemonic === "INS" || mnemonic === "OUTS")) continue;
        add(name + suffix, mnemonic, { bare: true, operandSize }, (form) => !isByte(form));
      }
    } else add(mnemonic.toLowerCase(), mnemonic);
  }
  for (const [base, names] of [
    ["CBW", ["cbw", "cwde", "cdqe"]], ["CWD", ["cwd", "cdq", "cqo"]], ["PUSHA", ["pushaw", "pushad"]], ["POPA", ["popaw", "popad"]],
    ["PUSHF", ["pushfw", "pushfd", "pushfq"]], ["POPF", ["popfw", "popfd", "popfq"]], ["IRET", ["iretw", "iretd", "iretq"]],
    ["RETF", ["retfw", "retfd", "retfq"]],
  ] as const) {
    meanings.delete(names[0]);
    names.forEach((name, n) => add(name, base, { operandSize: 2 << n }));
  }
  add("pusha", "PUSHA");
  meanings.delete("jcxz");
  ["jcxz", "jecxz", "jrcxz"].forEach((name, n) => add(name, "JCXZ", { addressSize: 2 << n }));
  for (const [name, mnemonic] of [
    ["sal", "SHL"], ["loopz", "LOOPE"], ["loopnz", "LOOPNE"], ["wait", "FWAIT"], ["retn", "RET"], ["xlatb", "XLAT"], ["icebp", "INT1"],
    ["int01", "INT1"], ["int03", "INT3"], ["ud2a", "UD2"], ["jmp", "JMPF"], ["call", "CALLF"],
  ] as const) add(name, mnemonic);
  for (const name of ["INIT", "CLEX", "STCW", "STSW", "STENV", "SAVE", "ENI", "DISI", "SETPM"]) add(`f${name.toLowerCase()}`, `FN${name}`, { wait: true });
  for (const name of ["fxsave", "fxrstor", "xsave", "xrstor", "xsaveopt"]) add(`${name}64`, name.toUpperCase(), { operandSize: 8 });
  add("sysretq", "SYSRET", { operandSize: 8 });
  add("sysexitq", "SYSEXIT", { operandSize: 8 });
  add("movq", "MOVD", { operandSize: 8 });
  add("pextrq", "PEXTRD", { operandSize: 8 });
  add("pinsrq", "PINSRD", { operandSize: 8 });
  ["eq", "lt", "le", "unord", "neq", "nlt", "nle", "ord"].forEach((name, predicate) => {
    for (const suffix of ["ps", "ss", "pd", "sd"]) add(`cmp${name}${suffix}`, `CMP${suffix.toUpperCase()}`, { predicate });
  });

  add("aam", "AAM", { predicate: 10 });
  add("aad", "AAD", { predicate: 10 });
  return meanings;
}

let known: ReturnType<typeof allMeanings> | undefined;

/** The readings of a mnemonic in lower case, or `undefined` when there is none. */
export function meaningsOf(mnemonic: string): readonly Meaning[] | undefined {
  return (known ??= allMeanings()).get(mnemonic);
}
