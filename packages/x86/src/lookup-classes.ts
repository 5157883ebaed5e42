/** What the decoder's tables say of forms, as bits and classes. */

/** Entry of an opcode that has no form. */
export const NO_FORM = 0x7fff;
/** Opcode maps, by `Form.map`. */
export const MAPS = 6;

/** Bits of `ATTRIBUTES`. */
export const A_LOCKABLE = 1, A_DEFAULT64 = 2, A_FORCED64 = 4, A_MASK_REG = 8, A_MASK_RM = 16, A_CONDITION = 32, A_VVVV = 64;
/** Immediate classes of `IMMEDIATES`. */
export const I_NONE = 0, I_BYTE = 1, I_SIGNED_BYTE = 2, I_WORD = 3, I_Z = 4, I_V = 5, I_FAR = 6, I_OFFSET = 7, I_ENTER = 8;
/** Register checks of `CHECKS`: which ModRM.reg values raise #UD. */
export const C_NONE = 0, C_SEGMENT_LOAD = 1, C_SEGMENT_STORE = 2, C_CONTROL = 3, C_DEBUG = 4;
