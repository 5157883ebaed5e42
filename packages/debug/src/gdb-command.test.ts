import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { findGdb } from "./gdb.fixture.ts";

// What docs/debugging.md says of the command line: the port is announced, the guest waits, gdb detaches and the guest runs to its end.

const command = fileURLToPath(new URL("../../../apps/cli/src/main.js", import.meta.url));

test("doppel run --gdb 0 --gdb-wait", async ({ skip }) => {
  const [file, ...words] = await findGdb(skip);
  const doppel = spawn(process.execPath, ["--conditions=@doppel/source", command, "run", "--guest", "embedded", "--memory", "16M", "--gdb", "0", "--gdb-wait"]);
  onTestFinished(() => void doppel.kill("SIGKILL"));
  let said = "";
  let guest = "";
  doppel.stderr.on("data", (bytes: Buffer) => void (said += bytes.toString()));
  doppel.stdout.on("data", (bytes: Buffer) => {
    guest += bytes.toString();
    if (guest.endsWith("doppel> ")) doppel.stdin.write("poweroff\n");
  });
  const ended = once(doppel, "close");
  while (!/:(\d+) \(waiting/.test(said) && doppel.exitCode === null) await Promise.race([once(doppel.stderr, "data"), ended]);
  expect(said).toMatch(/:(\d+) \(waiting/);
  expect(guest).toBe("");
  const port = /:(\d+) \(waiting/.exec(said)![1]!;
  const gdb = spawnSync(file, [...words, "-nx", "-q", "-batch", "-ex", `target remote 127.0.0.1:${port}`, "-ex", "x/i $pc", "-ex", "monitor trace 2", "-ex", "detach"], { timeout: 30_000 });
  const output = gdb.stdout.toString() + gdb.stderr.toString();
  expect(output).toMatch(/=> 0x100020:\s+cli/);
  expect(output).toContain("00100021  cld");
  expect(await ended).toEqual([0, null]);
  expect(guest).toContain("Doppel embedded guest");
}, 600_000);
