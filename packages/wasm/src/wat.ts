/**
 * The text format of modules (core specification, chapter 6), for people: one instruction a line, indented as control is nested. What is
 * read is the binary that `ModuleBuilder` encodes; sections that it never writes are passed over. Names come from the name section, exports
 * and imports. Branch hints stand in front of their instruction as annotations, as the branch-hinting proposal writes them.
 */
import { BinaryReader } from "./binary-reader.ts";
import { OP, VALUE_TYPE, type ValueType } from "./opcodes.ts";

/** One function of a module as text. */
export interface FunctionText {
  /** Number among all functions, imported ones included. */
  readonly index: number;
  /** Its name, or its number where it has none. */
  readonly name: string;
  /** From `(func` to the closing parenthesis. */
  readonly text: string;
}

/** How instructions are printed. */
export interface TextOptions {
  /** What to say behind a load or store with this offset, where there is something to say; `instruction` is "i32.load" and so on. */
  readonly comment?: (offset: number, instruction: string) => string | undefined;
}

/** What follows an opcode. */
type Immediate = "none" | "block" | "label" | "table" | "function" | "indirect" | "local" | "global" | "memory" | "i32" | "i64" | "f32" | "f64" | "v128" | "lanes" | "lane" | "copy" | "fill";

interface Kind {
  readonly text: string;
  readonly immediate: Immediate;
}

