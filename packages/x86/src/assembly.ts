/**
 * One assembly: each line is parsed once into an action, and the actions run in passes until every label stands still.
 */
import { dataItem, splitFields, stripComment } from "./assembly-data.ts";
import { evaluate, type Expression, firstUnknown, SourceProblem, type SymbolValue, tokenize, type Token, TokenReader } from "./assembly-expression.ts";
import { meaningsOf } from "./assembly-mnemonics.ts";
import { type OperandSyntax, parseOperands } from "./assembly-operand.ts";
import { type AssembledLine, type AssembledProgram, AssemblyError, type AssemblyOptions } from "./assembly-types.ts";
import { encode } from "./encoder.ts";
import type { PrefixSyntax } from "./operand-match.ts";
import { REGISTERS } from "./register-names.ts";

const PASS_LIMIT = 60;
const DATA: Readonly<Record<string, number>> = { db: 1, dw: 2, dd: 4, dq: 8 };
const RESERVE: Readonly<Record<string, number>> = { resb: 1, resw: 2, resd: 4, resq: 8 };
const REPEATS: Readonly<Record<string, number>> = { rep: 0xf3, repe: 0xf3, repz: 0xf3, repne: 0xf2, repnz: 0xf2 };

/** A line, parsed once; what depends on addresses runs in each pass. */
interface Statement {
  readonly line: number;
  readonly run: () => void;
}

/** One run of the assembler over one source. */
export class Assembly {
  private readonly statements: Statement[] = [];
  private readonly options: AssemblyOptions;
  private readonly given = new Map<string, SymbolValue>();
  private readonly defined = new Set<string>();
  private symbols = new Map<string, SymbolValue>();
  private previous = new Map<string, SymbolValue>();
  private bytes: number[] = [];
  private origin = 0n;
  private bits: 16 | 32 | 64 = 32;
  private relative = false;
  private final = false;
  private scope = "";
  private lines: AssembledLine[] = [];

  constructor(source: string, options: AssemblyOptions) {
    this.options = options;
    for (const [name, value] of Object.entries(options.symbols ?? {})) this.given.set(name, { value: BigInt(value), constant: true });
    const lines = source.split(/\r?\n/);
    lines.forEach((text, n) => this.guard(n + 1, () => this.parseLine(stripComment(text).trim(), n + 1)));
  }

  /** Runs the passes. */
  run(): AssembledProgram {
    let length = -1;
    for (let pass = 0; ; pass++) {
      this.pass();
      const stable = length === this.bytes.length && sameValues(this.symbols, this.previous);
      length = this.bytes.length;
      this.previous = this.symbols;
      if (stable) break;
      if (pass === PASS_LIMIT) throw new AssemblyError(1, "the addresses of the labels never come to rest: a size depends on itself");
    }
    this.final = true;
    this.pass();
    const labels = new Map([...this.symbols].map(([name, { value }]): [string, number] => [name, Number(value)]));
    return { bytes: Uint8Array.from(this.bytes), labels, lines: this.lines };
  }

  private pass(): void {
    this.symbols = new Map(this.given);
    this.bytes = [];
    this.lines = [];
    this.origin = BigInt(this.options.origin ?? 0);
    this.bits = this.options.bits ?? 32;
    this.relative = false;
    for (const statement of this.statements) {
      const offset = this.bytes.length;
      this.guard(statement.line, statement.run);
      if (this.bytes.length > offset) this.lines.push({ line: statement.line, offset, length: this.bytes.length - offset });
    }
  }

  private guard(line: number, action: () => void): void {
    try {
      action();
    } catch (error) {
      if (error instanceof SourceProblem) throw new AssemblyError(line, error.message);
      throw error;
    }
  }

  private get here(): bigint {
    return this.origin + BigInt(this.bytes.length);
  }

  private readonly lookup = (name: string): SymbolValue | undefined => {
    if (name === "$") return { value: this.statementStart, constant: false };
    if (name === "$$") return { value: this.origin, constant: false };
    return this.symbols.get(name) ?? this.previous.get(name);
  };
  private statementStart = 0n;

  private readonly qualify = (name: string): string => (name.startsWith(".") ? this.scope + name : name);

  private define(name: string, value: SymbolValue): void {
    this.symbols.set(name, value);
  }

