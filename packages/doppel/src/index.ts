export type { AnyVm, Awaitable, DebuggerSession, OutputListener, SerialLine } from "./any-vm.ts";
export { Console, ConsoleError } from "./console.ts";
export { createVm, type Plugin, type PluginModule, Vm, type VmOptions } from "./create-vm.ts";
export { linearAddress } from "./linear-address.ts";
export { OptionError } from "./option-error.ts";
export { type Endpoint, RemoteError, type RemoteOptions, RemoteVm } from "./remote/remote-vm.ts";
export { serveVm } from "./remote/serve-vm.ts";
export { SerialPort } from "./serial-port.ts";
export {
  blockCoverage, type BlockCoverage, cacheSimulator, type CacheShape, type CacheSimulator, ioLine, ioTrace, type Watched, type WatchPlugin,
} from "@doppel/debug";
export type { TextScreen } from "@doppel/devices";
export { FirmwareError } from "@doppel/firmware";
export { MemoryError } from "@doppel/memory";
export { DoppelError, PersistError } from "@doppel/persist";
export {
  chainDot, type CompileRequest, EXPLAIN_PARTS, ExplainError, type ExplainedBlock, type ExplainedInstruction, type ExplainPart, type ModuleCompiler, type RegionSummary, type TranslationUnit, unitText, type WayOut,
} from "@doppel/translator";
export {
  type BlockEvent, type BootSource, type CpuName, DEFAULT_CPU, DEFAULT_ENGINE, type EngineName, type Hooks, type Hotspots, type IoEvent, type LinuxEntry, MachineError, type MemoryEvent, type Moment,
  PLAIN_CPU, type Stats, type Stop, VirtualMachine,
} from "@doppel/vmm";
export { hostFeatures, type WasmFeatures } from "@doppel/wasm";
