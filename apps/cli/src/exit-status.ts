/** What the shell gets to see: the exit status of `doppel run` for every way in which a run can end. */
import type { Stop } from "./machine.ts";

export const EXIT_OK = 0;
/** Bad arguments or unusable files. */
export const EXIT_USAGE = 2;
/** Triple fault, or reset with `--no-reboot`. */
export const EXIT_RESET = 4;
/** A fault of our own (EX_SOFTWARE of sysexits.h). */
export const EXIT_INTERNAL = 70;
/** As timeout(1) does. */
export const EXIT_TIMEOUT = 124;
/** 128 and the number of the signal. */
export const EXIT_SIGINT = 130;
export const EXIT_SIGPIPE = 141;
export const EXIT_SIGTERM = 143;

/** Status for the guest's own way of stopping; a stop that the host asked for has `requested` instead. */
export function exitStatus(stop: Stop, requested: number): number {
  switch (stop.kind) {
    case "power-off": return EXIT_OK;
    // Always odd, so that no value of the guest looks like success; a shell sees eight bits.
    case "debug-exit": return ((stop.value << 1) | 1) & 0xff;
    case "reset":
    case "triple-fault": return EXIT_RESET;
    // A breakpoint without a debugger is nobody's: the run was stopped.
    case "breakpoint":
    case "stopped": return requested;
    case "host-fault": return EXIT_INTERNAL;
  }
}
