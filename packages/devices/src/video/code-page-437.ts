/** The characters of the font in the ROM of a VGA adapter (IBM code page 437) as Unicode. */

const LOW = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";
const HIGH =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
  "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ";

const CHARACTERS = Array.from({ length: 256 }, (_, code) => {
  if (code < 0x20) return LOW[code];
  if (code === 0x7f) return "⌂";
  return code < 0x80 ? String.fromCharCode(code) : HIGH[code - 0x80];
});

/** The character that a text cell with this code shows; codes 0 and 255 show nothing. */
export function characterOf(code: number): string {
  return CHARACTERS[code & 0xff];
}
