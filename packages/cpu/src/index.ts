export { type Bus } from "./bus.ts";
export { ACTIVE, HALTED, SHADOW_NONE, SHADOW_STACK, SHADOW_STI, SHUTDOWN } from "./activity.ts";
export { CodeCache } from "./code-cache.ts";
export { codeKey, hostOfKey, modeOfKey } from "./code-key.ts";
export { Cpu, type CpuOptions, type TableRegister } from "./cpu.ts";
export { type Engine, type Exit, type InterruptSource } from "./engine.ts";
export { featuresOf } from "./features.ts";
export { ALONE, FAULT_HERE, GeneratedModule, instantiate, isDefined, JUMP, shapeKey, shapeOf } from "./handler.ts";
export { hotShapes } from "./hot-shapes.ts";
export { type HostWatchpoint } from "./system/host-watchpoints.ts";
export { HotState } from "./hot-state.ts";
export { Interpreter, type InterpreterCounters, type InterpreterOptions, type Observer, type RegionCompiler } from "./interpreter.ts";
export { compileFunctions } from "./ir-functions.ts";
export {
  MODE_CODE32, MODE_FLAT, MODE_IA32E, MODE_LONG, MODE_PROTECTED, MODE_STACK32, MODE_STEP, MODE_USER, MODE_V86,
} from "./mode.ts";
export { Multiprocessor, type MultiprocessorState, type Processor } from "./multiprocessor.ts";
export { CPU_MODELS, cpuidLeaf, MODEL_I686, type CpuModel } from "./system/cpu-model.ts";
export { CONTROL_DELTA, CONTROL_REGION } from "./dispatch.ts";
export { ENTRY_RECORD, ifFound, ifKnown, pushCodeGeneration } from "./jump-cache.ts";
export { Lowering } from "./lowering.ts";
export { displacementOf, ENTRY_NUMBER, fieldOffset, R_HANDLER, R_LENGTH, R_OFFSET, REGION_MARK } from "./record.ts";
export { FLAG_CONDITIONS, isStaticCondition, pushStaticCondition } from "./flag-lowering.ts";
export { type FlagWords, type KeptFlags, loadOf, storeOf, type Target } from "./target.ts";
export { type Delivery } from "./system/delivery.ts";
export { type ForeignRegister } from "./system/model-specific-registers.ts";
export { type CpuImage } from "./system/save-image.ts";
export { SystemHelpers } from "./system/system-helpers.ts";
export * as layout from "./state-layout.ts";
