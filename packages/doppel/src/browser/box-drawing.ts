/**
 * The lines and blocks of code page 437, drawn as lines and blocks: a font's own would leave gaps between cells of another shape than its own.
 */

/** Strokes to the left, right, top and bottom of each line character: 0 none, 1 single, 2 double. */
const LINES: Readonly<Record<string, string>> = {
  "─": "1100", "│": "0011", "┌": "0101", "┐": "1001", "└": "0110", "┘": "1010", "├": "0111", "┤": "1011", "┬": "1101", "┴": "1110", "┼": "1111",
  "═": "2200", "║": "0022", "╔": "0202", "╗": "2002", "╚": "0220", "╝": "2020", "╠": "0222", "╣": "2022", "╦": "2202", "╩": "2220", "╬": "2222",
  "╒": "0201", "╕": "2001", "╘": "0210", "╛": "2010", "╞": "0211", "╡": "2011", "╤": "2201", "╧": "2210", "╪": "2211",
  "╓": "0102", "╖": "1002", "╙": "0120", "╜": "1020", "╟": "0122", "╢": "1022", "╥": "1102", "╨": "1120", "╫": "1122",
};

/** Left, top, width and height of each block, in halves of a cell. */
const BLOCKS: Readonly<Record<string, readonly [number, number, number, number]>> = {
  "█": [0, 0, 2, 2], "▀": [0, 0, 2, 1], "▄": [0, 1, 2, 1], "▌": [0, 0, 1, 2], "▐": [1, 0, 1, 2],
};
const SHADES: Readonly<Record<string, number>> = { "░": 0.25, "▒": 0.5, "▓": 0.75 };

/** Draws such a character in the present colour; false when it is none. */
export function drawLines(context: CanvasRenderingContext2D, character: string, x: number, y: number, width: number, height: number): boolean {
  const block = BLOCKS[character];
  if (block !== undefined) {
    const [left, top, wide, high] = block;
    context.fillRect(x + (left * width) / 2, y + (top * height) / 2, (wide * width) / 2, (high * height) / 2);
    return true;
  }
  const shade = SHADES[character];
  if (shade !== undefined) {
    context.globalAlpha = shade;
    context.fillRect(x, y, width, height);
    context.globalAlpha = 1;
    return true;
  }
  const strokes = LINES[character];
  if (strokes === undefined) return false;
  const [left, right, top, bottom] = [...strokes].map(Number) as [number, number, number, number];
  const thick = Math.max(1, Math.round(width / 9));
  const middleX = x + Math.floor((width - thick) / 2);
  const middleY = y + Math.floor((height - thick) / 2);
  const across = Math.max(left, right);
  const along = Math.max(top, bottom);
  for (const offset of across === 2 ? [-thick, thick] : across === 1 ? [0] : []) {
    const from = left > 0 ? x : middleX - (along === 2 ? thick : 0);
    const to = right > 0 ? x + width : middleX + thick + (along === 2 ? thick : 0);
    context.fillRect(from, middleY + offset, to - from, thick);
  }
  for (const offset of along === 2 ? [-thick, thick] : along === 1 ? [0] : []) {
    const from = top > 0 ? y : middleY - (across === 2 ? thick : 0);
    const to = bottom > 0 ? y + height : middleY + thick + (across === 2 ? thick : 0);
    context.fillRect(middleX + offset, from, thick, to - from);
  }
  return true;
}
