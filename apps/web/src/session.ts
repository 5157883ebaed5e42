/** One machine on the page: its run, its consoles and screen, and its figures. */
import { type AnyVm, createVm, ScreenView, stopText } from "doppel/browser";
import { History } from "./history.ts";
import { nextTask } from "./next-task.ts";
import type { Plan } from "./plan.ts";
import { SerialConsole } from "./serial-console.ts";

/** What a machine does. */
export type State = "running" | "paused" | "off";

/** How a run ended. */
type Stop = Awaited<ReturnType<AnyVm["run"]>>;

const SAMPLE_MS = 500;

/** A machine and its views. */
export class Session implements Disposable {
  readonly plan: Plan;
  readonly vm: AnyVm;
  readonly history = new History();
  /** COM1 to COM4. */
  readonly consoles: readonly SerialConsole[];
  /** The one that is shown. */
  console: SerialConsole;
  readonly screenHost = document.createElement("div");
  screen: ScreenView | undefined;
  state: State = "running";
  /** Why it is off. */
  ending: { readonly text: string; readonly isFault: boolean } | undefined;
  private readonly changed: () => void;
  private sampler: ReturnType<typeof setInterval> | undefined;
  private disposed = false;

  private constructor(plan: Plan, vm: AnyVm, changed: () => void) {
    this.plan = plan;
    this.vm = vm;
    this.changed = changed;
    this.consoles = vm.serial.map((line, n) => new SerialConsole(line, n + 1, changed));
    this.console = this.consoles[0]!;
    this.screenHost.className = "picture";
  }

  /**
   * Makes the machine and lets it run.
   * @throws what `createVm` throws
   */
  static async start(plan: Plan, worker: boolean, changed: () => void): Promise<Session> {
    const vm = await createVm({ ...plan.options, worker });
    const session = new Session(plan, vm, changed);
    await session.console.open(plan.tail);
    await nextTask();
    session.screen = new ScreenView(session.screenHost, vm);
    session.sampler = setInterval(() => void session.sample(), SAMPLE_MS);
    void session.run();
    await nextTask();
    return session;
  }

  /** The consoles there is something to see on. */
  get spoken(): SerialConsole[] {
    return this.consoles.filter((one, n) => n === 0 || one.hasSpoken);
  }

  /** Shows another console. */
  async choose(console: SerialConsole): Promise<void> {
    this.console = console;
    this.changed();
    await console.open();
  }

  private async run(): Promise<void> {
    for (;;) {
      const stop = await this.vm.run();
      if (this.disposed) return;
      // A guest that resets its machine gets it anew, as from a button on the case.
      if (stop.kind === "reset") await this.vm.reset();
      else return this.end(stop);
    }
  }

  private end(stop: Stop): void {
    this.state = "off";
    this.ending = { text: stopText(stop), isFault: stop.kind === "host-fault" || stop.kind === "triple-fault" };
    clearInterval(this.sampler);
    void this.sample();
    this.changed();
  }

  private async sample(): Promise<void> {
    try {
      const stats = await this.vm.stats();
      if (this.disposed) return;
      this.history.add(stats);
      this.changed();
    } catch {
      // The machine is gone, and its figures with it.
    }
  }

  async pause(): Promise<void> {
    this.state = "paused";
    this.changed();
    await this.vm.pause();
  }

  async resume(): Promise<void> {
    this.state = "running";
    this.changed();
    await this.vm.resume();
  }

  async reset(): Promise<void> {
    await this.vm.reset();
    if (this.state === "paused") await this.resume();
  }

  async switchOff(): Promise<void> {
    await this.vm.stop();
  }

  [Symbol.dispose](): void {
    this.disposed = true;
    clearInterval(this.sampler);
    for (const one of this.consoles) one[Symbol.dispose]();
    this.screen?.[Symbol.dispose]();
    void this.vm.close();
  }
}
