export { type Bus } from "./bus.ts";
export { ACTIVE, HALTED, SHUTDOWN } from "./activity.ts";
export { Cpu, type CpuOptions, type TableRegister } from "./cpu.ts";
export { type Engine, type Exit, type InterruptSource } from "./engine.ts";
export { HotState } from "./hot-state.ts";
export { Interpreter, type InterpreterCounters, type InterpreterOptions } from "./interpreter.ts";
export { compileFunctions } from "./ir-functions.ts";
export { MODEL_I686, type CpuModel } from "./system/cpu-model.ts";
export * as layout from "./state-layout.ts";
