/** For tests: a clock that moves only when it is told to, and stops at each deadline on its way. */

import { Clock } from "@doppel/clock";

/** A clock at 0 and what moves it. */
export function virtualTime() {
  const clock = new Clock({ now: () => 0 });
  const goTo = (ns: number) => {
    for (;;) {
      clock.advanceTo(Math.min(ns, clock.nextDeadline()));
      clock.runDue();
      if (clock.now() >= ns) return;
    }
  };
  return { clock, goTo, advance: (ns: number) => goTo(clock.now() + ns) };
}
