/** Which keys of a US keyboard type a text: for pasting into a guest that listens to the keyboard, and for phones, whose keyboards name no keys. */

/** A key, and whether Shift is held with it. */
export interface KeyStroke { readonly code: string; readonly shift: boolean }

/** Keys with the character that they type, and the one with Shift. */
const KEYS = "Backquote`~ Minus-_ Equal=+ BracketLeft[{ BracketRight]} Backslash\\| Semicolon;: Quote'\" Comma,< Period.> Slash/? "
  + "Digit1!1 Digit2@2 Digit3#3 Digit4$4 Digit5%5 Digit6^6 Digit7&7 Digit8*8 Digit9(9 Digit0)0";

const STROKES = new Map<string, KeyStroke>([
  [" ", { code: "Space", shift: false }], ["\n", { code: "Enter", shift: false }], ["\r", { code: "Enter", shift: false }], ["\t", { code: "Tab", shift: false }],
  ["\x1b", { code: "Escape", shift: false }], ["\x7f", { code: "Backspace", shift: false }], ["\b", { code: "Backspace", shift: false }],
]);
for (const letter of "abcdefghijklmnopqrstuvwxyz") {
  const code = `Key${letter.toUpperCase()}`;
  STROKES.set(letter, { code, shift: false }).set(letter.toUpperCase(), { code, shift: true });
}
for (const key of KEYS.split(" ")) {
  const digit = /^(Digit(.))(.)/.exec(key);
  const [code, plain, shifted] = digit ? [digit[1]!, digit[2]!, digit[3]!] : [key.slice(0, -2), key.at(-2)!, key.at(-1)!];
  STROKES.set(plain, { code, shift: false }).set(shifted, { code, shift: true });
}

/**
 * The keys that type a text; characters that a US keyboard lacks are left out.
 * @example
 * strokesOf("A\n"); // [{ code: "KeyA", shift: true }, { code: "Enter", shift: false }]
 */
export function strokesOf(text: string): KeyStroke[] {
  return [...text].flatMap((character) => STROKES.get(character) ?? []);
}
