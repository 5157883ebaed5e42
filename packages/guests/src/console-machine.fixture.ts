/** For tests: a PC that boots the embedded guest, its time the instruction count, with a terminal on COM1. */
import { type Stop, VirtualMachine } from "@doppel/vmm";
import { embeddedGuest } from "./embedded-guest.ts";

/** Virtual milliseconds after which a guest that says nothing is given up. */
const PATIENCE = 10_000;

/** A machine, and someone at its terminal. */
export class ConsoleMachine {
  readonly vm: VirtualMachine;
  /** How the guest has ended the machine, once it has. */
  end: Stop | undefined;
  private sent = "";
  private read = 0;
  private awaited = "";
  private typed: number[] = [];

  constructor(commandLine = "") {
    this.vm = new VirtualMachine({
      memory: 8 << 20, multiboot: { image: embeddedGuest().image, append: commandLine }, deterministic: true, debugExit: true, noReboot: true,
      wallClock: Date.UTC(2024, 1, 29, 23, 59, 58) / 1000,
      serial: [{ output: (byte) => this.output(byte), ready: () => this.feed() }],
    });
  }

  /** Runs for a time in virtual milliseconds, or until the awaited text has come. */
  async runFor(milliseconds: number): Promise<void> {
    const { vm } = this;
    const limit = vm.clock.schedule(vm.clock.now() + milliseconds * 1e6, () => vm.requestStop(), "test");
    const stop = await vm.run();
    limit.cancel();
    if (stop.kind !== "stopped") this.end = stop;
  }

  /** Runs until `text` has been sent since the last call, and gives what was sent before it. Carriage returns are left out. */
  async waitFor(text: string): Promise<string> {
    this.awaited = text;
    if (!this.sent.includes(text, this.read)) await this.runFor(PATIENCE);
    this.awaited = "";
    const at = this.sent.indexOf(text, this.read);
    if (at < 0) throw new Error(`${JSON.stringify(text)} did not come, but ${JSON.stringify(this.sent.slice(this.read))}`);
    const before = this.sent.slice(this.read, at);
    this.read = at + text.length;
    return before;
  }

  /** Types on COM1, as fast as the guest reads. */
  type(text: string): void {
    this.typed.push(...new TextEncoder().encode(text));
    this.feed();
  }

  /** Types a line, and gives what the guest says to it, up to the next prompt. */
  async ask(line: string): Promise<string> {
    this.type(`${line}\r`);
    await this.waitFor(`${line}\n`);
    return this.waitFor(embeddedGuest().prompt);
  }

  private output(byte: number): void {
    if (byte !== 13) this.sent += String.fromCharCode(byte);
    if (this.awaited !== "" && this.sent.includes(this.awaited, this.read)) this.vm.requestStop();
  }

  private feed(): void {
    this.typed = this.typed.slice(this.vm.chipset.serial[0]!.input(Uint8Array.from(this.typed)));
  }
}
