/**
 * Stores from the x87 stack to memory (SDM volume 2, FST, FIST, FISTTP, FBSTP; volume 1, 8.5): the number and whether it is to be written, before the
 * definition writes it to memory it has probed and pops.
 */
import { FPU_IE, FPU_OE, FPU_UE, FSW_C1 } from "@doppel/x86";
import { irFunction } from "./builder.ts";
import { f80ToDecimal, f80ToF32, f80ToF64, f80ToI16, f80ToI32, f80ToI64 } from "./float/conversions.ts";
import { FLOAT_EXTRA, FLOAT_FLAGS, FLOAT_SE } from "./float/scratch.ts";
import type { IrFunction } from "./ir.ts";
import {
  clearFloatFlags, commitFlags, control, floatFlags, indefinite, isEmpty, popStack, readStack, setStatusBits, stackFault, withRounding,
} from "./x87-stack.ts";

/** What goes to memory from ST(0), by destination; the indefinite stands for an empty register. */
const STORES: Record<string, { readonly convert: IrFunction; readonly wide: boolean; readonly indefinite: bigint }> = {
  f32: { convert: f80ToF32, wide: false, indefinite: 0xffc0_0000n },
  f64: { convert: f80ToF64, wide: true, indefinite: 0xfff8_0000_0000_0000n },
  i16: { convert: f80ToI16, wide: true, indefinite: 0x8000n },
  i32: { convert: f80ToI32, wide: true, indefinite: 0x8000_0000n },
  i64: { convert: f80ToI64, wide: true, indefinite: 1n << 63n },
  decimal: { convert: f80ToDecimal, wide: true, indefinite: 0xc000_0000_0000_0000n },
};

/**
 * (truncate): converts ST(0) for a store and takes the flags; the result is the number. FLOAT_SE is 1 when it is to be written to
 * memory (no unmasked exception other than precision), else 0.
 */
function memoryStore(name: string): IrFunction {
  const { convert, wide, indefinite: nan } = STORES[name]!;
  return irFunction(`x87_store_${name}`, ["i32"], "i64", (b, truncate) => {
    b.if(isEmpty(b, 0), () => {
      b.setState("i64_store", FLOAT_EXTRA, b.i64(0xffff));
      b.setState("i32_store", FLOAT_SE, b.ne(b.call(stackFault, [b.i32(0)]), 0));
      b.return(b.i64(nan));
    }, undefined, false);
    clearFloatFlags(b);
    const top = readStack(b, 0);
    const word = b.select(truncate, withRounding(b, control(b), 3), control(b));
    const result = b.call(convert, [top.significand, top.se, word]);
    // An unmasked overflow or underflow keeps a number from memory as an invalid operand does; nothing was rounded then.
    const refused = b.and(b.and(floatFlags(b), FPU_OE | FPU_UE | FPU_IE), b.not(control(b)));
    b.if(b.and(refused, FPU_OE | FPU_UE), () => b.setState("i32_store", FLOAT_FLAGS, b.and(floatFlags(b), 0x1f)));
    b.call(commitFlags, []);
    b.setState("i32_store", FLOAT_SE, b.eqz(refused));
    b.return(wide ? result : b.extendU(result));
  });
}
export const MEMORY_STORE: Record<string, IrFunction> = {};
for (const name of Object.keys(STORES)) MEMORY_STORE[name] = memoryStore(name);

/** FSTP m80: the significand, FLOAT_SE with it; FLOAT_EXTRA is 0 when nothing is to be written. */
export const storeExtended = irFunction("x87_store_f80", [], "i64", (b) => {
  b.if(isEmpty(b, 0), () => {
    b.setState("i64_store", FLOAT_EXTRA, b.extendU(b.call(stackFault, [b.i32(0)])));
    const nan = indefinite(b);
    b.setState("i32_store", FLOAT_SE, nan.se);
    b.return(nan.significand);
  }, undefined, false);
  setStatusBits(b, FSW_C1, 0);
  const top = readStack(b, 0);
  b.setState("i32_store", FLOAT_SE, top.se);
  b.setState("i64_store", FLOAT_EXTRA, b.i64(1));
  b.return(top.significand);
});

/** Pops after a store. */
export const pop = irFunction("x87_pop", [], "i32", (b) => {
  popStack(b, 1);
  b.return(b.i32(0));
});
