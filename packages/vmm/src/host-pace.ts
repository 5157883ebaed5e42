/** Waiting and taking turns with what Node and browsers both have: timers and message channels. */
import type { Pace } from "./run-loop.ts";

/** A pace on `setTimeout` and `MessageChannel`. */
export class HostPace implements Pace {
  private wakeUp: (() => void) | undefined;

  /** A turn by message: timers would round up to a millisecond and more. */
  yield(): Promise<void> {
    return new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.addEventListener("message", () => {
        port1.close();
        resolve();
      });
      port1.start();
      port2.postMessage(undefined);
    });
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
