export { Builder, irFunction, SemanticsError, typeOfSize, type BuilderOptions } from "./builder.ts";
export { DEFINITIONS } from "./definitions.ts";
export { gpr, InstructionBuilder, type Definition, type Shape } from "./instruction.ts";
export type { Address, Block, Field, FlagUpdate, IrFunction, IrType, Place, SegmentRef, Size, Statement, Value, Variable } from "./ir.ts";
