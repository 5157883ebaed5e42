/** What decoded code is known by: the host address that it begins at and the bits of the mode that decide how bytes become instructions, as one number. */

/** More than the modes that there are. */
export const MODES = 1024;

/** The key of what begins at a host address in a mode. */
export function codeKey(host: number, mode: number): number {
  return host * MODES + mode;
}

/** Host address of a key. */
export function hostOfKey(key: number): number {
  return (key / MODES) >>> 0;
}

/** Mode of a key; keys are no small integers, of which a remainder would be slow. */
export function modeOfKey(key: number): number {
  return key - hostOfKey(key) * MODES;
}
