/**
 * What can be saved. Every stateful part of a machine describes itself as one such value, a plain tree without cycles,
 * and the codec knows nothing of the part.
 */

/**
 * A value that the codec keeps exactly: numbers keep -0, NaN and their fractions; strings keep lone surrogates.
 * State types are `type` aliases (an `interface` has no index signature and is not assignable to this type).
 */
export type PersistValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly PersistValue[]
  | { readonly [key: string]: PersistValue };

/**
 * A part whose state can leave it and come back. `save` gives a value that shares nothing with the part; `restore` puts the
 * part, built with the same configuration, into that state, timers included, so that it goes on exactly from there.
 */
export interface Persist<State extends PersistValue> {
  /** The whole state, as a value of its own. */
  save(): State;
  /** Takes over a state made by `save` of a part of the same configuration. */
  restore(state: State): void;
}
