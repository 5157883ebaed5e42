/**
 * Expressions of the assembly language: numbers, characters, labels, `$`, `$$`, registers (inside brackets) and the operators
 * `| ^ & << >> + - * / % ~ ( )`. Values are BigInt, because 64-bit constants and addresses occur; this is a tool's path, not a hot one.
 */
import { REGISTERS, type Register } from "./register-names.ts";

/** A parsed expression. */
export type Expression =
  | { readonly kind: "number"; readonly value: bigint }
  | { readonly kind: "symbol"; readonly name: string }
  | { readonly kind: "register"; readonly register: Register; readonly name: string }
  | { readonly kind: "unary"; readonly operator: string; readonly operand: Expression }
  | { readonly kind: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression };

/** A message about one place in the source, without its line yet; the assembler adds it. */
export class SourceProblem extends Error {}

/** What a name stands for in the pass that runs: its value and whether it is a plain constant, known without any address. */
export interface SymbolValue {
  readonly value: bigint;
  readonly constant: boolean;
}
export type Lookup = (name: string) => SymbolValue | undefined;

/** A token of an operand: a word, a number, a string or a sign. */
export interface Token {
  readonly kind: "word" | "number" | "string" | "sign";
  readonly text: string;
  readonly value: bigint;
}

const TOKEN = /\s*(?:('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`)|([0-9][0-9a-zA-Z_]*)|(\$\$|\$|[.a-zA-Z_?@][\w.?@$]*)|(<<|>>|[-+*%&|^~()[\]:,/]))/y;

/** Splits an operand field into tokens. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  const source = text.trimEnd();
  while (TOKEN.lastIndex < source.length) {
    const start = TOKEN.lastIndex;
    const match = TOKEN.exec(source);
    if (match === null) throw new SourceProblem(`cannot read "${source.slice(start).trim()}"`);
    const [, string, number, word, sign] = match;
    if (string !== undefined) tokens.push({ kind: "string", text: unescape(string.slice(1, -1), string[0] !== "'"), value: 0n });
    else if (number !== undefined) tokens.push({ kind: "number", text: number, value: parseNumber(number) });
    else tokens.push(word !== undefined ? { kind: "word", text: word, value: 0n } : { kind: "sign", text: sign!, value: 0n });
  }
  return tokens;
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "0": "\0", e: "\x1b", a: "\x07", b: "\b" };

function unescape(text: string, active: boolean): string {
  if (!active) return text;
  return text.replace(/\\(x[0-9a-fA-F]{2}|.)/g, (_, escape: string) =>
    escape.length === 3 ? String.fromCharCode(Number.parseInt(escape.slice(1), 16)) : ESCAPES[escape] ?? escape);
}

function parseNumber(source: string): bigint {
  const text = source.replaceAll("_", "").toLowerCase();
  if (/^0x[0-9a-f]+$/.test(text) || /^0b[01]+$/.test(text) || /^0o[0-7]+$/.test(text) || /^[0-9]+$/.test(text)) {
    return BigInt(/^0[0-9]/.test(text) ? text.replace(/^0+(?=.)/, "") : text);
  }
  if (/^[0-9][0-9a-f]*h$/.test(text)) return BigInt(`0x${text.slice(0, -1)}`);
  if (/^[01]+b$/.test(text)) return BigInt(`0b${text.slice(0, -1)}`);
  throw new SourceProblem(`"${source}" is not a number`);
}

/** The bytes of a string as UTF-8, byte by byte in a Latin-1 string when every character is below 256. */
export function stringBytes(text: string): number[] {
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code > 0xff) throw new SourceProblem(`the character "${character}" does not fit one byte`);
    bytes.push(code);
  }
  return bytes;
}

const PRECEDENCE: Readonly<Record<string, number>> = { "|": 1, "^": 2, "&": 3, "<<": 4, ">>": 4, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6 };

/** A cursor over tokens that parses expressions and leaves the rest. */
export class TokenReader {
  readonly tokens: readonly Token[];
  at = 0;
  /** Expands `.x` to the local label of the enclosing one. */
  readonly qualify: (name: string) => string;

