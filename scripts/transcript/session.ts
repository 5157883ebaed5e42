/**
 * A session at a guest's shell: what is typed, and the answers. The same commands are typed into our machine and into QEMU, so
 * that the transcripts can be compared.
 */

/** A machine's serial line. */
export interface Line {
  /** Everything that came so far. */
  text(): string;
  type(text: string): void;
  /** Resolves when the machine has ended. */
  ended: Promise<unknown>;
}

/** A command, and what is typed while it runs. */
export interface Step {
  command: string;
  /** Typed a second after the command, in order, a second apart. */
  keys?: readonly string[];
}

/** A command and the lines that it printed. */
export interface Answer { command: string; lines: string[] }

/** Busybox asks the terminal where the cursor stands after each prompt. */
const PROMPT = "# \x1b[6n";
const CTRL_C = "\x03";
const CTRL_Z = "\x1a";

/** What issue and guide ask to see: processor, memory, files, pipes, hashes, floating point, job control. */
export const STEPS: readonly Step[] = [
  { command: "uname -a" },
  { command: "cat /proc/cpuinfo" },
  { command: "free" },
  { command: "dmesg -r" },
  { command: "ls -R /proc" },
  { command: "cat /proc/filesystems /proc/devices /proc/misc" },
  { command: "cat /proc/cmdline /proc/consoles" },
  { command: "cat /proc/ioports" },
  { command: "ps -o comm >/tmp/ps; grep -v kworker /tmp/ps | sort" },
  { command: "echo abc def | tr a-z A-Z | rev" },
  { command: "seq 1 20000 | sort -n -r | head -3" },
  { command: "seq 1 20000 | sha256sum; sha256sum /bin/busybox" },
  { command: "gzip -c /bin/busybox | gunzip | md5sum; sha512sum /init" },
  { command: "awk 'BEGIN{for(i=1;i<9;i++) print i/7, i*1e10/3, i-0.1, i%0.3}'" },
  { command: "awk 'BEGIN{x=1; for(i=0;i<9;i++) x=(x+2/x)/2; printf \"%.17g\\n\", x}'" },
  { command: "awk 'BEGIN{printf \"%.17g %.3e %d\\n\", 2/3, 1e300*1e8, 1e9/7}'" },
  { command: "awk 'BEGIN{s=0; for(i=1;i<20001;i++) s+=1/(i*i); printf \"%.15f\\n\", s}'" },
  { command: "echo '2 64 ^ 3 / p' | dc; echo 'scale=30; 2/7' | bc" },
  { command: "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; echo $i" },
  { command: "mkdir /tmp/d; for f in a b c; do echo $f >/tmp/d/$f; done; cat /tmp/d/*" },
  { command: "sleep 100 &" },
  { command: "jobs" },
  { command: "fg", keys: [CTRL_C] },
  { command: "sleep 60", keys: [CTRL_Z] },
  { command: "bg" },
  { command: "jobs" },
  { command: "kill %1; sleep 1; jobs" },
  { command: "cat", keys: ["hello\n", "\x04"] },
  { command: "sh -c 'kill -SEGV $$'; echo $?" },
];

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(done: () => boolean, seconds: number, what: string, line: Line): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (!done()) {
    if (performance.now() > end) throw new Error(`${what} did not come within ${seconds} s; the last words: ${JSON.stringify(line.text().slice(-300))}`);
    await pause(20);
  }
}

/** Whether the shell waits for a command: its prompt is the last word, but for messages of the kernel that came later. */
const prompted = (text: string): boolean => text.replace(/(\[ *\d+\.\d+\] [^\n]*\n)+$/, "").endsWith(PROMPT);

/** Waits for the first prompt, types every command, and powers the machine off. */
export async function converse(line: Line, steps: readonly Step[], seconds: number): Promise<Answer[]> {
  await until(() => prompted(line.text()), seconds, "the prompt", line);
  const answers: Answer[] = [{ command: "(boot)", lines: lines(line.text()) }];
  for (const { command, keys } of steps) {
    const start = line.text().length;
    line.type(`${command}\n`);
    for (const key of keys ?? []) {
      await pause(1000);
      line.type(key);
    }
    await until(() => prompted(line.text().slice(start)), seconds, `the prompt after ${command}`, line);
    answers.push({ command, lines: lines(line.text().slice(start)).slice(1, -1) });
  }
  const start = line.text().length;
  line.type("poweroff\n");
  await Promise.race([line.ended, pause(60_000).then(() => { throw new Error("the machine did not end after poweroff"); })]);
  answers.push({ command: "poweroff", lines: lines(line.text().slice(start)).slice(1) });
  return answers;
}

// A kernel message that comes when it comes lands in the middle of any answer; `dmesg -r` prefixes its own lines with "<level>".
const ASYNCHRONOUS = /(?<!>)\[ *\d+\.\d+\] random: crng init done\n?/g;

const lines = (text: string): string[] => text.replaceAll("\x1b[6n", "").replaceAll("\x1b[J", "").replaceAll("\r", "").replace(ASYNCHRONOUS, "").split("\n");
