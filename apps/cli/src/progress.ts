/** Progress on standard error: one line a step; on a terminal a download's line is rewritten while it grows. */
import type { Progress } from "doppel/node";
import type { Streams } from "./streams.ts";

/** Makes a printer of progress. */
export function progressLine(streams: Streams, isTerminal = process.stderr.isTTY === true): Progress {
  let open = "";
  return (line, fraction) => {
    if (open !== "" && open !== line) {
      streams.err("\n");
      open = "";
    }
    if (fraction === undefined) streams.err(`${line}\n`);
    else if (isTerminal) {
      streams.err(`\r${line} ${Math.floor(fraction * 100)}%`);
      open = line;
      if (fraction >= 1) {
        streams.err("\n");
        open = "";
      }
    } else if (fraction === 0) streams.err(`${line}\n`);
  };
}
