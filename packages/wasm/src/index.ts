export { Bytes } from "./bytes.ts";
export { FunctionBuilder, type Label, type Signature } from "./function-builder.ts";
export { hostFeatures, type WasmFeatures } from "./host-features.ts";
export { ModuleBuilder } from "./module-builder.ts";
export { OP, VALUE_TYPE, type ValueType } from "./opcodes.ts";
export { functionTexts, type FunctionText, moduleText, type TextOptions } from "./wat.ts";
