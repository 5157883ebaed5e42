/**
 * XMM registers as locals of a region: v128, of which instructions read and write lanes. A lane that is a float stays in a vector
 * register of the host; as an integer it would go through a general one, both ways.
 */
import { layout } from "@doppel/cpu";
import type { IrType, Size } from "@doppel/semantics";
import { type FunctionBuilder, OP } from "@doppel/wasm";

const { XMM, XMM_STRIDE } = layout;
const COUNT = 16;
const SHAPES: Record<number, "i8x16" | "i16x8" | "i32x4" | "i64x2"> = { 1: "i8x16", 2: "i16x8", 4: "i32x4", 8: "i64x2" };

/** Number of the XMM register at a state offset, or -1. */
export function vectorAt(offset: number): number {
  return offset >= XMM && offset < XMM + COUNT * XMM_STRIDE ? Math.floor((offset - XMM) / XMM_STRIDE) : -1;
}

function shapeOf(size: Size, type: IrType): string {
  return type === "f32" ? "f32x4" : type === "f64" ? "f64x2" : SHAPES[size]!;
}

/** Pushes a register's bytes from a state offset on. */
export function readVectorLocal(f: FunctionBuilder, local: number, offset: number, size: Size, type: IrType): void {
  f.get(local);
  if (size === 16) return;
  f.lane(OP[`${shapeOf(size, type)}_extract_lane${size < 4 ? "_u" : ""}` as keyof typeof OP], (offset % XMM_STRIDE) / size);
}

/** Writes a register's bytes from a state offset on; the others stay. */
export function writeVectorLocal(f: FunctionBuilder, local: number, offset: number, size: Size, type: IrType, value: () => void): void {
  if (size === 16) value();
  else {
    f.get(local);
    value();
    f.lane(OP[`${shapeOf(size, type)}_replace_lane` as keyof typeof OP], (offset % XMM_STRIDE) / size);
  }
  f.set(local);
}
