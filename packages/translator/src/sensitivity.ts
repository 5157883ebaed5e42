/**
 * What kind of instruction one is, in the words of Popek and Goldberg (1974) and of Adams and Agesen (2006): a sensitive instruction reads or
 * changes what belongs to the machine and not to the program; every other is innocuous and may be translated as it is. Whether it is
 * translated is another question: most of what its definition leaves to TypeScript is the interpreter's (`effects.ts`).
 *
 * Sensitive are the privileged instructions (SDM volume 3, 6.9), those that depend on IOPL (volume 1, 19.3), and those that are neither and
 * still show or change privileged state (Robin and Irvine 2000, table 3).
 */
import { type Block, DEFINITIONS, InstructionBuilder, type Shape } from "@doppel/semantics";
import { type Form, VECTOR_NAMES } from "@doppel/x86";
import { isCalled, meaningOf } from "./effects.ts";

/** What `sometimes` calls an access of memory that is the interpreter's: it faults, meets a device, or crosses a page's end. */
export const NO_ACCESS = "no direct access";

/** Of an instruction. */
export interface Sensitivity {
  readonly sensitive: boolean;
  /** Why a region does not hold it; undefined where one does. */
  readonly left: string | undefined;
  /** On which of its ways a region that holds it leaves it to the interpreter all the same. */
  readonly sometimes: readonly string[];
}

/** @internal */
export const SENSITIVE: ReadonlySet<string> = new Set([
  // Privileged.
  "CLTS", "HLT", "INVD", "WBINVD", "INVLPG", "INVPCID", "LGDT", "LIDT", "LLDT", "LTR", "LMSW", "RDMSR", "WRMSR", "SYSEXIT", "SYSRET", "SWAPGS", "XSETBV", "MONITOR",
  "MWAIT", "RSM", "STAC", "CLAC",
  // By IOPL and the I/O permission map.
  "CLI", "STI", "IN", "OUT", "INS", "OUTS",
  // Neither, and sensitive.
  "SGDT", "SIDT", "SLDT", "SMSW", "STR", "PUSHF", "POPF", "LAR", "LSL", "VERR", "VERW", "ARPL", "JMPF", "CALLF", "RETF", "IRET", "INT", "INT3", "INT1", "INTO", "SYSENTER",
  "SYSCALL", "LDS", "LES", "LFS", "LGS", "LSS",
  // What a machine may want to answer otherwise than the host would.
  "CPUID", "RDTSC", "RDTSCP", "RDPMC", "RDPID", "XGETBV",
]);
/** Segment, control and debug registers are the machine's, whatever instruction names them. */
const SENSITIVE_OPERANDS = new Set(["S", "seg", "C", "D"]);

/** Says of which kind instructions of a shape are. */
export function sensitivityOf(shape: Shape): Sensitivity {
  const { form } = shape;
  const ways = waysOf(shape);
  return { sensitive: isSensitive(form), left: meaningOf(shape) === undefined ? ways.always ?? "it has no definition" : undefined, sometimes: ways.sometimes };
}

function isSensitive({ mnemonic, operands }: Form): boolean {
  return SENSITIVE.has(mnemonic) || operands.some(({ kind }) => SENSITIVE_OPERANDS.has(kind));
}

/** What makes the interpreter necessary: always, or on some of an instruction's ways. */
function waysOf(shape: Shape): { always: string | undefined; sometimes: string[] } {
  const sometimes = new Set<string>();
  let always: string | undefined;
  const look = (block: Block, certain: boolean): void => {
    for (const s of block.statements) {
      switch (s.kind) {
        case "helper":
          if (isCalled(s.name)) sometimes.add(`fault of ${s.name}`);
          else if (certain) always ??= `only the monitor can do it (${s.name})`;
          else sometimes.add(s.name);
          break;
        case "leave": always ??= "it may change how code is executed"; break;
        case "fault": sometimes.add(VECTOR_NAMES[s.vector]!); break;
        case "load": case "store": case "probe": sometimes.add(NO_ACCESS); break;
        case "if":
          look(s.then, false);
          if (s.otherwise !== undefined) look(s.otherwise, false);
          break;
        case "loop": look(s.body, certain); break;
      }
    }
  };
  const define = DEFINITIONS.get(shape.form.mnemonic);
  if (define !== undefined) {
    const builder = new InstructionBuilder(shape);
    define(builder);
    look(builder.root, true);
  }
  return { always, sometimes: [...sometimes] };
}