  private claim(name: string): void {
    if (REGISTERS.has(name.toLowerCase())) throw new SourceProblem(`"${name}" is a register and cannot be a label`);
    if (this.defined.has(name) || this.given.has(name)) throw new SourceProblem(`the name "${name}" is defined twice`);
    this.defined.add(name);
  }

  private parseLine(text: string, line: number): void {
    const label = /^([.\w?@]+)\s*:(?!:)\s*(.*)$/.exec(text);
    if (label !== null && !REGISTERS.has(label[1]!.toLowerCase())) {
      const name = this.qualify(label[1]!);
      if (!label[1]!.startsWith(".")) this.scope = label[1]!;
      this.claim(name);
      this.statements.push({ line, run: () => this.define(name, { value: this.here, constant: false }) });
      this.parseLine(label[2]!, line);
      return;
    }
    if (text === "") return;
    const equation = /^([.\w?@]+)\s*(?:=|\s[eE][qQ][uU]\s)\s*(.*)$/.exec(text);
    if (equation !== null) {
      const name = this.qualify(equation[1]!);
      this.claim(name);
      const expression = this.parseExpression(equation[2]!);
      this.statements.push({
        line,
        run: () => {
          this.statementStart = this.here;
          const value = this.value(expression);
          if (value !== undefined) this.define(name, value);
        },
      });
      return;
    }
    const named = /^([.\w?@]+)\s+((?:d[bwdq]|res[bwdq])\s.*)$/i.exec(text);
    if (named !== null && named[1]!.toLowerCase() !== "times") {
      this.parseLine(`${named[1]}: ${named[2]}`, line);
      return;
    }
    const run = this.parseStatement(text);
    this.statements.push({
      line,
      run: () => {
        this.statementStart = this.here;
        run();
      },
    });
  }

  private parseExpression(text: string): Expression {
    const reader = new TokenReader(tokenize(text), this.qualify);
    const expression = reader.expression();
    if (!reader.done) throw new SourceProblem(`"${reader.tokens[reader.at]!.text}" does not belong there`);
    return expression;
  }

  private value(expression: Expression): SymbolValue | undefined {
    const value = evaluate(expression, this.lookup);
    if (value === undefined && this.final) throw new SourceProblem(`the name "${firstUnknown(expression, this.lookup)}" is not defined`);
    return value;
  }

  private count(expression: Expression, what: string): number {
    const value = Number(this.value(expression)?.value ?? 0n);
    if (this.final && value < 0) throw new SourceProblem(`${what} would be ${value}`);
    if (value > 0x1000_0000) throw new SourceProblem(`${what} would be ${value}, which is too much`);
    return Math.max(value, 0);
  }

