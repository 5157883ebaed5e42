/**
 * Operands of the assembly language: registers, memory in brackets, immediates and far pointers, with their size words
 * (`byte` to `oword`) and distance words (`short`, `near`, `far`).
 */
import { type Expression, SourceProblem, TokenReader, type Token } from "./assembly-expression.ts";
import { generalWidth, type Register } from "./register-names.ts";

/** Memory operand: base + index * scale + displacement. */
export interface MemorySyntax {
  readonly base: Register | undefined;
  readonly index: Register | undefined;
  readonly scale: number;
  readonly displacement: Expression | undefined;
  /** Number of the overriding segment register, or -1. */
  readonly segment: number;
  /** Relative to the next instruction (64-bit code). */
  readonly relative: boolean;
  /** Bytes of the displacement asked for by a size word inside the brackets, or 0. */
  readonly displacementSize: number;
}

/** One operand as written. `size` is that of its size word, or 0; for `far` it is the size of the offset. */
export interface OperandSyntax {
  readonly size: number;
  readonly distance: "" | "short" | "near" | "far";
  readonly register?: Register;
  readonly memory?: MemorySyntax;
  readonly immediate?: Expression;
  /** Selector of `selector:offset`; the offset is in `immediate`. */
  readonly selector?: Expression;
}

const SIZES: Readonly<Record<string, number>> = { byte: 1, word: 2, dword: 4, qword: 8, tword: 10, tbyte: 10, oword: 16, xmmword: 16 };

/** Parses the operand field of an instruction. */
export function parseOperands(tokens: readonly Token[], qualify: (name: string) => string, relativeByDefault: boolean): OperandSyntax[] {
  const reader = new TokenReader(tokens, qualify);
  const operands: OperandSyntax[] = [];
  while (!reader.done) {
    if (operands.length > 0) reader.expect(",");
    operands.push(parseOperand(reader, relativeByDefault));
  }
  return operands;
}

function parseOperand(reader: TokenReader, relativeByDefault: boolean): OperandSyntax {
  let size = 0;
  let distance: OperandSyntax["distance"] = "";
  for (;;) {
    const word = reader.peek();
    if (SIZES[word] !== undefined) size = SIZES[word];
    else if (word === "short" || word === "near" || word === "far") distance = word;
    else if (word !== "strict" && word !== "ptr") break;
    reader.at++;
  }
  if (reader.take("[")) {
    const memory = parseMemory(reader, -1, relativeByDefault);
    return { size, distance, memory };
  }
  const first = reader.expression();
  if (first.kind === "register") {
    if (reader.take(":")) { // fs:[eax]
      if (first.register.class !== "seg") throw new SourceProblem(`${first.name} is not a segment register`);
      reader.expect("[");
      return { size, distance, memory: parseMemory(reader, first.register.number, relativeByDefault) };
    }
    return { size, distance, register: first.register };
  }
  if (reader.take(":")) return { size, distance, selector: first, immediate: reader.expression() };
  return { size, distance, immediate: first };
}

function parseMemory(reader: TokenReader, override: number, relativeByDefault: boolean): MemorySyntax {
  let segment = override;
  let relative: boolean | undefined;
  let displacementSize = 0;
  for (;;) {
    const word = reader.peek();
    if (word === "rel" || word === "abs") relative = word === "rel";
    else if (SIZES[word] !== undefined) displacementSize = SIZES[word];
    else break;
    reader.at++;
  }
  let expression = reader.expression();
  if (expression.kind === "register" && expression.register.class === "seg") {
    segment = expression.register.number;
    reader.expect(":");
    expression = reader.expression();
  }
  reader.expect("]");
  const terms = new Map<string, { register: Register; count: number }>();
  const displacement = collect(expression, 1, terms);
  const memory = arrange([...terms.values()]);
  const registerless = memory.base === undefined && memory.index === undefined;
  return { ...memory, displacement, segment, relative: relative ?? (relativeByDefault && registerless && segment < 4), displacementSize };
}

/** Takes the registers out of a sum and gives back what is left of it. */
function collect(expression: Expression, sign: 1 | -1, terms: Map<string, { register: Register; count: number }>): Expression | undefined {
  const add = (node: Expression & { kind: "register" }, count: number): undefined => {
    if (sign < 0) throw new SourceProblem("a register cannot be subtracted in an address");
    const known = terms.get(node.name);
    terms.set(node.name, { register: node.register, count: (known?.count ?? 0) + count });
  };
  if (expression.kind === "register") return add(expression, 1);
  if (expression.kind !== "binary") return sign < 0 ? { kind: "unary", operator: "-", operand: expression } : expression;
  const { operator, left, right } = expression;
  if (operator === "*") {
    if (left.kind === "register" && right.kind === "number") return add(left, Number(right.value));
    if (right.kind === "register" && left.kind === "number") return add(right, Number(left.value));
  }
  if (operator !== "+" && operator !== "-") return sign < 0 ? { kind: "unary", operator: "-", operand: expression } : expression;
  const first = collect(left, sign, terms);
  const second = collect(right, operator === "-" ? (-sign as 1 | -1) : sign, terms);
  if (first === undefined || second === undefined) return first ?? second;
  return { kind: "binary", operator: "+", left: first, right: second };
}

function arrange(terms: { register: Register; count: number }[]): Pick<MemorySyntax, "base" | "index" | "scale"> {
  if (terms.some(({ register }) => generalWidth(register.class) < 2)) throw new SourceProblem("only 16-, 32- and 64-bit general registers form an address");
  if (terms.length > 2) throw new SourceProblem("an address has at most two registers");
  if (new Set(terms.map(({ register }) => register.class)).size > 1) throw new SourceProblem("the registers of an address differ in size");
  if (terms.length === 0) return { base: undefined, index: undefined, scale: 1 };
  let [first, second] = terms as [{ register: Register; count: number }, { register: Register; count: number } | undefined];
  if (second === undefined) {
    if (first.count === 1) return { base: first.register, index: undefined, scale: 1 };
    if (isStackPointer(first.register)) throw new SourceProblem("the stack pointer cannot be an index");
    // reg*2, reg*3, reg*5 and reg*9 are reg + reg*(n-1): shorter than an index without a base, or possible only so
    if ([2, 3, 5, 9].includes(first.count)) return { base: first.register, index: first.register, scale: first.count - 1 };
    return { base: undefined, index: first.register, scale: scaleOf(first.count) };
  }
  if (first.count !== 1) [first, second] = [second, first];
  if (first.count !== 1) throw new SourceProblem("only one register of an address can be scaled");
  if (second.count === 1 && isStackPointer(second.register)) [first, second] = [second, first];
  if (isStackPointer(second.register)) throw new SourceProblem("the stack pointer cannot be an index");
  return { base: first.register, index: second.register, scale: scaleOf(second.count) };
}

function isStackPointer(register: Register): boolean {
  return register.number === 4 && register.class !== "r16";
}

function scaleOf(count: number): number {
  if (![1, 2, 4, 8].includes(count)) throw new SourceProblem(`an index is scaled by 1, 2, 4 or 8, not by ${count}`);
  return count;
}
