/**
 * ACPI Machine Language as expressions: each function gives the bytes of one term, so that a definition block reads like its
 * source (ACPI 6.4, chapter 20 "ACPI Machine Language Specification"; resource descriptors: section 6.4).
 */

/** The bytes of a term. */
export type Aml = readonly number[];

const little = (size: number, value: number): number[] => Array.from({ length: size }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff);

/** A name: segments of up to four characters joined by dots, with `\` for the root and `^` for a parent in front. */
export function name(path: string): Aml {
  const prefix = /^[\\^]*/.exec(path)![0];
  const segments = path.slice(prefix.length).split(".").filter((segment) => segment !== "");
  const bytes = [...prefix].map((character) => character.charCodeAt(0));
  if (segments.length === 0) return [...bytes, 0x00];
  if (segments.length === 2) bytes.push(0x2e);
  if (segments.length > 2) bytes.push(0x2f, segments.length);
  for (const segment of segments) bytes.push(...[...segment.padEnd(4, "_")].map((character) => character.charCodeAt(0)));
  return bytes;
}

/** PkgLength: the length of the rest and of itself, in one to four bytes. */
function sized(body: Aml): number[] {
  return [...packageLength(body.length, true), ...body];
}

function packageLength(length: number, includesItself: boolean): number[] {
  for (let extra = 0; extra < 4; extra++) {
    const total = length + (includesItself ? extra + 1 : 0);
    if (extra === 0 && total < 0x40) return [total];
    if (extra > 0 && total < 2 ** (4 + 8 * extra))
      return [(extra << 6) | (total & 0xf), ...little(extra, Math.floor(total / 16))];
  }
  throw new RangeError("An AML package is limited to 2^28 bytes");
}

/** An integer in its shortest form. */
export function integer(value: number): Aml {
  if (value === 0 || value === 1) return [value];
  if (value < 0x100) return [0x0a, value];
  if (value < 0x10000) return [0x0b, ...little(2, value)];
  return value < 2 ** 32 ? [0x0c, ...little(4, value)] : [0x0e, ...little(8, value)];
}

/** A compressed EISA identifier such as `PNP0A03`. */
export function eisaId(id: string): Aml {
  const letter = (i: number): number => id.charCodeAt(i) - 0x40;
  const vendor = (letter(0) << 10) | (letter(1) << 5) | letter(2);
  const product = Number.parseInt(id.slice(3), 16);
  return [0x0c, vendor >> 8, vendor & 0xff, product >> 8, product & 0xff];
}

export const string = (text: string): Aml => [0x0d, ...[...text].map((character) => character.charCodeAt(0)), 0];
export const buffer = (bytes: Aml): Aml => [0x11, ...sized([...integer(bytes.length), ...bytes])];
export const packageOf = (...elements: Aml[]): Aml => [0x12, ...sized([elements.length, ...elements.flat()])];
export const define = (path: string, value: Aml): Aml => [0x08, ...name(path), ...value];
export const scope = (path: string, ...terms: Aml[]): Aml => [0x10, ...sized([...name(path), ...terms.flat()])];
export const device = (path: string, ...terms: Aml[]): Aml => [0x5b, 0x82, ...sized([...name(path), ...terms.flat()])];
/** A method that is serialised when it creates names. */
export const method = (path: string, parameters: number, serialised: boolean, ...terms: Aml[]): Aml =>
  [0x14, ...sized([...name(path), parameters | (serialised ? 8 : 0), ...terms.flat()])];

/** An operation region in PCI configuration space of the device around it. */
export const pciConfigRegion = (path: string, offset: number, length: number): Aml =>
  [0x5b, 0x80, ...name(path), 0x02, ...integer(offset), ...integer(length)];
/** A field of byte-wide units over a region. */
export const byteField = (region: string, ...units: string[]): Aml =>
  [0x5b, 0x81, ...sized([...name(region), 0x01, ...units.flatMap((unit) => [...name(unit), ...packageLength(8, false)])])];

export const arg = (index: number): Aml => [0x68 + index];
export const returns = (value: Aml): Aml => [0xa4, ...value];
export const store = (value: Aml, target: Aml): Aml => [0x70, ...value, ...target];
export const and = (a: Aml, b: Aml, target: Aml = [0]): Aml => [0x7b, ...a, ...b, ...target];
export const or = (a: Aml, b: Aml, target: Aml = [0]): Aml => [0x7d, ...a, ...b, ...target];
export const when = (condition: Aml, ...terms: Aml[]): Aml => [0xa0, ...sized([...condition, ...terms.flat()])];
export const less = (a: Aml, b: Aml): Aml => [0x95, ...a, ...b];
export const createDwordField = (source: Aml, offset: number, path: string): Aml => [0x8a, ...source, ...integer(offset), ...name(path)];
export const call = (path: string, ...values: Aml[]): Aml => [...name(path), ...values.flat()];

/** A resource template: descriptors and the end tag, in a buffer. */
export const resources = (...descriptors: Aml[]): Aml => buffer([...descriptors.flat(), 0x79, 0x00]);
/** Fixed I/O ports with 16-bit decode. */
export const ports = (first: number, count: number): Aml => [0x47, 0x01, ...little(2, first), ...little(2, first), 1, count];
/** A fixed range of memory that is not to be written as if it were RAM. */
export const fixedMemory = (base: number, length: number): Aml => [0x86, ...little(2, 9), 0x00, ...little(4, base), ...little(4, length)];
/** One edge-triggered ISA interrupt. */
export const irq = (line: number): Aml => [0x22, ...little(2, 1 << line)];
/** Level-triggered, active-high, shared interrupts: bits 0 consumer, 3 shareable of the flags. */
export const interrupts = (...lines: number[]): Aml =>
  [0x89, ...little(2, 2 + 4 * lines.length), 0x09, lines.length, ...lines.flatMap((line) => little(4, line))];

/** Bus numbers that a bridge decodes. */
export const busRange = (first: number, last: number): Aml =>
  [0x88, ...little(2, 13), 0x02, 0x0c, 0x00, ...[0, first, last, 0, last - first + 1].flatMap((word) => little(2, word))];
/** I/O ports that a bridge passes on. */
export const portRange = (first: number, last: number): Aml =>
  [0x88, ...little(2, 13), 0x01, 0x0c, 0x03, ...[0, first, last, 0, last - first + 1].flatMap((word) => little(2, word))];
/** Memory that a bridge passes on, read-write, cacheable or not. */
export const memoryRange = (first: number, last: number, cacheable: boolean): Aml =>
  [0x87, ...little(2, 23), 0x00, 0x0c, cacheable ? 0x03 : 0x01, ...[0, first, last, 0, last - first + 1].flatMap((dword) => little(4, dword))];
