/**
 * The arena: the one `WebAssembly.Memory` of a host. It is allocated once at its full size, because growth would detach
 * every typed-array view; the operating system commits pages as they are touched.
 *
 *   0            one page that stays empty, so that address 0 is nobody's
 *   4096...      regions reserved by name: hot state, TLBs, decoded records, lookup tables
 *   (aligned)    machine frames up to the end
 */
import { DoppelError } from "@doppel/persist";
import { PAGE_SIZE, type MachineAddress } from "./address.ts";

/** The host asked for memory that cannot be had. */
export class MemoryError extends DoppelError {}

const WASM_PAGE = 65536;
const MAX_BYTES = 4 * 1024 ** 3 - WASM_PAGE;

/** The linear memory that generated code and TypeScript share. */
export class Arena {
  readonly memory: WebAssembly.Memory;
  readonly buffer: ArrayBuffer;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly view: DataView;
  private top = PAGE_SIZE;

  /**
   * @param bytes size of the whole arena, rounded up to 64 KiB; at most 4 GiB less 64 KiB.
   * @throws {MemoryError} `MEMORY_SIZE` when the size is out of range, `MEMORY_UNAVAILABLE` when the host refuses it.
   */
  constructor(bytes: number) {
    if (!(bytes > 0 && bytes <= MAX_BYTES)) {
      throw new MemoryError("MEMORY_SIZE", `an arena of ${bytes} bytes cannot be made; choose at most ${MAX_BYTES} bytes`);
    }
    const pages = Math.ceil(bytes / WASM_PAGE);
    try {
      this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    } catch {
      throw new MemoryError("MEMORY_UNAVAILABLE", `this host refuses ${pages * WASM_PAGE} bytes of memory; choose a smaller machine`);
    }
    this.buffer = this.memory.buffer as ArrayBuffer;
    this.u8 = new Uint8Array(this.buffer);
    this.u16 = new Uint16Array(this.buffer);
    this.u32 = new Uint32Array(this.buffer);
    this.i32 = new Int32Array(this.buffer);
    this.view = new DataView(this.buffer);
  }

  /** Total size in bytes. */
  get size(): number {
    return this.buffer.byteLength;
  }

  /**
   * Reserves a region at a fixed or at the next free address, page-aligned.
   * @throws {MemoryError} `MEMORY_FULL` when the arena has no room.
   */
  reserve(bytes: number): MachineAddress {
    const base = this.top;
    this.top = base + Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
    if (this.top > this.size) throw new MemoryError("MEMORY_FULL", `the arena of ${this.size} bytes has no room for ${bytes} more`);
    return base;
  }
}
