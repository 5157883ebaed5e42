/**
 * A serial line from the host's side: output goes to listeners in pieces as the guest sends it, input waits here until the
 * UART has room. Nothing that was typed is lost, however fast it came.
 */
import type { SerialBackend, Uart } from "@doppel/devices";
import type { OutputListener, SerialLine } from "./any-vm.ts";

/** One of COM1 to COM4. */
export class SerialPort implements SerialBackend, SerialLine {
  /** Set once the machine stands. */
  uart: Uart | undefined;
  private readonly listeners = new Set<OutputListener>();
  private readonly sent: number[] = [];
  private waiting: Uint8Array[] = [];
  private readonly wake: () => void;

  /** @param wake called when input has come that a sleeping machine should look at */
  constructor(wake: () => void) {
    this.wake = wake;
  }

  /** Takes a byte from the guest; listeners get it with its neighbours, once the guest's turn is over. */
  output(byte: number): void {
    if (this.sent.push(byte) === 1) queueMicrotask(() => this.flush());
    if (this.sent.length >= 4096) this.flush();
  }

  /** Hands what the guest has sent to the listeners now. */
  flush(): void {
    if (this.sent.length === 0) return;
    const bytes = Uint8Array.from(this.sent);
    this.sent.length = 0;
    for (const listener of this.listeners) listener(bytes);
  }

  /** The UART has room again. */
  ready(): void {
    while (this.waiting.length > 0) {
      const first = this.waiting[0]!;
      const taken = this.uart?.input(first) ?? 0;
      if (taken < first.length) {
        this.waiting[0] = first.subarray(taken);
        return;
      }
      this.waiting.shift();
    }
  }

  /** Calls `listener` with what the guest sends from now on, until the result is disposed of. */
  onOutput(listener: OutputListener): Disposable {
    this.listeners.add(listener);
    return { [Symbol.dispose]: () => void this.listeners.delete(listener) };
  }

  /** Sends text or bytes to the guest. */
  write(data: Uint8Array | string): void {
    this.waiting.push(typeof data === "string" ? new TextEncoder().encode(data) : data.slice());
    this.ready();
    this.wake();
  }
}
