/** For tests: ELF executables made field by field, by the System V ABI and its x86-64 supplement. */

/** A program header: kind, where it is linked and loaded, its bytes, and how much memory it takes. */
export interface Part { type?: number; virtual?: bigint; physical?: number; bytes: Uint8Array; memorySize?: number }
/** A section that is no part of the program unless it has an address. */
export interface Section { type: number; address?: number; bytes: Uint8Array }

/** The file: header, program headers, contents on boundaries of 16 bytes, section headers. */
export function elfImage(wide: boolean, entry: bigint, parts: readonly Part[], sections: readonly Section[] = []): Uint8Array {
  const file = new Uint8Array(0x4000);
  const view = new DataView(file.buffer);
  const word = (at: number, value: bigint | number): void => {
    if (wide) view.setBigUint64(at, BigInt(value), true);
    else view.setUint32(at, Number(BigInt.asUintN(32, BigInt(value))), true);
  };
  const [headerSize, partSize, sectionSize] = wide ? [64, 56, 64] : [52, 32, 40];
  file.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, wide ? 62 : 3, true);
  view.setUint32(20, 1, true);
  word(24, entry);
  word(wide ? 32 : 28, headerSize);
  const sizes = wide ? 52 : 40;
  [headerSize, partSize, parts.length, sectionSize, sections.length, 0].forEach((size, n) => view.setUint16(sizes + 2 * n, size, true));
  let end = headerSize + partSize * parts.length;
  const put = (bytes: Uint8Array): number => {
    end = Math.ceil(end / 16) * 16;
    file.set(bytes, end);
    end += bytes.length;
    return end - bytes.length;
  };
  parts.forEach(({ type = 1, virtual, physical = 0, bytes, memorySize = bytes.length }, n) => {
    const at = headerSize + n * partSize;
    view.setUint32(at, type, true);
    const fields = wide ? [8, 16, 24, 32, 40] : [4, 8, 12, 16, 20];
    [put(bytes), virtual ?? physical, physical, bytes.length, memorySize].forEach((value, i) => word(at + fields[i]!, value));
  });
  const offsets = sections.map(({ bytes }) => put(bytes));
  const table = put(new Uint8Array(sectionSize * sections.length));
  word(wide ? 40 : 32, table);
  sections.forEach(({ type, address = 0, bytes }, n) => {
    const at = table + n * sectionSize;
    view.setUint32(at + 4, type, true);
    const fields = wide ? [16, 24, 32, 48] : [12, 16, 20, 32];
    [address, offsets[n]!, bytes.length, 1].forEach((value, i) => word(at + fields[i]!, value));
  });
  return file.slice(0, end);
}

/** A note: sizes, type, the owner's name with its zero, the descriptor, each padded to four bytes. */
export function elfNote(owner: string, type: number, descriptor: Uint8Array): Uint8Array {
  const name = new TextEncoder().encode(`${owner}\0`);
  const start = 12 + Math.ceil(name.length / 4) * 4;
  const note = new Uint8Array(start + Math.ceil(descriptor.length / 4) * 4);
  const view = new DataView(note.buffer);
  [name.length, descriptor.length, type].forEach((value, n) => view.setUint32(4 * n, value, true));
  note.set(name, 12);
  note.set(descriptor, start);
  return note;
}
