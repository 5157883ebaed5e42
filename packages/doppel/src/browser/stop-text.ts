/** How a run ended, in words. */
import type { Stop } from "@doppel/vmm";

/** One sentence for the end of a run. */
export function stopText(stop: Stop): string {
  switch (stop.kind) {
    case "power-off": return "The guest switched the machine off.";
    case "debug-exit": return `The guest ended with ${stop.value} at the debug exit port.`;
    case "reset": return "The guest reset the machine.";
    case "triple-fault": return "The guest's processor shut down: a fault came up while it handled a double fault (a triple fault).";
    case "stopped": return "The machine was switched off.";
    case "breakpoint": return "The machine stands at a breakpoint.";
    case "host-fault": return `A fault of Doppel's own ended the machine: ${stop.error.message}`;
  }
}