  constructor(tokens: readonly Token[], qualify: (name: string) => string) {
    this.tokens = tokens;
    this.qualify = qualify;
  }

  get done(): boolean {
    return this.at >= this.tokens.length;
  }

  /** The text of the next token when it is a word or a sign, in lower case; else "". */
  peek(): string {
    const token = this.tokens[this.at];
    return token === undefined || token.kind === "string" || token.kind === "number" ? "" : token.text.toLowerCase();
  }

  take(text: string): boolean {
    if (this.peek() !== text) return false;
    this.at++;
    return true;
  }

  expect(text: string): void {
    if (!this.take(text)) throw new SourceProblem(`expected "${text}"${this.done ? " at the end" : ` before "${this.tokens[this.at]!.text}"`}`);
  }

  expression(level = 1): Expression {
    let left = this.primary();
    for (;;) {
      const operator = this.peek();
      const precedence = PRECEDENCE[operator];
      if (precedence === undefined || precedence < level) return left;
      this.at++;
      left = { kind: "binary", operator, left, right: this.expression(precedence + 1) };
    }
  }

  private primary(): Expression {
    const token = this.tokens[this.at++];
    if (token === undefined) throw new SourceProblem("an expression is missing");
    if (token.kind === "number") return { kind: "number", value: token.value };
    if (token.kind === "string") {
      return { kind: "number", value: stringBytes(token.text).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n) };
    }
    if (token.kind === "word") {
      const name = token.text.toLowerCase();
      const register = REGISTERS.get(name);
      if (register?.class === "st" && name === "st" && this.take("(")) {
        const index = this.tokens[this.at++];
        this.expect(")");
        return { kind: "register", register: { class: "st", number: Number(index?.value ?? 0n) }, name };
      }
      return register === undefined ? { kind: "symbol", name: this.qualify(token.text) } : { kind: "register", register, name };
    }
    if (token.text === "(") {
      const inner = this.expression();
      this.expect(")");
      return inner;
    }
    if (token.text === "-" || token.text === "+" || token.text === "~") {
      return { kind: "unary", operator: token.text, operand: this.expression(7) };
    }
    throw new SourceProblem(`"${token.text}" does not belong there`);
  }
}

/** Computes an expression; `undefined` when a name is not known (yet). */
export function evaluate(expression: Expression, lookup: Lookup): SymbolValue | undefined {
  switch (expression.kind) {
    case "number":
      return { value: expression.value, constant: true };
    case "symbol":
      return lookup(expression.name);
    case "register":
      throw new SourceProblem(`the register ${expression.name} does not belong in this expression`);
    case "unary": {
      const operand = evaluate(expression.operand, lookup);
      if (operand === undefined) return undefined;
      const value = operand.value;
      return { value: expression.operator === "-" ? -value : expression.operator === "~" ? ~value : value, constant: operand.constant };
    }
    case "binary": {
      const left = evaluate(expression.left, lookup);
      const right = evaluate(expression.right, lookup);
      if (left === undefined || right === undefined) return undefined;
      return { value: apply(expression.operator, left.value, right.value), constant: left.constant && right.constant };
    }
  }
}

function apply(operator: string, left: bigint, right: bigint): bigint {
  switch (operator) {
    case "+": return left + right;
    case "-": return left - right;
    case "*": return left * right;
    case "&": return left & right;
    case "|": return left | right;
    case "^": return left ^ right;
    case "<<":
    case ">>":
      if (right < 0n || right > 64n) throw new SourceProblem("a shift count is outside 0 to 64");
      return operator === "<<" ? left << right : left >> right;
    default:
      if (right === 0n) throw new SourceProblem("division by zero");
      return operator === "/" ? left / right : left % right;
  }
}

/** The name that keeps an expression from having a value. */
export function firstUnknown(expression: Expression, lookup: Lookup): string {
  if (expression.kind === "symbol") return lookup(expression.name) === undefined ? expression.name : "";
  if (expression.kind === "unary") return firstUnknown(expression.operand, lookup);
  if (expression.kind === "binary") return firstUnknown(expression.left, lookup) || firstUnknown(expression.right, lookup);
  return "";
}
