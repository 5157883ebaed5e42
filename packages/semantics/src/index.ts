export { Builder, irFunction, SemanticsError, typeOfSize, type BuilderOptions } from "./builder.ts";
export { DEFINITIONS } from "./definitions.ts";
export { FLOAT_EXTRA, FLOAT_FLAGS, FLOAT_FUNCTIONS, FLOAT_HOST, FLOAT_INCOMPLETE, FLOAT_LANES, FLOAT_SE } from "./float/index.ts";
export { gpr, InstructionBuilder, type Definition, type Shape } from "./instruction.ts";
export type { Address, Block, Field, FlagUpdate, IrFunction, IrType, Place, SegmentRef, Size, Statement, Value, Variable } from "./ir.ts";
