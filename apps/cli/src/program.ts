/** The command line: every command with its options and examples, as commander takes them. */
import { CPU_NAMES, ENGINES, ENTRIES, type RawRunOptions } from "./run-options.ts";
import { DEFAULT_ENGINE } from "doppel";
import type { RawExplainOptions } from "./explain-options.ts";
import type { Shell } from "./completion.ts";
import { readFileSync } from "node:fs";
import { Argument, Command, Option } from "commander";
import { SHELLS } from "./completion.ts";
import { EXPLAIN_FORMATS } from "./explain-options.ts";

/** What the commands do. */
export interface Actions {
  run(options: RawRunOptions): Promise<void>;
  explain(guest: string, options: RawExplainOptions): Promise<void>;
  demo(options: { memory?: string }): Promise<void>;
  guestList(): Promise<void>;
  guestGet(name: string): Promise<void>;
  completion(shell: Shell): Promise<void>;
}

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

const RUN_HELP = `
Examples:
  $ doppel run --kernel vmlinuz --initrd initrd.img --append console=ttyS0
  $ doppel run --guest debian-12-i386 --memory 512M
  $ doppel run --multiboot kernel.elf --module "initrd.img verbose" --debug-exit --no-reboot
  $ doppel run --bios bios.bin --vgabios vgabios.bin --debugcon stderr --timeout 60s
  $ doppel run --guest embedded --serial none --json --deterministic
  $ doppel run --kernel vmlinuz --gdb 1234 --gdb-wait

Keys, when a serial port is on stdio (the first one is, unless --serial says otherwise):
  Ctrl-A X  quit        Ctrl-A C  monitor        Ctrl-A H  help        Ctrl-A Ctrl-A  send Ctrl-A

Exit status:
  0 after power-off, (v<<1)|1 after a debug exit with v, 2 for bad arguments or files, 4 after a triple fault (or a reset with
  --no-reboot), 70 for a fault of doppel itself, 124 after --timeout, 130 after SIGINT`;

const EXPLAIN_HELP = `
Examples:
  $ doppel explain debian-12-i386 --run "sha256sum /bin/busybox"
  $ doppel explain debian-12-amd64 --run "md5sum /bin/busybox" --top 1 --show asm,ir,wasm,chain
  $ doppel explain debian-12-i386 --at 0x8048100 --show asm
  $ doppel explain embedded --after 2s --top 10 --format dot | dot -Tsvg > chain.svg

The figures count from the command that is run, or from power-on without one. Parts: asm, the guest's instructions and what kind each is; ir, what
each means; wasm, the compiled code fragment; chain, where it goes on to, and how often. docs/explain.md says how to read all this.`;

/** Builds the parser; `actions` are called with what was parsed. */
export function makeProgram(actions: Actions): Command {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  const program = new Command("doppel")
    .description("A PC in TypeScript and WebAssembly: boots kernels, BIOS images and known guests.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .addHelpText("after", "\nExamples:\n  $ doppel demo\n  $ doppel guest list\n  $ doppel run --kernel vmlinuz --append console=ttyS0\n  $ doppel help run");

  program.command("run")
    .description("boot a machine and connect it to this terminal")
    .option("-k, --kernel <file>", "Linux bzImage to boot")
    .option("-i, --initrd <file>", "initial RAM disk for --kernel")
    .option("-a, --append <line>", "kernel command line")
    .addOption(new Option("--entry <entry>", "how --kernel is entered: in 32-bit mode, by its 16-bit setup code, or in 64-bit mode (default: protected)").choices(ENTRIES))
    .option("--multiboot <file>", "multiboot kernel to boot")
    .option("--module <file-and-args>", "module for --multiboot: a file and its arguments; may be repeated", collect)
    .option("--bios <file>", "BIOS image to start from the reset vector")
    .option("--vgabios <file>", "the display's ROM for --bios, so that the BIOS has a screen")
    .option("-g, --guest <name>", "guest to boot: embedded, or one of `doppel guest list`")
    .option("-m, --memory <size>", "RAM, such as 256M or 1G (default: what the guest wants, or 256M)")
    .addOption(new Option("--engine <engine>", "how instructions are executed: auto translates hot code to WebAssembly").choices(ENGINES).default(DEFAULT_ENGINE))
    .addOption(new Option("--cpu <model>", "processor model (default: what the guest wants, or x86-64)").choices(CPU_NAMES))
    .option("--cpus <number>", "virtual processors, 1 to 8; they take turns (default: 1)")
    .option("--save <file>", "where SIGUSR1 and the monitor save the machine's state")
    .option("--restore <file>", "go on from a saved state")
    .option("-s, --serial <where>", "serial port: stdio, file:F, tcp:PORT or none; repeat it for up to four ports", collect)
    .option("--debugcon <where>", "bytes of the debug ports E9h and 402h: stderr or file:F")
    .option("--trace-io <where>", "a line for each access of a port or of a device's memory: stderr or file:F")
    .option("--gdb <port>", "let gdb attach at a port (of the loopback address, unless written HOST:PORT)")
    .option("--gdb-wait", "wait for gdb before the first instruction")
    .option("--debug-exit", "let the guest end the run through I/O port F4h")
    .option("--no-reboot", "end the run when the guest resets the machine")
    .option("--timeout <time>", "end the run after a time, such as 60s")
    .option("--stats", "print figures at the end, to stderr: instructions, exits, delay of the event loop, memory")
    .option("--json", "print figures at the end as JSON, to stdout where no serial port uses it, else to stderr")
    .option("--deterministic", "time is the instruction count: equal runs are identical to the last bit")
    .addHelpText("after", RUN_HELP)
    .action((options: RawRunOptions) => actions.run(options));

  program.command("explain")
    .description("boot a guest, and show what the translator makes of its code")
    .argument("<guest>", "guest to boot: embedded, or one of `doppel guest list`")
    .option("--at <address>", "the code at a linear address, in hexadecimal; may be repeated", collect)
    .option("--top <number>", "the units in which most instructions retired (default: 3)")
    .option("--run <command>", "type a command at the guest's prompt, and count what it does")
    .option("--until <text>", "stop when the guest says this (default: its prompt)")
    .option("--after <time>", "stop after a time, such as 10s, whatever the guest says")
    .option("--show <parts>", "asm, ir, wasm, chain, with commas between them (default: asm,chain)")
    .addOption(new Option("--format <format>", "text, json for programs, or dot for a picture of the chain graph").choices(EXPLAIN_FORMATS).default("text"))
    .option("-m, --memory <size>", "RAM, such as 256M or 1G (default: what the guest wants)")
    .option("--timeout <time>", "give up when the guest says nothing for so long (default: 120s)")
    .addHelpText("after", EXPLAIN_HELP)
    .action((guest: string, options: RawExplainOptions) => actions.explain(guest, options));

  program.command("demo")
    .description("fetch Debian's i386 kernel and busybox, and boot them to a shell")
    .option("-m, --memory <size>", "RAM, such as 256M or 1G")
    .action((options: { memory?: string }) => actions.demo(options));

  const guest = program.command("guest").description("known guests").helpCommand(false);
  guest.command("list").description("list the known guests, and which are here already").action(() => actions.guestList());
  guest.command("get").description("fetch a guest with apt, into the cache").argument("<name>", "one of the list").action((name: string) => actions.guestGet(name));

  program.command("completion")
    .description("print a completion script for a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText("after", "\nExamples:\n  $ eval \"$(doppel completion bash)\"\n  $ doppel completion fish | source")
    .action((shell: Shell) => actions.completion(shell));
  return program;
}
