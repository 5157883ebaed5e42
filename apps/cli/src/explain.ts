/** `doppel explain`: boots a guest with the translator, lets it do something, and prints what became of its code. */
import type { ExplainOptions } from "./explain-options.ts";
import type { Host } from "./run.ts";
import type { TranslationUnit } from "doppel";
import { EMBEDDED, HostError } from "doppel/node";
import { readSource } from "./boot-source.ts";
import { EXIT_OK } from "./exit-status.ts";
import type { Vm } from "./machine.ts";
import { progressLine } from "./progress.ts";
import { checkRunOptions } from "./run-options.ts";

/** What guests say when a command can be typed. */
const PROMPT = "# ";
const EMBEDDED_PROMPT = "doppel> ";

/**
 * Explains; the value is the exit status.
 * @throws {DoppelError} when the guest cannot be had, does not say what was waited for, or has no code at an address
 */
export async function explain(options: ExplainOptions, host: Host): Promise<number> {
  const { streams } = host;
  const progress = progressLine(streams);
  const run = checkRunOptions({ guest: options.guest, engine: "auto", ...(options.memory === undefined ? {} : { memory: options.memory }) });
  const vm = await host.createVm({ ...(await readSource(run, progress)), explain: true });
  const { console, explain: explainer, clearCounts } = vm;
  if (!console || !explainer || !clearCounts) throw new HostError("HOST_BAD_VALUE", "This machine explains nothing.");
  using stack = new DisposableStack();
  let ended = false;
  const end = vm.run().then(() => void (ended = true));
  let interrupted: () => void = () => {};
  // An interrupt is no reason to throw away what there is to say.
  const interrupt = new Promise<void>((resolve) => (interrupted = resolve));
  stack.use(host.signals.on("SIGINT", () => interrupted()));
  const prompt = options.guest === EMBEDDED ? EMBEDDED_PROMPT : PROMPT;
  const said = (text: string): Promise<unknown> => Promise.race([console.waitFor(text, options.timeout), end, interrupt]);
  let before = 0;
  try {
    progress(`booting ${options.guest}`);
    if (options.run !== undefined) {
      await said(prompt);
      before = instructions(vm);
      clearCounts.call(vm);
      progress(`running ${options.run}`);
      console.type(`${options.run}\n`);
    }
    if (options.after === undefined) await said(options.until ?? prompt);
    else await Promise.race([new Promise((resolve) => stack.defer(clearTimeout.bind(undefined, setTimeout(resolve, options.after)))), end, interrupt]);
    if (!ended) await vm.pause();
    const units = options.at.length > 0 ? options.at.flatMap((at) => explainer.call(vm, { at })) : explainer.call(vm, { top: options.top });
    streams.out(await print(units, options, instructions(vm) - before));
  } finally {
    vm.stop();
    await end;
  }
  return EXIT_OK;
}

function instructions(vm: Vm): number {
  return (vm.stats() as { instructions: number }).instructions;
}

async function print(units: readonly TranslationUnit[], { format, show }: ExplainOptions, total: number): Promise<string> {
  const { chainDot, unitText } = await import("doppel");
  if (format === "json") return `${JSON.stringify({ instructions: total, units })}\n`;
  if (format === "dot") return chainDot(units);
  if (units.length === 0) return "Nothing has become hot yet.\n";
  return units.map((unit) => unitText(unit, show, total)).join("\n");
}
