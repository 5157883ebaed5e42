// The command as a process of its own, with the embedded guest: pipes, signals, exit statuses, save and restore.
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "doppel-main-"));
afterAll(() => rmSync(folder, { recursive: true }));
const PROMPT = "doppel> ";

/** A running command with what it has printed so far. */
class Command {
  stdout = "";
  stderr = "";
  readonly child: ChildProcess;
  readonly status: Promise<number | null>;

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, ["--conditions=@doppel/source", join(import.meta.dirname, "main.js"), ...args]);
    this.child.stdout!.setEncoding("latin1").on("data", (text: string) => (this.stdout += text));
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.status = new Promise((resolve) => this.child.on("close", resolve));
  }

  async until(seen: () => boolean): Promise<void> {
    for (let i = 0; !seen(); i++) {
      if (i > 2000 || this.child.exitCode !== null) throw new Error(`not seen; stdout: ${this.stdout}; stderr: ${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
const guest = (...args: string[]): Command => new Command("run", "--guest", "embedded", "--memory", "16M", ...args);

describe("doppel", () => {
  it("runs a guest on pipes to its power-off, whose console is all that stdout carries", async () => {
    const command = guest();
    await command.until(() => command.stdout.endsWith(PROMPT));
    command.child.stdin!.end("poweroff\n");
    expect(await command.status).toBe(0);
    expect(command.stderr).toBe("");
  });

  it("goes on when its input ends, and ends with 124 after the timeout", async () => {
    const command = guest("--timeout", "3s");
    command.child.stdin!.end();
    expect(await command.status).toBe(124);
    expect(command.stdout).toContain(PROMPT);
  });

  it.each([["SIGINT", 130], ["SIGTERM", 143]] as const)("ends cleanly on %s with %i", async (signal, status) => {
    const command = guest("--json");
    await command.until(() => command.stdout.endsWith(PROMPT));
    command.child.kill(signal);
    expect(await command.status).toBe(status);
    const figures = JSON.parse(command.stderr);
    expect(figures).toMatchObject({ stop: { kind: "stopped" }, status });
    const { ticks, p50, p90, p99, max } = figures.eventLoopDelay;
    expect(ticks).toBeGreaterThan(0);
    expect([p50, p90, p99, max]).toEqual([p50, p90, p99, max].sort((a, b) => a - b));
  });

  it("quits on Ctrl-A X, and shows registers and memory in the monitor", async () => {
    const command = guest();
    await command.until(() => command.stdout.endsWith(PROMPT));
    command.child.stdin!.write("\x01cinfo registers\nx/2 100000\nstep 2\ninfo tlb\n");
    await command.until(() => /machine [0-9a-f]{8}[^]*\(doppel\) $/.test(command.stderr));
    expect(command.stderr).toMatch(/EAX +[0-9a-f]{8}/);
    command.child.stdin!.write("\x01x");
    expect(await command.status).toBe(0);
  });

  it("saves on SIGUSR1, and restores", async () => {
    const state = join(folder, "state");
    const first = guest("--save", state);
    await first.until(() => first.stdout.endsWith(PROMPT));
    first.child.kill("SIGUSR1");
    await first.until(() => first.stderr.includes("saved"));
    expect(existsSync(state)).toBe(true);
    first.child.stdin!.write("\x01x");
    await first.status;

    const second = new Command("run", "--restore", state);
    second.child.stdin!.write("poweroff\n");
    expect(await second.status).toBe(0);
    expect(second.stdout).not.toBe("");
  });

  it("is one sentence and status 2 for files that are no kernels or states", async () => {
    const file = join(folder, "noise");
    writeFileSync(file, "x".repeat(5000));
    for (const option of ["--kernel", "--multiboot", "--bios", "--restore"]) {
      const command = new Command("run", option, file);
      expect([option, await command.status]).toEqual([option, 2]);
      expect(command.stderr).toMatch(/^doppel: [^\n]+\.?\n$/);
      expect(command.stdout).toBe("");
    }
  });
});
