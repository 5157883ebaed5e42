/** From arguments to an exit status: parses, acts, and turns every error into one sentence on standard error. */
import type { Host } from "./run.ts";
import { DoppelError } from "@doppel/persist";
import { CommanderError } from "commander";
import { completionScript } from "./completion.ts";
import { demo } from "./demo.ts";
import { EXIT_INTERNAL, EXIT_OK, EXIT_USAGE } from "./exit-status.ts";
import { explain } from "./explain.ts";
import { checkExplainOptions } from "./explain-options.ts";
import { fetchGuest, listGuests } from "./guest-command.ts";
import { makeProgram } from "./program.ts";
import { run } from "./run.ts";
import { checkRunOptions } from "./run-options.ts";

/** Executes a command line (without the program's own name) and gives the exit status. */
export async function commandLine(args: readonly string[], host: Host): Promise<number> {
  const { streams } = host;
  let status = EXIT_OK;
  const program = makeProgram({
    run: async (raw) => void (status = await run(checkRunOptions(raw), host)),
    explain: async (guest, raw) => void (status = await explain(checkExplainOptions(guest, raw), host)),
    demo: async (options) => void (status = await demo(options, host)),
    guestList: async () => listGuests(streams),
    guestGet: (name) => fetchGuest(name, streams),
    completion: async (shell) => streams.out(completionScript(program, shell)),
  });
  const commands = [program, ...program.commands, ...program.commands.flatMap((command) => command.commands)];
  for (const command of commands)
    command.exitOverride().configureOutput({
      writeOut: (text) => streams.out(text),
      writeErr: (text) => streams.err(text),
      outputError: () => {},
    });
  try {
    if (args.length === 0) {
      program.outputHelp();
      return EXIT_OK;
    }
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return commanderStatus(error, streams.err.bind(streams));
    if (error instanceof DoppelError) {
      streams.err(`doppel: ${error.message}\n`);
      return EXIT_USAGE;
    }
    streams.err(`doppel: internal fault: ${error instanceof Error ? error.stack ?? error.message : String(error)}\n`);
    return EXIT_INTERNAL;
  }
}

/** Help and version arrive as errors with status 0; the rest is a mistake in the arguments. */
function commanderStatus(error: CommanderError, print: (text: string) => void): number {
  if (error.exitCode === 0) return EXIT_OK;
  if (error.code !== "commander.help") {
    const sentence = error.message.replace(/^error: /, "").replace(/\n\(?(.*?)\)?$/, "; $1").replace("; Did", "; did");
    print(`doppel: ${sentence}\n`);
  }
  return EXIT_USAGE;
}
