// Expectations: the command's own documentation (help text), with exit statuses as timeout(1) and sysexits.h have them.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { sha256 } from "doppel/node";
import { commandLine } from "./command-line.ts";
import { fakeHost } from "./fake-vm.ts";

const folder = mkdtempSync(join(tmpdir(), "doppel-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));
const kernel = join(folder, "kernel");
writeFileSync(kernel, "a kernel");
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

describe("bad input is one sentence and status 2", () => {
  it.each([
    ["run --nonsense", /^doppel: unknown option '--nonsense'/],
    ["frobnicate", /^doppel: unknown command 'frobnicate'/],
    ["run", /nothing to boot/],
    ["run --kernel /no/such/file", /\/no\/such\/file cannot be read: there is no such file/],
    [`run --kernel ${folder}`, /it is a directory/],
    [`run --kernel ${kernel} --bios ${kernel}`, /only one of/],
    [`run --kernel ${kernel} --memory lots`, /--memory lots is no size/],
    [`run --kernel ${kernel} --memory 99999G`, /out of range/],
    [`run --kernel ${kernel} --memory 0`, /out of range/],
    [`run --kernel ${kernel} --serial nowhere`, /--serial nowhere/],
    [`run --kernel ${kernel} --serial tcp:99999`, /no port/],
    [`run --kernel ${kernel} --serial stdio --serial stdio`, /Only one/],
    [`run --kernel ${kernel} --timeout never`, /no duration/],
    [`run --kernel ${kernel} --module x`, /--module goes with/],
    [`run --kernel ${kernel} --gdb-wait`, /--gdb-wait goes with/],
    [`run --kernel ${kernel} --engine steam`, /Allowed choices are interpreter/],
    [`run --kernel ${kernel} --vgabios ${kernel}`, /--vgabios goes with/],
    [`run --bios ${kernel} --vgabios /no/such/file`, /\/no\/such\/file cannot be read/],
    [`run --bios ${kernel} --debugcon nowhere`, /--debugcon nowhere/],
    [`run --bios ${kernel} --trace-io nowhere`, /--trace-io nowhere is neither stderr nor file:F/],
    [`run --bios ${kernel} --append x`, /--append goes with/],
    [`run --bios ${kernel} --entry long`, /--entry goes with/],
    [`run --kernel ${kernel} --entry short`, /protected, real, long/],
    ["run --guest nobody", /no guest called nobody/],
    ["explain nobody", /no guest called nobody/],
    ["explain", /missing required argument 'guest'/],
    ["explain embedded --at zz", /--at zz is no address; write it in hexadecimal/],
    ["explain embedded --at 0x123400000000000", /bits 47 to 63 must be equal/],
    ["explain embedded --at 0x1000 --top 3", /only one of --at and --top/],
    ["explain embedded --until x --after 1s", /only one of --until and --after/],
    ["explain embedded --top 0", /--top 0 is no number of units/],
    ["explain embedded --show asm,bytes", /--show has no bytes; choose from asm, ir, wasm, chain/],
    ["explain embedded --after soon", /--after soon is no duration/],
    ["explain embedded --format xml", /Allowed choices are text, json, dot/],
    ["guest get nobody", /no guest called nobody/],
    ["completion tcsh", /Allowed choices are bash, zsh, fish/],
  ])("%s", async (line, sentence) => {
    const host = fakeHost();
    expect(await commandLine(line.split(" "), host)).toBe(2);
    expect(host.stderr).toMatch(sentence);
    expect(host.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(host.stdout).toBe("");
  });
});

describe("help, version and completion", () => {
  it.each([[[], /demo/], [["--help"], /Examples/], [["help", "run"], /Exit status/], [["help", "explain"], /dot -Tsvg/], [["--version"], /^\d+\.\d+\.\d+\n$/], [["guest", "list"], /^embedded .*built in/]])(
    "%j goes to stdout with status 0", async (args, text) => {
      const host = fakeHost();
      expect(await commandLine(args, host)).toBe(0);
      expect(host.stdout).toMatch(text);
      expect(host.stderr).toBe("");
    });
  it.each(["bash", "zsh", "fish"])("completion for %s names every command and option", async (shell) => {
    const host = fakeHost();
    await commandLine(["completion", shell], host);
    for (const word of ["run", "explain", "guest", "demo", "kernel", "deterministic", "no-reboot"]) expect(host.stdout).toContain(word);
  });
});

describe("exit status", () => {
  it.each([
    [{ kind: "power-off" }, 0], [{ kind: "debug-exit", value: 0 }, 1], [{ kind: "debug-exit", value: 0x10 }, 0x21], [{ kind: "debug-exit", value: 0xff }, 0xff],
    [{ kind: "triple-fault" }, 4], [{ kind: "reset" }, 4], [{ kind: "host-fault", error: new Error("x") }, 70],
  ] as const)("%j gives %i", async (stop, status) => {
    expect(await commandLine(["run", "--kernel", kernel], fakeHost((vm) => vm.end(stop)))).toBe(status);
  });
  it("124 after the timeout, 130 after SIGINT, 143 after SIGTERM, 141 when stdout is closed, 0 after Ctrl-A X", async () => {
    expect(await commandLine(["run", "--kernel", kernel, "--timeout", "20ms"], fakeHost(() => {}))).toBe(124);
    expect(await commandLine(["run", "--kernel", kernel], fakeHost((_, host) => host.signal("SIGINT")))).toBe(130);
    expect(await commandLine(["run", "--kernel", kernel], fakeHost((_, host) => host.signal("SIGTERM")))).toBe(143);
    expect(await commandLine(["run", "--kernel", kernel], fakeHost((_, host) => host.closeStdout()))).toBe(141);
    expect(await commandLine(["run", "--kernel", kernel], fakeHost((_, host) => host.type("\x01x")))).toBe(0);
  });
  it("70 for a machine that cannot be made for a reason of our own", async () => {
    const host = fakeHost();
    host.createVm = () => Promise.reject(new TypeError("a mistake"));
    expect(await commandLine(["run", "--kernel", kernel], host)).toBe(70);
  });
});

describe("run", () => {
  it("hands the machine what was asked for", async () => {
    const host = fakeHost();
    await commandLine(["run", "--kernel", kernel, "--append", "quiet", "--memory", "64M", "--no-reboot", "--debug-exit", "--deterministic"], host);
    expect(host.options).toMatchObject({
      memory: 64 << 20, noReboot: true, debugExit: true, deterministic: true, engine: "auto",
      kernel: { kernel: Buffer.from("a kernel"), append: "quiet" },
    });
    expect(host.stderr).toBe("state hash c0ffee\n");
    await commandLine(["run", "--multiboot", kernel, "--module", `${kernel} a b`, "--append", "x"], host);
    expect(host.options?.multiboot).toMatchObject({ append: "kernel x", modules: [{ args: `${kernel} a b` }] });
  });

  it("carries the guest's bytes and nothing else on stdout, and typing to its serial port", async () => {
    const host = fakeHost((vm, self) => {
      vm.print(0, "login: \xff");
      self.type("root\x01\x01\r");
      void settle().then(() => vm.end({ kind: "power-off" }));
    });
    await commandLine(["run", "--kernel", kernel], host);
    expect(host.stdout).toBe("login: \xff");
    expect(host.vm.typed[0]).toBe("root\x01\r");
  });

  it("writes the second serial port to a file", async () => {
    const file = join(folder, "serial.log");
    await commandLine(["run", "--kernel", kernel, "--serial", "none", "--serial", `file:${file}`], fakeHost((vm) => {
      vm.print(0, "first");
      vm.print(1, "second");
      vm.end({ kind: "power-off" });
    }));
    expect(readFileSync(file, "latin1")).toBe("second");
  });

  it("serves a serial port over TCP on the loopback address", async () => {
    const host = fakeHost((vm, self) => {
      const port = Number(/listens on 127\.0\.0\.1:(\d+)/.exec(self.stderr)![1]);
      const socket = connect(port, "127.0.0.1", () => socket.write("hello"));
      socket.on("data", () => vm.end({ kind: "power-off" }));
      const wait = setInterval(() => {
        if (vm.typed[0] !== "hello") return;
        clearInterval(wait);
        vm.print(0, "hi");
      }, 2);
    });
    expect(await commandLine(["run", "--kernel", kernel, "--serial", "tcp:0"], host)).toBe(0);
  });

  it("prints figures: JSON to stdout when no serial port is there, to stderr otherwise", async () => {
    const quiet = fakeHost();
    await commandLine(["run", "--kernel", kernel, "--serial", "none", "--json"], quiet);
    expect(JSON.parse(quiet.stdout)).toMatchObject({ stop: { kind: "power-off" }, status: 0, instructions: 1000, stateHash: "c0ffee" });
    for (const figure of ["ticks", "mean", "p50", "p90", "p99", "max"]) expect(JSON.parse(quiet.stdout).eventLoopDelay[figure]).toBeGreaterThanOrEqual(0);
    const loud = fakeHost();
    await commandLine(["run", "--kernel", kernel, "--json", "--stats"], loud);
    expect(loud.stdout).toBe("");
    expect(loud.stderr).toMatch(/exits\.halt +2/);
    expect(loud.stderr).toMatch(/^event loop delay \(ms\)\.p99 +[\d.]+$/m);
  });

  it("waits for gdb, on the loopback address, and hands its bytes on", async () => {
    const host = fakeHost((vm) => vm.end({ kind: "power-off" }));
    let answer = "";
    const poll = setInterval(() => {
      const port = /gdb: target remote 127\.0\.0\.1:(\d+) \(waiting/.exec(host.stderr)?.[1];
      if (port === undefined) return;
      clearInterval(poll);
      host.vm.running = () => setTimeout(() => host.vm.end({ kind: "power-off" }), 50);
      const socket = connect(Number(port), "127.0.0.1", () => socket.write("$?#3f"));
      socket.on("data", (bytes) => (answer += String(bytes)));
      socket.on("error", () => {});
    }, 2);
    expect(await commandLine(["run", "--kernel", kernel, "--gdb", "0", "--gdb-wait"], host)).toBe(0);
    expect(answer).toBe("+$?#3f");
    expect(host.vm.calls[0]).toBe("gdb attached");
  });

  it("can be given up while it waits for gdb", async () => {
    const host = fakeHost(() => expect.unreachable());
    setTimeout(() => host.signal("SIGINT"), 30);
    expect(await commandLine(["run", "--kernel", kernel, "--gdb", "0", "--gdb-wait"], host)).toBe(130);
  });

  it("says which port is in use", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.on("listening", resolve));
    const { port } = server.address() as { port: number };
    const host = fakeHost();
    expect(await commandLine(["run", "--kernel", kernel, "--serial", `tcp:${port}`], host)).toBe(2);
    expect(host.stderr).toBe(`doppel: The serial port cannot listen on 127.0.0.1:${port}: it is in use.\n`);
    server.close();
  });

  it("saves on SIGUSR1 and from the monitor", async () => {
    const state = join(folder, "state");
    const host = fakeHost((vm, self) => {
      self.signal("SIGUSR1");
      self.type(`\x01csave ${state}2\r`);
      setTimeout(() => vm.end({ kind: "power-off" }), 100);
    });
    await commandLine(["run", "--kernel", kernel, "--save", state], host);
    expect([...readFileSync(state)]).toEqual([1, 2, 3]);
    expect([...readFileSync(`${state}2`)]).toEqual([1, 2, 3]);
  });
});

describe("monitor", () => {
  const session = async (typed: string): Promise<ReturnType<typeof fakeHost>> => {
    const host = fakeHost((_, self) => self.type(`\x01c${typed}\x01x`));
    await commandLine(["run", "--kernel", kernel], host);
    return host;
  };
  it("stops the machine while it is open, and talks on stderr", async () => {
    const host = await session("info registers\rscreen\rcontinue\rfor the guest");
    expect(host.vm.calls).toEqual(["pause", "resume"]);
    expect(host.stderr).toMatch(/EAX +00001234 +EIP +00100000/);
    expect(host.stderr).toContain("the screen");
    expect(host.vm.typed[0]).toBe("for the guest");
    expect(host.stdout).toBe("");
  });
  it("examines memory in bytes and words", async () => {
    const host = await session("x/2b 10\rx/5 0x20\rx/1 2000\rx/z 1\r");
    expect(host.stderr).toContain("00000010: 10 11\n");
    expect(host.stderr).toContain("00000020: 23222120 27262524 2b2a2928 2f2e2d2c\n00000030: 33323130\n");
    expect(host.stderr).toContain("00002000: nothing is mapped here");
    expect(host.stderr).toContain("x/COUNT");
  });
  it("steps, presses keys, and answers nonsense", async () => {
    const host = await session("step 3\rsendkey ctrl-alt-delete\rsendkey nokey\rinfo tlb\rfly\rhelp\r");
    expect(host.vm.calls).toEqual(["pause", "step 3", "key ctrl-alt-delete", "key nokey"]);
    expect(host.stderr).toContain("There is no key for nokey.");
    expect(host.stderr).toContain("There is no command fly; try help.");
  });
  it("quit ends the run", async () => {
    const host = fakeHost((_, self) => self.type("\x01cquit\r"));
    expect(await commandLine(["run", "--kernel", kernel], host)).toBe(0);
  });
});

describe("demo", () => {
  afterEach(() => vi.unstubAllEnvs());
  it("says in a sentence that there is no apt, and boots the embedded guest", async () => {
    vi.stubEnv("DOPPEL_CACHE", join(folder, "empty-cache"));
    vi.stubEnv("PATH", "");
    const host = fakeHost();
    expect(await commandLine(["demo"], host)).toBe(0);
    expect(host.stderr).toContain("This machine has no apt-get, which fetches Debian's packages. Booting the embedded guest instead.\n");
    expect(host.options).toMatchObject({ guest: "embedded" });
  });
  it("boots Debian's kernel from the cache", async () => {
    const guest = join(folder, "cache/guests/debian-12-i386");
    mkdirSync(guest, { recursive: true });
    writeFileSync(join(guest, "kernel"), "k");
    writeFileSync(join(guest, "busybox"), "b");
    writeFileSync(join(guest, "manifest.json"), JSON.stringify({ packages: [], files: { kernel: await sha256(Buffer.from("k")), busybox: await sha256(Buffer.from("b")) } }));
    vi.stubEnv("DOPPEL_CACHE", join(folder, "cache"));
    const host = fakeHost();
    expect(await commandLine(["demo", "--memory", "128M"], host)).toBe(0);
    expect(host.options).toMatchObject({ memory: 128 << 20, kernel: { append: "console=ttyS0" } });
    expect(host.options!.kernel!.initrd!.length).toBeGreaterThan(512);
  });
});
