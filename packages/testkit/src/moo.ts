/**
 * Reads MOO files, the format of hardware-captured single-step tests: little-endian chunks `{ char id[4]; u32 length; payload }`.
 * A TEST chunk holds the instruction's bytes, the registers and memory before (INIT) and what changed after (FINA), and the
 * exception taken, if any.
 */

/** Register names in the order of a REGS chunk's mask. */
export const MOO_REGISTERS = ["ax", "bx", "cx", "dx", "cs", "ss", "ds", "es", "sp", "bp", "si", "di", "ip", "flags"] as const;

/** Registers that a REGS chunk names. */
export type MooRegisters = Partial<Record<(typeof MOO_REGISTERS)[number], number>>;

/** Registers and bytes of memory. */
export interface MooState {
  readonly registers: MooRegisters;
  readonly ram: readonly (readonly [address: number, value: number])[];
}

/** One captured instruction. */
export interface MooTest {
  readonly index: number;
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly initial: MooState;
  readonly final: MooState;
  /** Exception number and the address its FLAGS were pushed to. */
  readonly exception: { readonly vector: number; readonly flagAddress: number } | undefined;
}

interface Chunk {
  readonly id: string;
  readonly data: DataView;
}

function* chunks(view: DataView, start: number): Generator<Chunk> {
  for (let at = start; at + 8 <= view.byteLength; ) {
    const id = String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3));
    const length = view.getUint32(at + 4, true);
    if (at + 8 + length > view.byteLength) throw new RangeError(`chunk ${id} at ${at} reaches beyond the end of the file`);
    yield { id, data: new DataView(view.buffer, view.byteOffset + at + 8, length) };
    at += 8 + length;
  }
}

function readState(view: DataView): MooState {
  const registers: MooRegisters = {};
  const ram: [number, number][] = [];
  for (const { id, data } of chunks(view, 0)) {
    if (id === "REGS") {
      const mask = data.getUint16(0, true);
      let at = 2;
      for (const [bit, name] of MOO_REGISTERS.entries()) {
        if (((mask >> bit) & 1) === 0) continue;
        registers[name] = data.getUint16(at, true);
        at += 2;
      }
    } else if (id === "RAM ") {
      const count = data.getUint32(0, true);
      for (let n = 0; n < count; n++) ram.push([data.getUint32(4 + 5 * n, true), data.getUint8(8 + 5 * n)]);
    }
  }
  return { registers, ram };
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** The tests of a MOO file. @throws {RangeError} when a chunk reaches beyond the end. */
export function* readMoo(file: Uint8Array): Generator<MooTest> {
  for (const { id, data } of chunks(new DataView(file.buffer, file.byteOffset, file.byteLength), 0)) {
    if (id !== "TEST") continue;
    let name = "";
    let bytes = new Uint8Array(0);
    let exception: MooTest["exception"];
    let initial: MooState = { registers: {}, ram: [] };
    let final = initial;
    for (const part of chunks(data, 4)) {
      const { data: content } = part;
      if (part.id === "NAME") name = new TextDecoder().decode(bytesOf(content).subarray(4));
      else if (part.id === "BYTS") bytes = bytesOf(content).slice(4);
      else if (part.id === "INIT") initial = readState(content);
      else if (part.id === "FINA") final = readState(content);
      else if (part.id === "EXCP") exception = { vector: content.getUint8(0), flagAddress: content.getUint32(1, true) };
    }
    yield { index: data.getUint32(0, true), name, bytes, initial, final, exception };
  }
}
