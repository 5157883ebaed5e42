export { Console, ConsoleError } from "./console.ts";
export { createVm, type DebuggerSession, OptionError, type Plugin, Vm, type VmOptions } from "./create-vm.ts";
export { SerialPort, type OutputListener } from "./serial-port.ts";
export { FirmwareError } from "@doppel/firmware";
export { MemoryError } from "@doppel/memory";
export { DoppelError, PersistError } from "@doppel/persist";
export { type BlockEvent, type BootSource, type Hooks, type IoEvent, type MemoryEvent, type Moment, type LinuxEntry, type CpuName, DEFAULT_CPU, DEFAULT_ENGINE, type EngineName, MachineError, type Stats, type Stop, VirtualMachine } from "@doppel/vmm";
export {
  blockCoverage, type BlockCoverage, cacheSimulator, type CacheShape, type CacheSimulator, ioLine, ioTrace, type Watched, type WatchPlugin,
} from "@doppel/debug";
export {
  chainDot, EXPLAIN_PARTS, ExplainError, type ExplainedBlock, type ExplainedInstruction, type ExplainPart, type TranslationUnit, unitText, type WayOut,
} from "@doppel/translator";
