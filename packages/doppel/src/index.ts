export type { AnyVm, Awaitable, DebuggerSession, OutputListener, SerialLine } from "./any-vm.ts";
export { Console, ConsoleError } from "./console.ts";
export { createVm, Vm, type VmOptions } from "./create-vm.ts";
export { OptionError } from "./option-error.ts";
export { type Endpoint, RemoteError, type RemoteOptions, RemoteVm } from "./remote/remote-vm.ts";
export { serveVm } from "./remote/serve-vm.ts";
export { SerialPort } from "./serial-port.ts";
export type { TextScreen } from "@doppel/devices";
export { FirmwareError } from "@doppel/firmware";
export { MemoryError } from "@doppel/memory";
export { DoppelError, PersistError } from "@doppel/persist";
export {
  type BootSource, type LinuxEntry, type CpuName, DEFAULT_CPU, DEFAULT_ENGINE, type EngineName, MachineError, PLAIN_CPU, type Stats, type Stop, VirtualMachine,
} from "@doppel/vmm";
export { hostFeatures, type WasmFeatures } from "@doppel/wasm";
