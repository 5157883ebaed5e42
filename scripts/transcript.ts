/**
 * `npx pnpm@12.21.0 transcript [GUEST] [--cpus N] [--keep FOLDER]`: boots a guest's kernel with its busybox on our machine and on QEMU, types
 * the same commands into both shells, and prints every difference that is left after normalising. Kernel messages of level 4
 * and below have to be a subset of QEMU's. Ends with 1 when something differs, and with 2 where there is no QEMU.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { createVm } from "doppel";
import { type Guest, getGuest } from "doppel/node";
import { normalise, normaliseLine, warnings } from "./transcript/normalise.ts";
import { type Answer, STEPS, converse } from "./transcript/session.ts";

const MEMORY = 256 << 20;
const SECONDS = 180;
/** For each architecture: QEMU's program, our processor, and the same one as far as QEMU can be told. */
const SYSTEMS = {
  i386: {
    program: "qemu-system-i386", cpu: "i686",
    same: "pentium3,+nx,+sse2,+pni,+clflush,+hypervisor,model=6,stepping=3,level=0xb,xlevel=0x80000008,model-id=Doppel Virtual CPU i686",
  },
  amd64: {
    program: "qemu-system-x86_64", cpu: "x86-64",
    same: "qemu64,vendor=GenuineIntel,family=6,model=6,stepping=3,level=0xb,xlevel=0x80000008,-svm,-pni,-cx16,-lahf-lm,-cmp-legacy,model-id=Doppel Virtual CPU x86-64",
  },
} as const;

async function onDoppel({ recipe, boot }: Guest, cpus: number): Promise<Answer[]> {
  if (boot.kind !== "linux") throw new Error("only a Linux guest has a shell");
  const vm = await createVm({ memory: MEMORY, cpu: SYSTEMS[recipe.architecture].cpu, cpus, kernel: boot });
  let text = "";
  const decoder = new TextDecoder();
  vm.serial[0]!.onOutput((bytes) => (text += decoder.decode(bytes, { stream: true })));
  const ended = vm.run();
  try {
    return await converse({ text: () => text, type: (keys) => vm.console.type(keys), ended }, STEPS, SECONDS);
  } finally {
    vm.stop();
  }
}

async function onQemu({ recipe, boot }: Guest, cpus: number): Promise<Answer[]> {
  if (boot.kind !== "linux") throw new Error("only a Linux guest has a shell");
  const folder = mkdtempSync(join(tmpdir(), "doppel-transcript-"));
  writeFileSync(join(folder, "kernel"), boot.kernel);
  writeFileSync(join(folder, "initrd"), boot.initrd!);
  const { program, same } = SYSTEMS[recipe.architecture];
  const child = spawn(program, [
    "-M", "pc", "-cpu", same, "-smp", `${cpus}`, "-m", `${MEMORY >> 20}`, "-display", "none", "-monitor", "none", "-serial", "stdio", "-net", "none", "-no-reboot",
    "-kernel", join(folder, "kernel"), "-initrd", join(folder, "initrd"), "-append", boot.append,
  ], { stdio: ["pipe", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  try {
    return await converse({ text: () => text, type: (keys) => void child.stdin.write(keys), ended }, STEPS, SECONDS);
  } finally {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Lines of one side that the other has not, as a diff shows them. */
function differences(ours: readonly string[], theirs: readonly string[]): string[] {
  const surplus = (from: readonly string[], of: readonly string[], mark: string): string[] => {
    const left = [...of];
    return from.flatMap((line) => {
      const at = left.indexOf(line);
      if (at < 0) return [`${mark} ${line}`];
      left.splice(at, 1);
      return [];
    });
  };
  const found = [...surplus(ours, theirs, "doppel:"), ...surplus(theirs, ours, "qemu:  ")];
  return found.length === 0 && ours.join("\n") !== theirs.join("\n") ? ["the same lines in another order"] : found;
}

/** Commands whose answers tell of the board, not of its behaviour: shown, not counted. */
const BOARD = /^(cat \/proc\/ioports|poweroff|\(boot\)|cat \/proc\/filesystems)/;

const { values, positionals } = parseArgs({ options: { keep: { type: "string" }, cpus: { type: "string", default: "1" } }, allowPositionals: true });
const guest = await getGuest(positionals[0] ?? "debian-12-i386", (line) => console.error(line));
const { program } = SYSTEMS[guest.recipe.architecture];
if (spawnSync(program, ["--version"]).status !== 0) {
  console.error(`transcript: ${program} is not installed, and there is nothing to compare with.`);
  process.exit(2);
}
const theirs = await onQemu(guest, Number(values.cpus));
const ours = await onDoppel(guest, Number(values.cpus));
if (values.keep !== undefined) {
  mkdirSync(values.keep, { recursive: true });
  for (const [name, answers] of [["doppel", ours], ["qemu", theirs]] as const)
    writeFileSync(join(values.keep, `${name}.txt`), answers.map(({ command, lines }) => `=== ${command}\n${lines.join("\n")}\n`).join(""));
}
let wrong = 0;
for (const [n, answer] of ours.entries()) {
  const theirAnswer = theirs[n]!;
  if (answer.command === "(boot)") continue;
  if (answer.command === "dmesg -r") {
    const known = new Set(warnings(theirAnswer.lines));
    const surplus = warnings(answer.lines).filter((line) => !known.has(line));
    console.log(`${surplus.length === 0 ? "same" : "DIFFERS"}  kernel messages of level 4 and below: ${warnings(answer.lines).length}, QEMU's ${known.size}`);
    for (const line of surplus) console.log(`    doppel: ${line}`);
    wrong += surplus.length > 0 ? 1 : 0;
    continue;
  }
  const found = differences(normalise(answer), normalise(theirAnswer));
  const board = BOARD.test(answer.command);
  if (found.length > 0 && !board) wrong++;
  console.log(`${found.length === 0 ? "same   " : board ? "board  " : "DIFFERS"}  ${answer.command}`);
  for (const line of found.slice(0, 40)) console.log(`    ${normaliseLine(line)}`);
}
console.log(wrong === 0 ? "the transcripts agree" : `${wrong} answers differ`);
process.exit(wrong === 0 ? 0 : 1);
