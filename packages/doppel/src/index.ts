export { Console, ConsoleError } from "./console.ts";
export { createVm, type DebuggerSession, OptionError, Vm, type VmOptions } from "./create-vm.ts";
export { SerialPort, type OutputListener } from "./serial-port.ts";
export { type BootSource, type Stats, type Stop, VirtualMachine } from "@doppel/vmm";
