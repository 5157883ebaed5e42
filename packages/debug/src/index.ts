/** Debuggers: the remote side of gdb, and traces of instructions. */
export { blockCoverage, type BlockCoverage, cacheSimulator, type CacheShape, type CacheSimulator, ioLine, ioTrace, type Watched, type WatchPlugin } from "./access-trace.ts";
export { type Debuggee } from "./debuggee.ts";
export { GdbStub } from "./gdb-stub.ts";
export { readLinear, writeLinear } from "./guest-memory.ts";
export { currentInstruction, traceInstructions, traceLine, type TracedInstruction } from "./instruction-trace.ts";
export { packetBytes, type PacketEvent, PACKET_SIZE, PacketReader } from "./packet.ts";
export { type Feature, I386_FEATURES, I386_REGISTERS, type Register } from "./registers.ts";
export { targetXml } from "./target-description.ts";
