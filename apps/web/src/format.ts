/** Figures as people read them. */

/** `1.3 G`, `540 M`, `12 k`, `7`. */
export function short(value: number): string {
  for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e3]] as const) {
    if (value >= size) return `${(value / size).toFixed(value >= 100 * size ? 0 : 1)} ${unit}`;
  }
  return value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : String(Number(value.toPrecision(2)));
}

/** `1,234,567`, as the documents write it. */
export function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

/** `256 MiB`. */
export function mebibytes(bytes: number): string {
  if (bytes < 2 ** 20) return `${Math.ceil(bytes / 1024)} KiB`;
  return bytes >= 2 ** 30 && bytes % 2 ** 28 === 0 ? `${bytes / 2 ** 30} GiB` : `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 && bytes % 2 ** 20 !== 0 ? 1 : 0)} MiB`;
}

/** A moment, short and in the visitor's own way. */
export function moment(time: number): string {
  return new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** A file name's part: letters, digits, dots and dashes. */
export function fileName(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9.]+/g, "-").replace(/^-|-$/g, "");
}
