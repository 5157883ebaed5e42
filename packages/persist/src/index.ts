export { DoppelError, PersistError } from "./errors.ts";
export type { PersistErrorCode } from "./errors.ts";
export type { Persist, PersistValue } from "./value.ts";
export { encode } from "./encode.ts";
export { decode } from "./decode.ts";
export { conform, copy } from "./conform.ts";
