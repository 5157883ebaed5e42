/**
 * Which handler variants stand inside the dispatch function: those that real kernels and programs execute most (counted
 * over a Linux boot), as long as the function stays near 400 KB, beyond which V8 optimises it late or never (engine.md).
 * A line is opcodes in the notation of the tables, then variants: r register operand, m flat memory operand, f memory
 * operand through FS or GS, n no such operand; 2 means with 16-bit operands too. In 64-bit code m has no index, i has one, and q is relative
 * to RIP.
 */
import type { Shape } from "@doppel/semantics";
import type { HotShape } from "./dispatch.ts";
import { type Form, FORMS } from "@doppel/x86";
import { shapeKey } from "./handler.ts";
import { FREQUENT_32, FREQUENT_64, FREQUENT_PAIRS_32, FREQUENT_PAIRS_64 } from "./hot-frequent.ts";
import { HOT_PAIRS_32, HOT_PAIRS_64 } from "./hot-pairs.ts";
import { USUAL_32, USUAL_64 } from "./usual-shapes.ts";

/** In code of any size. */
const HOT = `
04,0C,24,2C,34,3C,05,0D,25,2D,35,3D,A8,A9 n
84,85 rm
86,87 rm
0F AF,69,6B rm
0F B1,0F C1 m
FE /0,FE /1 m
C0 /4,C0 /5,C1 /0,C1 /1,C1 /4,C1 /7,D1 /4,D1 /5,D1 /7,D3 /4,D3 /5,D3 /7,0F A4,0F AC,0F A5,0F AD r
C1 /5 r2
0F A3,0F AB,0F B3,0F BC,0F BD,0F BA /4 r
0F A3,0F BA /4 m
90 n2
68,6A,98,99,C3,C2,C9,E8,E9,EB,FC n
70+cc,0F 80+cc n
0F 90+cc r
0F 40+cc rm
0F C8+r n
A4,A5,AA,AB,AC n
`;

/** In 16- and 32-bit code. */
const HOT_32 = `
00,02,08,0A,20,22,28,2A,30,32,38,3A rm
01,03,09,0B,21,23,29,2B,31,33,39,3B rmf2
10,11,13,19,1B rm
80 /0,80 /1,80 /4,80 /5,80 /6,80 /7 rm
81 /0,81 /1,81 /4,81 /5,81 /6,81 /7,83 /0,83 /1,83 /4,83 /5,83 /6,83 /7 rm2
83 /2,83 /3 rm
88,8A rm
89,8B rmf2
A0,A1,A2,A3 mf
B0+r,B8+r,40+r,48+r,50+r,58+r n
C6 /0 m
C7 /0 rm2
8D m
0F B6,0F B7,0F BE,0F BF rm
F6 /0,F7 /0,F7 /2,F7 /3,F7 /4,F7 /5,F7 /6,F7 /7 rm
FF /0,FF /1 mf
FF /2,FF /4,FF /6 rm
`;

/** In 64-bit code, whose memory operands come in more kinds and sizes. */
const HOT_64 = `
00,02,08,0A,20,22,28,2A,30,32 rm
38,3A rmi
01,09,0B,11,13,19,1B,21,29,31 rm
23,33 rmi
03,2B,39,3B rmiqf
01,09,21,29,31,39,3B rm2
80 /0,80 /1,80 /4,80 /5,80 /6 rm
80 /7 rmiq
81 /0,81 /1,81 /4,81 /5,81 /6,81 /7,83 /0,83 /1,83 /2,83 /3,83 /4,83 /5,83 /6 rm
83 /7 rmiqf2
88,8A rmi
89,8B rmiqf2
8D miq
B0+r,B8+r,50+r,58+r n
C6 /0 mi
C7 /0 rmiq2
0F B6,0F B7,63 rmiq
0F BE,0F BF rm
F6 /0 rmiq
F7 /0,F7 /2,F7 /3,F7 /4,F7 /5,F7 /6,F7 /7 rm
FF /0,FF /1 rmiq
FF /2,FF /4 rmiq
FF /6 rm
0F 1F mi2
`;

/** Instructions that are fused with a conditional jump behind them, and the conditions (pairs, code >> 1) that follow them in practice. */
const FUSED = `
38,39,3B,80 /7,81 /7,83 /7 r 0123467
3C,3D n 0123467
84,85,F6 /0,F7 /0 r 2467
A8,A9 n 24
40+r,48+r n 24
83 /0,83 /4,83 /5,01,03,29,2B,21,23,09,0B,31,33 r 124
`;

type OperandSize = Shape["operandSize"];

function shapesOf(form: Form, variants: string, long: boolean): Shape[] {
  const out: Shape[] = [];
  if (long ? form.invalid64 : form.only64) return out;
  const natural: OperandSize[] = !long ? [4] : form.default64 || form.forced64 ? [8] : [4, 8];
  const sizes: OperandSize[] = variants.includes("2") ? [2, ...natural] : natural;
  const conditions = form.range === "cc" ? Array.from({ length: 16 }, (_, n) => n) : [0];
  for (const variant of variants.replace("2", "")) {
    if ((variant === "r" && form.memoryOnly) || (!"rn".includes(variant) && form.registerOnly)) continue;
    const kinds = !long && variant !== "r" && variant !== "n" ? [variant, "i"] : [variant];
    for (const operandSize of sizes) {
      for (const condition of conditions) for (const kind of kinds) out.push(shape(form, kind, operandSize, condition, long, variant === "f"));
    }
  }
  return out;
}

