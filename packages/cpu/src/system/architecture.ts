/** Names that the processor's own model needs beside the manual's constants of `@doppel/x86`. */

/** Every bit of EFLAGS that can be set. */
export const EFLAGS_DEFINED = 0x3f7fd5;

/** Our own mark in SEG_ATTRIBUTES: loaded with a null selector. */
export const UNUSABLE = 1;
/** What SEG_ATTRIBUTES keeps of a descriptor's second dword. */
export const ATTRIBUTES_MASK = 0x00f0ff00;
/** Busy bit of a TSS descriptor's type. */
export const TSS_BUSY = 1 << 9;
/** A selector without its RPL: the form in which error codes carry it. */
export const SELECTOR_MASK = 0xfffc;

/** Register numbers. */
export const EAX = 0;
export const ECX = 1;
export const EDX = 2;
export const EBX = 3;
export const ESP = 4;
export const R11 = 11;
export const EBP = 5;
export const ESI = 6;
export const EDI = 7;

/** Attributes of flat segments of level 0, as fast system calls load them: present, 4 GiB, accessed; code readable, 32-bit or 64-bit; data writable. */
export const FLAT_CODE = 0x00c09b00;
export const LONG_CODE = 0x00a09b00;
export const FLAT_DATA = 0x00c09300;
/** RFLAGS bits that SYSRET takes from R11. */
export const SYSRET_FLAGS = 0x3c7fd7;
