/** `doppel demo`: Linux with a shell on a machine that has apt, the embedded guest on any other. */
import type { Host } from "./run.ts";
import { DoppelError } from "@doppel/persist";
import { EMBEDDED, getGuest } from "doppel/node";
import { progressLine } from "./progress.ts";
import { run } from "./run.ts";
import { checkRunOptions } from "./run-options.ts";

const LINUX = "debian-12-i386";

/** Boots the demonstration; the value is its exit status. */
export async function demo(options: { memory?: string }, host: Host): Promise<number> {
  const { streams } = host;
  let guest = LINUX;
  try {
    await getGuest(LINUX, progressLine(streams));
  } catch (error) {
    if (!(error instanceof DoppelError)) throw error;
    streams.err(`${error.message} Booting the embedded guest instead.\n`);
    guest = EMBEDDED;
  }
  streams.err(`booting ${guest}; Ctrl-A X quits, Ctrl-A H helps\n`);
  return run(checkRunOptions({ ...options, guest, engine: "interpreter" }), host);
}
