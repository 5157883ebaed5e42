/**
 * The fields of a source line: comments, commas, and the items of `db`, `dw`, `dd` and `dq` (integers, strings, real numbers).
 */
import { type Expression, SourceProblem, stringBytes, tokenize } from "./assembly-expression.ts";

/** Gives the bytes of a data item in the pass that runs; values are checked in the last one only. */
export type DataItem = (value: (expression: Expression) => bigint, final: boolean) => number[];

/** Parses one item of a data directive with items of `size` bytes. */
export function dataItem(field: string, size: number, parse: (source: string) => Expression): DataItem {
  if (/^[-+]?\d+\.\d*(?:[eE][-+]?\d+)?$/.test(field)) {
    if (size < 4) throw new SourceProblem("a real number needs dd or dq");
    const view = new DataView(new ArrayBuffer(8));
    if (size === 4) view.setFloat32(0, Number(field), true);
    else view.setFloat64(0, Number(field), true);
    const bytes = littleEndian(view.getBigUint64(0, true), size);
    return () => bytes;
  }
  const tokens = tokenize(field);
  if (tokens.length === 1 && tokens[0]!.kind === "string") {
    const bytes = stringBytes(tokens[0]!.text);
    while (bytes.length % size !== 0) bytes.push(0);
    return () => bytes;
  }
  const expression = parse(field);
  const bits = BigInt(8 * size);
  return (valueOf, final) => {
    const value = valueOf(expression);
    if (final && (value < -(1n << (bits - 1n)) || value >= 1n << bits)) throw new SourceProblem(`${value} does not fit ${size} byte${size === 1 ? "" : "s"}`);
    return littleEndian(value, size);
  };
}

function littleEndian(value: bigint, size: number): number[] {
  return Array.from({ length: size }, (_, n) => Number((value >> BigInt(8 * n)) & 0xffn));
}

/** Removes a comment, which starts with a semicolon outside quotes. */
export function stripComment(text: string): string {
  return /^(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|[^;'"`])*/.exec(text)![0];
}

/** Splits at commas outside quotes and brackets. */
export function splitFields(text: string): string[] {
  return (text.match(/(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|\([^()]*\)|[^,'"`(]|\()+/g) ?? []).map((field) => field.trim());
}
