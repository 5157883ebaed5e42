export { PAGE_SHIFT, PAGE_SIZE, type Frame, type LinearAddress, type MachineAddress, type PhysicalAddress } from "./address.ts";
export { Arena, MemoryError } from "./arena.ts";
export { Frames, type WriteObserver } from "./frames.ts";
export { PhysicalMap } from "./physical-map.ts";
