/** What a vCPU is doing, and what holds interrupts back for an instruction (SDM volume 3, 6.8.3 and 8.10.4). */

/** The processor executes instructions. */
export const ACTIVE = 0;
/** HLT or MWAIT: an interrupt wakes it. */
export const HALTED = 1;
/** After a triple fault: only a reset helps. */
export const SHUTDOWN = 2;

/** An application processor after INIT: a start-up message wakes it. */
export const WAITING = 3;

/** No interrupt shadow. */
export const SHADOW_NONE = 0;
/** After STI: maskable interrupts wait for one instruction. */
export const SHADOW_STI = 1;
/** After MOV SS or POP SS: interrupts, NMI and debug traps wait for one instruction. */
export const SHADOW_STACK = 2;
