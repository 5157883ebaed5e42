export { enterState } from "./entry.ts";
export { MachineError } from "./errors.ts";
export { savedOptions } from "./machine-state.ts";
export { HostPace } from "./host-pace.ts";
export { RunLoop, type Pace } from "./run-loop.ts";
export { type CpuName, DEFAULT_CPU, PLAIN_CPU } from "./cpu-name.ts";
export { DEFAULT_ENGINE, type EngineName } from "./engine-name.ts";
export { VirtualMachine, type BootSource, type MachineOptions, type Stats, type Stop } from "./virtual-machine.ts";
export type { LinuxEntry } from "@doppel/firmware";