function shape(form: Form, kind: string, operandSize: OperandSize, condition: number, long: boolean, far: boolean): Shape {
  const string = form.operands.some(({ kind: operand }) => operand === "X" || operand === "Y");
  return {
    form, operandSize, addressSize: long ? 8 : 4, memory: (kind !== "r" && kind !== "n") || string, rep: "", condition, long, flat: true, flatOperand: !far,
    indexed: kind === "i", ripRelative: kind === "q",
  };
}

function* lines(text: string): Generator<{ forms: Form[]; words: string[] }> {
  for (const line of text.trim().split("\n")) {
    // Opcodes are separated by commas and may hold spaces; what follows the last of them are single words.
    const [, list, rest] = /^((?:[0-9A-F][^,]*,)*[0-9A-F]{2}(?: [0-9A-F]{2})?(?: \/\d)?(?:\+\w+)?) (\S.*)$/.exec(line)!;
    const opcodes = new Set(list!.split(","));
    yield { forms: FORMS.filter((form) => opcodes.has(form.opcode) && form.feature !== "LM"), words: rest!.split(" ") };
  }
}

const byOpcode = new Map<string, Form[]>();
for (const form of FORMS) {
  const there = byOpcode.get(form.opcode);
  if (there === undefined) byOpcode.set(form.opcode, [form]);
  else there.push(form);
}

const REPEATS: Record<string, Shape["rep"]> = { "": "", p: "rep", n: "repne" };

/** Shapes by their token in a list: `8B m8`, `A4 m4p` with REP, `0F 90+cc r4:25` for two conditions, or `J 12` for the conditional jumps of two pairs of conditions. */
function* tokenShapes(token: string, long: boolean): Generator<Shape> {
  const [, opcode, kind, size, rep, list] = /^(.*) ([rmiqf])([248])([pn]?)(?::(.+))?$/.exec(token.replace(/^J.*$/, `70+cc r${long ? 8 : 4}`))!;
  const conditions = token.startsWith("J") ? [...token.slice(2)].flatMap((pair) => [2 * Number(pair), 2 * Number(pair) + 1]) : [...(list ?? "0")].map((digit) => parseInt(digit, 16));
  for (const form of byOpcode.get(opcode!) ?? []) {
    if ((long ? form.invalid64 : form.only64) || form.feature === "LM" || (kind === "r" ? form.memoryOnly : form.registerOnly)) continue;
    for (const code of conditions) yield { ...shape(form, kind!, Number(size) as OperandSize, code, long, kind === "f"), rep: REPEATS[rep!]! };
  }
}

/** Hot handlers for 16- and 32-bit code, or for 64-bit code. */
export function hotShapes(long: boolean): HotShape[] {
  const all = (text: string): Shape[] => [...lines(text)].flatMap(({ forms, words }) => forms.flatMap((form) => shapesOf(form, words[0]!, long)));
  const out: HotShape[] = [...all(long ? HOT_64 : HOT_32), ...all(HOT)].map((one) => ({ shape: one, second: undefined }));
  const jumpForm = FORMS.find((form) => form.mnemonic === "Jcc")!;
  for (const { forms, words } of lines(FUSED)) {
    const jumps = [...words[1]!].flatMap((pair) => [2 * Number(pair), 2 * Number(pair) + 1]);
    for (const one of forms.flatMap((form) => shapesOf(form, words[0]!, long)))
      for (const condition of jumps) out.push({ shape: one, second: { ...shapesOf(jumpForm, "n", long)[0]!, condition } });
  }
  out.push(...pairsOf(long ? HOT_PAIRS_64 : HOT_PAIRS_32, long));
  return unique(out);
}

/** The hot handlers beside a translator, which are fewer. */
export function frequentShapes(long: boolean): HotShape[] {
  const out: HotShape[] = [];
  for (const line of (long ? FREQUENT_64 : FREQUENT_32).trim().split("\n")) {
    const [opcode, variants] = line.split(": ") as [string, string];
    for (const variant of variants.split(", ")) for (const one of tokenShapes(`${opcode} ${variant}`, long)) out.push({ shape: one, second: undefined });
  }
  return [...out, ...pairsOf(long ? FREQUENT_PAIRS_64 : FREQUENT_PAIRS_32, long)];
}

/** Handlers that usual systems ask for and that do not stand inside; their operands may have an index. */
export function usualShapes(long: boolean): Shape[] {
  const out = new Map<number, Shape>();
  for (const line of (long ? USUAL_64 : USUAL_32).trim().split("\n")) {
    const [opcodes, variants] = line.split(/: (.*)/) as [string, string];
    for (const opcode of opcodes.split("; ")) {
      for (const variant of variants.split(", ")) {
        for (const one of tokenShapes(`${opcode} ${variant}`, long)) {
          const general = { ...one, indexed: !one.ripRelative };
          out.set(shapeKey(general), general);
        }
      }
    }
  }
  return [...out.values()];
}

/** The pairs of a list. */
function* pairsOf(text: string, long: boolean): Generator<HotShape> {
  for (const line of text.trim().split("\n")) {
    const [first, seconds] = line.split(/: /) as [string, string];
    for (const one of tokenShapes(first, long)) for (const token of seconds.split(", ")) for (const second of tokenShapes(token, long)) yield { shape: one, second };
  }
}

/** Without what stands in more than one list. */
function unique(shapes: readonly HotShape[]): HotShape[] {
  const known = new Set<string>();
  return shapes.filter(({ shape: first, second }) => {
    const key = `${shapeKey(first)} ${second === undefined ? "" : shapeKey(second)}`;
    return !known.has(key) && known.add(key);
  });
}
