/**
 * One machine as a child process: what its serial line says with the host's time of it, what is typed, how much processor time and memory
 * it used. Marks are looked for in arriving bytes, so a figure is as exact as the machine's own flushing of its output.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** A moment of a run. */
export interface Moment {
  /** Milliseconds of the host's monotonic clock. */
  readonly time: number;
  /** Milliseconds of processor time that the process and what it has waited for have used, all threads; undefined where /proc does not tell. */
  readonly processor: number | undefined;
}

/** /proc counts processor time in hundredths of a second (USER_HZ). */
const TICK = 10;

/** The machine ended, or said nothing of what was waited for. */
export class SilenceError extends Error {}

/** A machine that runs. */
export class MachineProcess implements Disposable {
  readonly started: Moment;
  private readonly child: ChildProcess;
  private text = "";
  private last: Moment;
  private ended: string | undefined;
  private look: () => void = () => {};

  constructor(command: readonly string[]) {
    this.started = this.last = { time: performance.now(), processor: 0 };
    this.child = spawn(command[0]!, command.slice(1), { stdio: ["pipe", "pipe", "pipe"] });
    let complaint = "";
    this.child.stderr!.setEncoding("utf8").on("data", (piece: string) => (complaint = (complaint + piece).slice(-400)));
    // A machine that is gone takes no input; its end is told by "close".
    this.child.stdin!.on("error", () => {});
    this.child.stdout!.setEncoding("latin1").on("data", (piece: string) => {
      this.last = this.now();
      this.text += piece;
      this.look();
    });
    this.child.on("error", (error) => this.end(error.message));
    this.child.on("close", (status, signal) => this.end(`ended with ${signal ?? status}${complaint === "" ? "" : `: ${complaint.trim()}`}`));
  }

  private end(how: string): void {
    this.ended ??= how;
    this.look();
  }

  /** The present moment. */
  now(): Moment {
    const time = performance.now();
    try {
      // proc(5): fields 14 to 17 are utime, stime, cutime and cstime; the second field, in parentheses, may hold blanks.
      const fields = readFileSync(`/proc/${this.child.pid}/stat`, "latin1").replace(/^.*\) /s, "").split(" ");
      return { time, processor: fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) * TICK };
    } catch {
      return { time, processor: undefined };
    }
  }

  /** The most bytes of the host's memory that the process has held at one time; undefined where /proc does not tell, or when it is gone. */
  peakMemory(): number | undefined {
    try {
      // proc(5): VmHWM, the peak resident set size, in units of 1024 bytes.
      const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.child.pid}/status`, "latin1")) ?? [];
      return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
    } catch {
      return undefined;
    }
  }

  /** Types a line. */
  type(line: string): void {
    this.child.stdin!.write(`${line}\n`, "latin1");
  }

  /**
   * Waits for a text, or a match, in what has not been taken yet, and takes everything up to its end.
   * @param seconds to wait at most
   * @throws {SilenceError} when the machine ends or time is up first
   */
  waitFor(what: string | RegExp, seconds: number): Promise<{ at: Moment; match: string[] }> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        this.look = () => {};
        clearTimeout(timer);
        reject(new SilenceError(`${why} while ${String(what)} was waited for; the last words: ${JSON.stringify(this.text.slice(-200))}`));
      };
      const timer = setTimeout(() => fail(`nothing for ${seconds} s`), seconds * 1000);
      this.look = () => {
        const match = typeof what === "string" ? undefined : what.exec(this.text);
        const from = typeof what === "string" ? this.text.indexOf(what) : (match?.index ?? -1);
        if (from < 0) {
          if (this.ended !== undefined) fail(`the machine ${this.ended}`);
          return;
        }
        this.look = () => {};
        clearTimeout(timer);
        const length = typeof what === "string" ? what.length : match![0].length;
        this.text = this.text.slice(from + length);
        resolve({ at: this.last, match: match === undefined || match === null ? [this.text] : [...match] });
      };
      this.look();
    });
  }

  /** Ends the machine at once. */
  [Symbol.dispose](): void {
    this.child.kill("SIGKILL");
  }
}
