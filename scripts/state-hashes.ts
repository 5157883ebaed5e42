/**
 * Runs a guest in deterministic time under several engines and compares the machines' state hashes at the same instruction counts:
 *
 *   npx pnpm@12.21.0 state-hashes --guest debian-12-i386 --type "gzip -9 < /bin/busybox | sha256sum"
 *
 * Prints one line for each place, and the first two between which an engine differs; `lockstep` and `fuzz` go on from there.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { createVm, type VmOptions } from "doppel";
import { getGuest } from "doppel/node";

const USAGE = `Usage: npx pnpm@12.21.0 state-hashes [OPTIONS]

  --guest NAME       a guest of \`doppel guest list\`, or embedded (default)
  --engines A,B      interpreter, or auto with a threshold behind a colon (default interpreter,auto,auto:1,auto:0)
  --every N          millions of instructions between two hashes (default 250)
  --count N          how many hashes (default 28)
  --type COMMAND     type this at the first place where the guest's prompt was seen; may be repeated, the next at the place behind
  --help             print this

Ends with 0 when all engines agree at all places, 1 when they do not, 2 for a bad command line.
`;

const PROMPT = /[#$>] $/;

async function main(): Promise<number> {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        guest: { type: "string", default: "embedded" }, engines: { type: "string", default: "interpreter,auto,auto:1,auto:0" }, every: { type: "string", default: "250" },
        count: { type: "string", default: "28" }, type: { type: "string", multiple: true, default: [] }, help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    process.stderr.write(`state-hashes: ${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const every = Number(values.every) * 1e6;
  const count = Number(values.count);
  if (!(every > 0 && count > 0)) {
    process.stderr.write(`state-hashes: --every and --count take numbers above 0\n${USAGE}`);
    return 2;
  }
  const unknown = values.engines.split(",").find((text) => !/^(interpreter|auto(:\d+)?)$/.test(text));
  if (unknown !== undefined) {
    process.stderr.write(`state-hashes: there is no engine called ${unknown}; there is interpreter, and auto with a number behind a colon or without\n${USAGE}`);
    return 2;
  }
  const engines = values.engines.split(",").map((text) => {
    const [engine, threshold] = text.split(":");
    return { text, options: { engine, ...(threshold === undefined ? {} : { hotThreshold: Number(threshold) }) } as VmOptions };
  });
  const guest = await guestOptions(values.guest);
  let first: string[] | undefined;
  let status = 0;
  for (const { text, options } of engines) {
    const begun = performance.now();
    const hashes: string[] = [];
    for await (const hash of run({ ...guest, ...options, deterministic: true, noReboot: true }, every, count, [...values.type])) {
      const at = hashes.push(hash);
      const differs = first !== undefined && hash !== first[at - 1];
      process.stdout.write(`${text.padEnd(12)} ${String((at * every) / 1e6).padStart(7)} M  ${hash}${differs ? `  differs from ${engines[0]!.text}` : ""}\n`);
      if (!differs) continue;
      status = 1;
      break;
    }
    process.stderr.write(`${text}: ${((performance.now() - begun) / 1000).toFixed(0)} s\n`);
    first ??= hashes;
  }
  return status;
}

async function guestOptions(name: string): Promise<VmOptions> {
  if (name === "embedded") return { guest: "embedded" };
  const { recipe, boot } = await getGuest(name, (line) => process.stderr.write(`${line}\n`));
  const common = { memory: recipe.memory, cpu: recipe.architecture === "amd64" ? "x86-64" : "i686" } as const;
  if (boot.kind === "bios") return { ...common, bios: boot.bios, ...(boot.vgaBios ? { vgaBios: boot.vgaBios } : {}) };
  if (boot.kind === "multiboot") return { ...common, multiboot: { image: boot.image, modules: boot.modules, append: boot.append } };
  return { ...common, kernel: { kernel: boot.kernel, ...(boot.initrd ? { initrd: boot.initrd } : {}), append: boot.append } };
}

/** State hashes; what is typed goes in between two steps, so that every engine gets it at the same instruction. */
async function* run(options: VmOptions, every: number, count: number, commands: string[]): AsyncGenerator<string> {
  const vm = await createVm(options);
  let said = "";
  vm.serial[0]!.onOutput((bytes) => void (said = (said + new TextDecoder().decode(bytes)).slice(-64)));
  for (let n = 0; n < count; n++) {
    if (commands.length > 0 && PROMPT.test(said)) vm.console.type(`${commands.shift()!}\n`);
    vm.machine.runExactly(every);
    yield vm.machine.stateHash();
    await new Promise((resolve) => void setTimeout(resolve, 0));
  }
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`state-hashes: ${(error as Error).message}\n`);
  return 2;
});