  private parseStatement(text: string): () => void {
    const bracketed = /^\[\s*(bits|org|default)\s+([^\]]*)\]$/i.exec(text);
    if (bracketed !== null) return this.parseStatement(`${bracketed[1]} ${bracketed[2]}`);
    const [, dot, word, rest] = /^(\.?)(\S+)\s*(.*)$/.exec(text)!;
    const name = word!.toLowerCase();
    if (DATA[name] !== undefined) return this.parseData(rest!, DATA[name]);
    if (RESERVE[name] !== undefined) {
      const count = this.parseExpression(rest!);
      return () => this.fill(this.count(count, "the number of bytes") * RESERVE[name]!, 0);
    }
    switch (name) {
      case "bits": {
        const bits = Number(rest);
        if (bits !== 16 && bits !== 32 && bits !== 64) throw new SourceProblem("bits is 16, 32 or 64");
        return () => { this.bits = bits; };
      }
      case "use16": case "use32": case "use64": return () => { this.bits = Number(name.slice(3)) as 16 | 32 | 64; };
      case "org": {
        const address = this.parseExpression(rest!);
        return () => {
          const value = this.value(address)?.value ?? 0n;
          if (this.bytes.length === 0) this.origin = value;
          else this.fill(this.count({ kind: "number", value: value - this.here }, "the distance to the new origin"), 0);
        };
      }
      case "align": {
        const [boundary, filler] = splitFields(rest!);
        const size = this.parseExpression(boundary ?? "");
        const byte = filler === undefined ? undefined : this.parseExpression(filler.replace(/^\s*d?b\s+/i, ""));
        return () => {
          const alignment = BigInt(this.count(size, "the alignment"));
          if (alignment > 0n) this.fill(Number((alignment - (this.here % alignment)) % alignment), Number((byte === undefined ? 0x90n : this.value(byte)?.value) ?? 0n));
        };
      }
      case "default": return () => { this.relative = rest!.trim().toLowerCase() === "rel"; };
      case "times": {
        const [count, statement] = this.splitTimes(rest!);
        const run = this.parseStatement(statement);
        return () => {
          for (let left = this.count(count, "the number of times"); left > 0; left--) run();
        };
      }
    }
    if (dot === ".") throw new SourceProblem(`there is no directive ".${word}"`);
    return this.parseInstruction(text);
  }

  private splitTimes(text: string): [Expression, string] {
    for (const match of text.matchAll(/\s+(?=[a-zA-Z])/g)) {
      const word = /^\s+([a-zA-Z]\w*)/.exec(text.slice(match.index))![1]!.toLowerCase();
      if (DATA[word] === undefined && meaningsOf(word) === undefined && REPEATS[word] === undefined && word !== "lock" && RESERVE[word] === undefined) continue;
      return [this.parseExpression(text.slice(0, match.index)), text.slice(match.index).trim()];
    }
    throw new SourceProblem("times needs a count and a statement");
  }

  private fill(count: number, byte: number): void {
    for (let n = 0; n < count; n++) this.bytes.push(byte & 0xff);
  }

  private parseData(text: string, size: number): () => void {
    const items = splitFields(text).map((field) => dataItem(field, size, (source) => this.parseExpression(source)));
    if (items.length === 0) throw new SourceProblem("data is missing");
    return () => {
      for (const item of items) this.bytes.push(...item((expression) => this.value(expression)?.value ?? 0n, this.final));
    };
  }

  private parseInstruction(text: string): () => void {
    let tokens: readonly Token[] = tokenize(text);
    const prefix = { lock: false, repeat: 0, segment: -1, operandSize: 0, addressSize: 0 };
    const bare: number[] = [];
    for (; tokens.length > 0; tokens = tokens.slice(1)) {
      const word = tokens[0]!.text.toLowerCase();
      const size = /^([oa])(16|32|64)$/.exec(word);
      const register = REGISTERS.get(word);
      if (word === "lock") prefix.lock = true;
      else if (REPEATS[word] !== undefined) prefix.repeat = REPEATS[word];
      else if (register?.class === "seg") prefix.segment = register.number;
      else if (size !== null) prefix[size[1] === "o" ? "operandSize" : "addressSize"] = Number(size[2]) / 8;
      else break;
      bare.push(PREFIX_BYTES[word] ?? 0);
    }
    if (tokens.length === 0) {
      if (bare.includes(0)) throw new SourceProblem("an instruction is missing after the prefix");
      return () => { this.bytes.push(...bare); };
    }
    if (tokens[0]!.kind !== "word") throw new SourceProblem(`"${tokens[0]!.text}" is no instruction`);
    const mnemonic = tokens[0]!.text.toLowerCase();
    if (meaningsOf(mnemonic) === undefined) throw new SourceProblem(`there is no instruction "${mnemonic}"`);
    const rest = tokens.slice(1);
    const operands = [false, true].map((relative) => parseOperands(rest, this.qualify, relative)) as [OperandSyntax[], OperandSyntax[]];
    let long = false;
    return () => {
      const encoding = encode(mnemonic, operands[this.relative && this.bits === 64 ? 1 : 0], prefix satisfies PrefixSyntax, {
        bits: this.bits, address: this.here, lookup: this.lookup, final: this.final, long,
      });
      long = encoding.long;
      this.bytes.push(...encoding.bytes);
    };
  }
}

const PREFIX_BYTES: Readonly<Record<string, number>> = {
  lock: 0xf0, rep: 0xf3, repe: 0xf3, repz: 0xf3, repne: 0xf2, repnz: 0xf2, es: 0x26, cs: 0x2e, ss: 0x36, ds: 0x3e, fs: 0x64, gs: 0x65,
};

function sameValues(left: Map<string, SymbolValue>, right: Map<string, SymbolValue>): boolean {
  if (left.size !== right.size) return false;
  for (const [name, { value }] of left) if (right.get(name)?.value !== value) return false;
  return true;
}