const SECTION = { custom: 0, type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const VALUE_TYPES = new Map(Object.entries(VALUE_TYPE).map(([name, code]) => [code as number, name as ValueType]));
const CONTROL = /^(br|call|return)(_|$)/;

function immediateOf(name: string): Immediate {
  switch (name) {
    case "block": case "loop": case "if": return "block";
    case "br": case "br_if": return "label";
    case "br_table": return "table";
    case "call": case "return_call": return "function";
    case "call_indirect": case "return_call_indirect": return "indirect";
    case "memory_copy": return "copy";
    case "memory_fill": return "fill";
    case "i8x16_shuffle": return "lanes";
  }
  if (name.startsWith("local_")) return "local";
  if (name.startsWith("global_")) return "global";
  if (name.endsWith("_const")) return name.slice(0, -6) as Immediate;
  if (/_lane(_[su])?$/.test(name)) return "lane";
  return /^(\w+?)_(load|store)/.test(name) ? "memory" : "none";
}

const KINDS: ReadonlyMap<number, Kind> = new Map(
  Object.entries(OP).map(([name, code]) => [code, { text: CONTROL.test(name) ? name : name.replace("_", "."), immediate: immediateOf(name) }]),
);

interface Signature {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

interface Body {
  readonly bytes: Uint8Array;
  /** Where it begins in the module. */
  readonly start: number;
}

/** What a module holds. */
class Contents {
  readonly types: Signature[] = [];
  /** Text of each import, and types of all functions, imported ones first. */
  readonly imports: string[] = [];
  readonly functions: number[] = [];
  importedFunctions = 0;
  readonly exports: { name: string; index: number }[] = [];
  readonly bodies: Body[] = [];
  readonly names = new Map<number, string>();
  readonly locals = new Map<number, Map<number, string>>();
  /** By function, offsets in its body. */
  readonly hints = new Map<number, Map<number, boolean>>();

  constructor(module: Uint8Array) {
    const reader = new BinaryReader(module, 8);
    while (!reader.done) {
      const id = reader.u8();
      const size = reader.u32();
      this.section(id, new BinaryReader(module, reader.at, reader.at + size));
      reader.at += size;
    }
  }

  private section(id: number, reader: BinaryReader): void {
    switch (id) {
      case SECTION.type: return reader.repeat(() => void this.types.push(signature(reader)));
      case SECTION.import: return reader.repeat(() => this.import(reader));
      case SECTION.function: return reader.repeat(() => void this.functions.push(reader.u32()));
      case SECTION.export: return reader.repeat(() => this.export(reader));
      case SECTION.code: return reader.repeat(() => {
        const length = reader.u32();
        this.bodies.push({ bytes: reader.bytes(length), start: reader.at - length });
      });
      case SECTION.custom: return this.custom(reader.name(), reader);
    }
  }

  private import(reader: BinaryReader): void {
    const [from, name] = [reader.name(), reader.name()];
    const what = reader.u8();
    const described = ((): string => {
      switch (what) {
        case 0: {
          const type = reader.u32();
          this.names.set(this.importedFunctions++, name);
          this.functions.push(type);
          return `(func $${identifier(name)} ${signatureText(this.types[type]!)})`;
        }
        case 1: return reader.u8(), `(table ${limits(reader)} funcref)`;
        case 2: return `(memory ${limits(reader)})`;
        default: return `(global ${reader.u8() === VALUE_TYPE.i32 ? "i32" : "i64"}${reader.u8() === 0 ? "" : " mut"})`;
      }
    })();
    this.imports.push(`(import "${from}" "${name}" ${described})`);
  }

  private export(reader: BinaryReader): void {
    const name = reader.name();
    reader.u8();
    const index = reader.u32();
    this.exports.push({ name, index });
    if (!this.names.has(index)) this.names.set(index, name);
  }

  private custom(name: string, reader: BinaryReader): void {
    if (name === "name") {
      while (!reader.done) {
        const part = reader.u8();
        const end = reader.u32() + reader.at;
        if (part === 1) reader.repeat(() => void this.names.set(reader.u32(), reader.name()));
        else if (part === 2) reader.repeat(() => {
          const names = new Map<number, string>();
          this.locals.set(reader.u32(), names);
          reader.repeat(() => void names.set(reader.u32(), reader.name()));
        });
        reader.at = end;
      }
    } else if (name === "metadata.code.branch_hint") reader.repeat(() => {
      const hints = new Map<number, boolean>();
      this.hints.set(reader.u32(), hints);
      reader.repeat(() => {
        const offset = reader.u32();
        reader.u8();
        hints.set(offset, reader.u8() !== 0);
      });
    });
  }
}

function signature(reader: BinaryReader): Signature {
  reader.u8();
  const list = (): ValueType[] => {
    const out: ValueType[] = [];
    reader.repeat(() => void out.push(VALUE_TYPES.get(reader.u8())!));
    return out;
  };
  return { parameters: list(), results: list() };
}

function signatureText({ parameters, results }: Signature): string {
  const list = (word: string, types: readonly ValueType[]): string[] => (types.length === 0 ? [] : [`(${word} ${types.join(" ")})`]);
  return [...list("param", parameters), ...list("result", results)].join(" ");
}

function limits(reader: BinaryReader): string {
  const bounded = (reader.u8() & 1) !== 0;
  return bounded ? `${reader.u32()} ${reader.u32()}` : `${reader.u32()}`;
}

/** A name with what identifiers of the text format must not hold left out. */
function identifier(name: string): string {
  return name.replaceAll(/[^\w!#$%&'*+./:<=>?@\\^`|~-]/g, "_");
}

function floatText(value: number): string {
  return Number.isNaN(value) ? "nan" : Math.abs(value) === Infinity ? (value > 0 ? "inf" : "-inf") : Object.is(value, -0) ? "-0" : `${value}`;
}

/** Writes the instructions of one function. */
class BodyWriter {
  private readonly contents: Contents;
  private readonly reader: BinaryReader;
  private readonly hints: ReadonlyMap<number, boolean>;
  private readonly localNames: ReadonlyMap<number, string>;
  private readonly comment: TextOptions["comment"];
  private readonly lines: string[] = [];
  /** Numbers of the labels that are open. */
  private readonly labels: number[] = [];
  private count = 0;

  constructor(contents: Contents, index: number, body: Body, comment: TextOptions["comment"]) {
    this.contents = contents;
    this.reader = new BinaryReader(body.bytes);
    this.hints = contents.hints.get(index) ?? new Map();
    this.localNames = contents.locals.get(index) ?? new Map();
    this.comment = comment;
  }

  write(parameters: readonly ValueType[]): string[] {
    const { reader } = this;
    let local = parameters.length;
    reader.repeat(() => {
      const [count, type] = [reader.u32(), VALUE_TYPES.get(reader.u8())!];
      for (let n = 0; n < count; n++, local++) this.line(`(local ${this.local(local)} ${type})`);
    });
    // The last `end` closes the function.
    while (reader.at < reader.end - 1) this.instruction();
    return this.lines;
  }

  /** Name of a local. */
  local(index: number): string {
    const name = this.localNames.get(index);
    return `$${name === undefined ? index : identifier(name)}`;
  }

  private line(text: string): void {
    this.lines.push(`${"  ".repeat(this.labels.length + 1)}${text}`);
  }

  private instruction(): void {
    const { reader } = this;
    const offset = reader.at;
    const first = reader.u8();
    const code = first >= 0xfc ? (first << 16) | reader.u32() : first;
    const kind = KINDS.get(code);
    if (kind === undefined) throw new RangeError(`0x${code.toString(16)} at ${offset} is no opcode of this encoder's list`);
    const hint = this.hints.get(offset);
    if (hint !== undefined) this.line(`(@metadata.code.branch_hint "\\0${hint ? 1 : 0}")`);
    if (code === OP.end || code === OP.else) {
      const label = this.labels.pop()!;
      this.line(kind.text);
      if (code === OP.else) this.labels.push(label);
    } else {
      const immediate = this.immediate(kind);
      this.line(immediate === "" ? kind.text : `${kind.text} ${immediate}`);
      if (kind.immediate === "block") this.labels.push(this.count);
    }
  }

  private label(depth: number): string {
    const label = this.labels[this.labels.length - 1 - depth];
    return label === undefined ? `${depth}` : `$L${label}`;
  }

  private immediate({ immediate, text }: Kind): string {
    const { reader, contents } = this;
    switch (immediate) {
      case "none": return "";
      case "block": {
        const type = reader.s32();
        const text = type >= 0 ? signatureText(contents.types[type]!) : signatureText({ parameters: [], results: [VALUE_TYPES.get(type & 0x7f) ?? []].flat() });
        return text === "" ? `$L${++this.count}` : `$L${++this.count} ${text}`;
      }
      case "label": return this.label(reader.u32());
      case "table": {
        const targets: string[] = [];
        reader.repeat(() => void targets.push(this.label(reader.u32())));
        return [...targets, this.label(reader.u32())].join(" ");
      }
      case "function": return functionName(contents, reader.u32());
      case "indirect": {
        const type = reader.u32();
        reader.u32();
        return signatureText(contents.types[type]!);
      }
      case "local": return this.local(reader.u32());
      case "global": return `${reader.u32()}`;
      case "memory": return this.memory(text);
      case "i32": return `${reader.s32()}`;
      case "i64": return `${reader.s64()}`;
      case "f32": return floatText(reader.f32());
      case "f64": return floatText(reader.f64());
      case "v128": return `i32x4 ${Array.from({ length: 4 }, () => `0x${reader.word().toString(16).padStart(8, "0")}`).join(" ")}`;
      case "lanes": return [...reader.bytes(16)].join(" ");
      case "lane": return `${reader.u8()}`;
      case "copy": return reader.bytes(2), "";
      case "fill": return reader.bytes(1), "";
    }
  }

  private memory(instruction: string): string {
    const align = 2 ** this.reader.u32();
    const offset = this.reader.u32();
    const comment = this.comment?.(offset, instruction);
    return `${offset === 0 ? "" : `offset=${offset} `}align=${align}${comment === undefined ? "" : ` ;; ${comment}`}`;
  }
}

function functionName({ names }: Contents, index: number): string {
  const name = names.get(index);
  return `$${name === undefined ? index : identifier(name)}`;
}

function functionTextsOf(contents: Contents, { comment }: TextOptions): FunctionText[] {
  return contents.bodies.map((body, n) => {
    const index = contents.importedFunctions + n;
    const type = contents.types[contents.functions[index]!]!;
    const writer = new BodyWriter(contents, index, body, comment);
    const parameters = type.parameters.map((one, local) => ` (param ${writer.local(local)} ${one})`).join("");
    const results = type.results.length === 0 ? "" : ` (result ${type.results.join(" ")})`;
    const name = functionName(contents, index);
    const lines = writer.write(type.parameters);
    return { index, name: name.slice(1), text: [`(func ${name}${parameters}${results}`, ...lines].join("\n").concat(")") };
  });
}

/**
 * The functions of a module as text, in their order; without those that it imports.
 * @throws {RangeError} where the code holds an instruction that is not in `OP`
 */
export function functionTexts(module: Uint8Array, options: TextOptions = {}): FunctionText[] {
  return functionTextsOf(new Contents(module), options);
}

/**
 * A whole module as text, which an assembler for the text format makes a module of again.
 * @throws {RangeError} where the code holds an instruction that is not in `OP`
 * @example
 * ```ts
 * const module = new ModuleBuilder();
 * module.function({ parameters: ["i32"], results: ["i32"] }, "next").builder.get(0).i32(1).op(OP.i32_add);
 * moduleText(module.encode()); // "(module\n  (func $next (param $0 i32) (result i32)\n    local.get $0 ..."
 * ```
 */
export function moduleText(module: Uint8Array, options: TextOptions = {}): string {
  const contents = new Contents(module);
  const functions = functionTextsOf(contents, options).map(({ text }) => text.replaceAll("\n", "\n  "));
  const exports = contents.exports.map(({ name, index }) => `(export "${name}" (func ${functionName(contents, index)}))`);
  return `(module\n${[...contents.imports, ...functions, ...exports].map((part) => `  ${part}`).join("\n")})\n`;
}
