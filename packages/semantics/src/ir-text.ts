/**
 * IR as text, for people: one statement a line. A value that is used once stands where it is used, unless a statement in between might change
 * what it reads; any other has a number of its own.
 */
import { CONDITIONS, REGISTER_NAMES, VECTOR_NAMES } from "@doppel/x86";
import type { Address, Block, Field, FlagUpdate, Place, SegmentRef, Size, Statement, Value } from "./ir.ts";
import { stateName } from "./state-names.ts";

/** Values that are named by themselves. */
const NAMED = new Set(["const", "parameter", "field", "ip", "nextIp"]);

/** What stands for the parts that a decoded record fills in. */
export interface IrNames {
  /** Name of a register operand. */
  place(place: Place, size: Size): string;
  field(field: Field): string;
  /** The memory operand's address. */
  readonly effectiveAddress: string;
  /** The segment that the record names. */
  readonly segment: string;
  readonly ip: string;
  readonly nextIp: string;
}

/** Names for an instruction of which only the shape is known. */
const GENERAL: IrNames = {
  place: (place, size) => ("at" in place ? stateName(place.at, size)! : `${place.field}${place.plus === undefined || place.plus === 0 ? "" : `+${place.plus}`}`),
  field: (field) => field, effectiveAddress: "address", segment: "segment", ip: "ip", nextIp: "next ip",
};

/**
 * The statements of an instruction or IR function, as lines.
 * @param names of operands; general ones when absent
 * @example
 * ```ts
 * const b = new Builder({ long: false, flat: true });
 * b.setPlace(gpr(0), 4, b.add(b.place(gpr(0), 4), 5));
 * irText(b.root); // ["eax = i32.add(eax, 5)"]
 * ```
 */
export function irText(block: Block, names: Partial<IrNames> = {}): string[] {
  return new IrWriter({ ...GENERAL, ...names }).lines(block);
}

/** Values that a statement uses itself, not what blocks in it use. */
function operandsOf(statement: Statement): Value[] {
  switch (statement.kind) {
    case "load": case "probe": case "checkSegment": return [statement.address.offset];
    case "store": return [statement.address.offset, statement.value];
    case "setPlace": case "setVariable": case "return": case "note": return [statement.value];
    case "setState": return statement.base === undefined ? [statement.value] : [statement.base, statement.value];
    case "flags": return [...updateParts(statement.update).map(([, value]) => value), ...(statement.when === undefined ? [] : [statement.when])];
    case "call": case "helper": return [...statement.args];
    case "if": case "break": return [statement.condition];
    case "fault": return statement.code === undefined ? [] : [statement.code];
    case "jump": return [statement.target];
    default: return [];
  }
}

function updateParts(update: FlagUpdate): [string, Value][] {
  return Object.entries(update).filter((part): part is [string, Value] => typeof part[1] === "object");
}

class IrWriter {
  private readonly names: IrNames;
  private readonly numbers = new Map<Value, number>();

  constructor(names: IrNames) {
    this.names = names;
  }

  lines(block: Block, indent = ""): string[] {
    return block.statements.flatMap((statement, n) => {
      if (statement.kind === "let") return this.stands(statement.value, block.statements.slice(n + 1)) ? [`${indent}${this.define(statement.value)}`] : [];
      return this.statement(statement, indent);
    });
  }

  /** Whether a value gets a line: it is used more than once, or read here and used behind the next statement. */
  private stands(value: Value, behind: readonly Statement[]): boolean {
    if (value.uses === 0 || NAMED.has(value.op)) return false;
    if (value.uses > 1) return true;
    if (value.effect !== "read") return false;
    const next = behind.find(({ kind }) => kind !== "let");
    const reaches = (from: Value): boolean => from === value || from.args.some(reaches);
    return next === undefined || !operandsOf(next).some(reaches);
  }

  private define(value: Value): string {
    const text = this.compute(value);
    return `${this.numbered(value)} = ${text}`;
  }

  private numbered(value: Value): string {
    if (!this.numbers.has(value)) this.numbers.set(value, this.numbers.size + 1);
    return `%${this.numbers.get(value)!}`;
  }

  private value(value: Value): string {
    return this.numbers.has(value) || value.op === "result" ? this.numbered(value) : this.compute(value);
  }

