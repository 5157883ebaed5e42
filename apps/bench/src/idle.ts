/**
 * What a guest costs that does nothing, and how well it tells the time: boots the guest on each machine, leaves it at its prompt, and prints
 * the share of a processor that the machine used and by how much the guest's clock went ahead of the host's meanwhile.
 *
 *   node --conditions=@doppel/source apps/bench/src/idle.ts [--guest NAME] [--cpus N] [--seconds N]
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { benchEngines } from "./engines.ts";
import { debianGuest } from "./guests.ts";
import { MachineProcess, type Moment } from "./machine-process.ts";
import { GUESTS } from "./options.ts";

/** The guest's own compilers, and its boot, have come to rest after so many seconds. */
const SETTLE = 5;
const PATIENCE = 300;

const { values } = parseArgs({
  options: { guest: { type: "string", default: GUESTS[0] }, cpus: { type: "string", default: "1" }, seconds: { type: "string", default: "60" } },
});
const seconds = Number(values.seconds);
const guest = await debianGuest(values.guest, 1, console.error);

/** The guest's clock, in seconds since its boot, and the host's moment of the answer. */
async function uptime(machine: MachineProcess): Promise<{ guest: number; at: Moment }> {
  machine.type("cat /proc/uptime");
  const { at, match } = await machine.waitFor(/\n(\d+\.\d+) \d+\.\d+\r?\n/, PATIENCE);
  await machine.waitFor(guest.prompt, PATIENCE);
  return { guest: Number(match[1]), at };
}

const folder = mkdtempSync(join(tmpdir(), "doppel-idle-"));
try {
  const files = { kernel: join(folder, "kernel"), initrd: join(folder, "initrd") };
  writeFileSync(files.kernel, guest.kernel);
  writeFileSync(files.initrd, guest.initrd!);
  for (const engine of benchEngines(true)) {
    const processors = values.cpus === "1" ? [] : engine.processors?.(values.cpus);
    if (engine.isHost || "lacks" in engine.availability(guest) || processors === undefined) continue;
    await engine.prepare?.(guest, console.error);
    using machine = new MachineProcess([...engine.command(guest, files), ...processors]);
    await machine.waitFor(guest.prompt, PATIENCE);
    await sleep(SETTLE * 1000);
    const first = await uptime(machine);
    const before = machine.now();
    await sleep(seconds * 1000);
    const after = machine.now();
    const last = await uptime(machine);
    const share = before.processor === undefined || after.processor === undefined ? "?" : (100 * (after.processor - before.processor) / (after.time - before.time)).toFixed(2);
    const drift = 100 * ((last.guest - first.guest) * 1000 / (last.at.time - first.at.time) - 1);
    console.log(`${engine.name.padEnd(20)} ${values.cpus} CPU: ${share} % of a processor over ${seconds} s, the guest's clock ${drift >= 0 ? "+" : ""}${drift.toFixed(3)} %`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
