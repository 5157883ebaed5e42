/** The real gdb against a machine in this process, over a TCP port of the loopback address. */
import { spawn, spawnSync } from "node:child_process";
import { type AddressInfo, createServer } from "node:net";
import type { Vm } from "doppel";
import { HostError, getProgram } from "doppel/node";

/** The words that start gdb: one that is installed here, or else Debian's, fetched. Where there is neither, the test is skipped and says why. */
export async function findGdb(skip: (why: string) => never): Promise<[string, ...string[]]> {
  if (spawnSync("gdb", ["--version"]).status === 0) return ["gdb"];
  try {
    return await getProgram("gdb-minimal", "usr/bin/gdb", () => {});
  } catch (error) {
    if (error instanceof HostError) return skip(`there is no gdb here: ${error.message}`);
    throw error;
  }
}

const LONGEST = 150_000;

/** What came of a session. */
export interface GdbSession {
  /** Everything that gdb printed. */
  readonly output: string;
  readonly status: number | null;
}

/**
 * Runs gdb with commands, one after the other, and then ends it.
 * @param program the words that start it.
 * @param interruptAfter for each time that gdb lets the guest go on: what comes before Ctrl-C is typed, or undefined for no Ctrl-C
 */
export async function runGdb(
  program: readonly [string, ...string[]], vm: Vm, commands: readonly string[], interruptAfter: readonly ((() => Promise<unknown>) | undefined)[] = [],
): Promise<GdbSession> {
  const waits = [...interruptAfter];
  const server = createServer((socket) => {
    const session = vm.attachDebugger((bytes) => socket.write(bytes));
    socket.on("data", (bytes) => {
      session.receive(bytes);
      if (!/\$(c|vCont;c)/.test(bytes.toString("latin1"))) return;
      void waits.shift()?.().then(() => gdb.kill("SIGINT"));
    });
    socket.on("error", () => {});
    socket.on("close", () => session[Symbol.dispose]());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const all = ["set pagination off", "set confirm off", "set architecture i386", `target remote 127.0.0.1:${port}`, ...commands];
  const [file, ...words] = program;
  const gdb = spawn(file, [...words, "-nx", "-q", "-batch", ...all.flatMap((command) => ["-ex", command])], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const hear = (text: string): void => void (output += text);
  gdb.stdout.setEncoding("utf8").on("data", hear);
  gdb.stderr.setEncoding("utf8").on("data", hear);
  // What gdb said so far tells more than a test that is out of time.
  const limit = setTimeout(() => gdb.kill("SIGKILL"), LONGEST);
  const status = await new Promise<number | null>((resolve) => gdb.on("close", resolve));
  clearTimeout(limit);
  server.close();
  return { output, status };
}