  private compute({ op, args, data }: Value): string {
    const { names } = this;
    switch (op) {
      case "const": return data instanceof Uint8Array ? `v128(${[...data].map((byte) => byte.toString(16).padStart(2, "0")).join("")})` : `${String(data)}`;
      case "parameter": return `p${String(data)}`;
      case "field": return names.field(data as Field);
      case "ip": return names.ip;
      case "nextIp": return names.nextIp;
      case "effectiveAddress": return names.effectiveAddress;
      case "addressMask": return "address mask";
      case "recordSegment": return `offset of ${names.segment}`;
      case "linear": return `${this.segment(data as SegmentRef)} base + ${this.value(args[0]!)}`;
      case "place": {
        const { place, size } = data as { place: Place; size: Size };
        return names.place(place, size);
      }
      case "state": {
        const { op: load, offset } = data as { op: string; offset: number };
        return args.length === 0 ? `${stateName(offset)!}.${load}` : `state[${this.value(args[0]!)} + ${offset}].${load}`;
      }
      case "known": return `${names.place((data as { place: Place }).place, 16)} is ${(data as { fact: string }).fact} = ${this.value(args[0]!)}`;
      case "steady": return this.value(args[0]!);
      case "variable": return `$${(data as { id: number }).id}`;
      case "flag": return data as string;
      case "condition": return `condition ${CONDITIONS[data as number]![0]!}`;
      case "arithmeticFlags": return "arithmetic flags";
      case "select": return `select(${this.value(args[2]!)} ? ${this.value(args[0]!)} : ${this.value(args[1]!)})`;
      default: {
        const lanes = data === undefined ? "" : ` ${Array.isArray(data) ? data.join(" ") : String(data)}`;
        return `${op.replace("_", ".")}${lanes}(${args.map((arg) => this.value(arg)).join(", ")})`;
      }
    }
  }

  private segment(segment: SegmentRef): string {
    return segment === "record" ? this.names.segment : REGISTER_NAMES.seg[segment] ?? `segment ${segment}`;
  }

  private address({ segment, offset, checked }: Address): string {
    return `[${this.segment(segment)}: ${this.value(offset)}]${checked ? " checked" : ""}`;
  }

  private statement(s: Exclude<Statement, { kind: "let" }>, indent: string): string[] {
    const one = (text: string): string[] => [`${indent}${text}`];
    const args = (list: readonly Value[]): string => list.map((arg) => this.value(arg)).join(", ");
    switch (s.kind) {
      case "load": {
        const text = `load.${s.size} ${this.address(s.address)}${s.update ? " for update" : ""}`;
        return one(`${this.numbered(s.value)} = ${text}`);
      }
      case "probe": return one(`probe.${s.size} ${this.address(s.address)}`);
      case "checkSegment": return one(`check ${s.size} bytes ${this.address(s.address)} for ${s.write ? "writing" : "reading"}`);
      case "store": return one(`store.${s.size} ${this.address(s.address)}, ${this.value(s.value)}`);
      case "note": return one(`note ${this.names.place(s.place, 16)} is ${s.fact} = ${this.value(s.value)}`);
      case "setPlace": return one(`${this.names.place(s.place, s.size)} = ${this.value(s.value)}`);
      case "setState": {
        const where = s.base === undefined ? stateName(s.offset)! : `state[${this.value(s.base)} + ${s.offset}]`;
        return one(`${where}.${s.op} = ${this.value(s.value)}`);
      }
      case "setVariable": return one(`$${s.variable.id} = ${this.value(s.value)}`);
      case "flags": {
        const parts = updateParts(s.update).map(([name, value]) => `${name}=${this.value(value)}`).join(", ");
        const size = "size" in s.update ? `.${s.update.size}` : "";
        const carry = "carry" in s.update && s.update.carry === true ? " with carry" : "";
        return one(`flags ${s.update.rule}${size}${carry} ${parts}${s.when === undefined ? "" : ` when ${this.value(s.when)}`}`);
      }
      case "call": return one(`${s.value === undefined ? "" : `${this.numbered(s.value)} = `}call ${s.callee.name}(${args(s.args)})`);
      case "helper": return one(`helper ${s.name}(${args(s.args)})${s.faults ? " may fault" : ""}`);
      case "if": {
        const hint = s.likely === undefined ? "" : s.likely ? " likely" : " unlikely";
        const otherwise = s.otherwise === undefined || s.otherwise.statements.length === 0 ? [] : [`${indent}} else {`, ...this.lines(s.otherwise, `${indent}  `)];
        return [`${indent}if${hint} ${this.value(s.condition)} {`, ...this.lines(s.then, `${indent}  `), ...otherwise, `${indent}}`];
      }
      case "loop": return [`${indent}loop {`, ...this.lines(s.body, `${indent}  `), `${indent}}`];
      case "break": return one(`break if ${this.value(s.condition)}`);
      case "fault": return one(`fault ${VECTOR_NAMES[s.vector]!}${s.code === undefined ? "" : ` (${this.value(s.code)})`}`);
      case "bulk": return one(`bulk ${s.operation}.${s.size}`);
      case "jump": return one(`jump ${s.direct ? "" : "indirect "}${this.value(s.target)}`);
      case "again": return one("again");
      case "leave": return one(`leave at ${s.at}`);
      case "return": return one(`return ${this.value(s.value)}`);
    }
  }
}
