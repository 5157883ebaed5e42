/** Waiting and taking turns with what Node and browsers have: timers, and turns by `setImmediate` or a message channel. */
import type { Pace } from "./run-loop.ts";

/** Node's and not the browsers': a turn behind what input and output have to say. */
const { setImmediate } = globalThis as { readonly setImmediate?: (turn: () => void) => void };

type Port = InstanceType<typeof MessageChannel>["port2"];

/** A pace on the host's timers and turns. */
export class HostPace implements Pace {
  private wakeUp: (() => void) | undefined;
  private turns: Port | undefined;
  private turn: (() => void) | undefined;

  /** A turn at once: timers would round up to a millisecond and more. For its first message Node would load a web client. */
  yield(): Promise<void> {
    if (setImmediate !== undefined) return new Promise(setImmediate);
    return new Promise((resolve) => {
      this.turn = resolve;
      (this.turns ??= this.channel()).postMessage(undefined);
    });
  }

  private channel(): Port {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener("message", () => this.turn?.());
    port1.start();
    return port2;
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      // Hosts count timers in whole milliseconds and cut the rest off: one that wakes early would have to sleep once more.
      const timer = setTimeout(() => this.wake(), Math.ceil(milliseconds));
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  wake(): void {
    const resolve = this.wakeUp;
    this.wakeUp = undefined;
    resolve?.();
  }
}
