/** One machine on the page: its run, its console and screen, its log, and its figures. */
import { type AnyVm, createVm, ScreenView, stopText, TerminalView } from "doppel/browser";
import { History } from "./history.ts";
import type { Plan } from "./plan.ts";

/** What a machine does. */
export type State = "running" | "paused" | "off";

/** How a run ended. */
type Stop = Awaited<ReturnType<AnyVm["run"]>>;

const SAMPLE_MS = 500;
const MOST_LOG = 8 << 20;
const TAIL = 32 << 10;

/** An element that fills its place. */
function host(className: string): HTMLElement {
  const element = document.createElement("div");
  element.className = className;
  return element;
}

/** A machine and its views. */
export class Session implements Disposable {
  readonly plan: Plan;
  readonly vm: AnyVm;
  readonly history = new History();
  readonly terminalHost = host("console");
  readonly screenHost = host("picture");
  terminal: TerminalView | undefined;
  screen: ScreenView | undefined;
  state: State = "running";
  /** Why it is off. */
  ending: { readonly text: string; readonly isFault: boolean } | undefined;
  private readonly changed: () => void;
  private readonly log: Uint8Array[] = [];
  private logged = 0;
  private sampler: ReturnType<typeof setInterval> | undefined;
  private disposed = false;

  private constructor(plan: Plan, vm: AnyVm, changed: () => void) {
    this.plan = plan;
    this.vm = vm;
    this.changed = changed;
    vm.serial[0]!.onOutput((bytes) => this.record(bytes));
  }

  /**
   * Makes the machine and lets it run.
   * @throws what `createVm` throws
   */
  static async start(plan: Plan, worker: boolean, changed: () => void): Promise<Session> {
    const vm = await createVm({ ...plan.options, worker });
    const session = new Session(plan, vm, changed);
    session.terminal = await TerminalView.create(session.terminalHost);
    // Before it is connected: what was said then may hold questions to the terminal, which were answered then.
    if (plan.tail !== undefined) await session.terminal.replay(plan.tail);
    session.terminal.connect(vm.serial[0]!);
    session.screen = new ScreenView(session.screenHost, vm);
    session.sampler = setInterval(() => void session.sample(), SAMPLE_MS);
    void session.run();
    return session;
  }

  private record(bytes: Uint8Array): void {
    this.log.push(bytes);
    this.logged += bytes.length;
    while (this.logged > MOST_LOG) this.logged -= this.log.shift()!.length;
  }

  /** Everything that the guest said on its serial line, the last of it. */
  logBytes(): Blob {
    return new Blob(this.log as BlobPart[], { type: "text/plain" });
  }

  /** What a saved machine's console shows again: whole lines, from the end of the log. */
  async tail(): Promise<string> {
    const blob = this.logBytes();
    const text = (this.plan.tail ?? "") + (await blob.slice(Math.max(0, blob.size - TAIL)).text());
    return text.slice(-TAIL).replace(/^[^\n]*\n/, text.length > TAIL ? "" : "$&");
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
    this.terminal?.[Symbol.dispose]();
    this.screen?.[Symbol.dispose]();
    void this.vm.close();
  }
}
