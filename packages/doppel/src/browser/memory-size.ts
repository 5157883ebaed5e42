/** Sizes of memory as people write them. */

/**
 * Bytes of a text such as `256M`, `1G` or `268435456`; NaN when it is no size.
 * @example
 * memorySize("256M"); // 268435456
 */
export function memorySize(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?\s*$/i.exec(text);
  if (match === null) return NaN;
  return Number(match[1]) * 1024 ** ["", "k", "m", "g"].indexOf(match[2]!.toLowerCase());
}
