/**
 * The client's side of gdb's remote serial protocol (gdb manual, appendix E), as far as a lockstep run needs it: registers, memory,
 * single steps, breakpoints, and the other side's own monitor.
 */
import type { Socket } from "node:net";
import { connect } from "node:net";

/** The first sixteen registers of gdb's i386 description, in its order. */
export const REGISTERS = [
  "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags", "cs", "ss", "ds", "es", "fs", "gs",
] as const;

/** A connection to a stub, at most one request at a time. */
export class GdbClient {
  readonly #socket: Socket;
  #pending = "";
  #waiting: ((packet: string) => void) | undefined;
  readonly #packets: string[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => this.#receive(text));
  }

  /** Connects to a Unix socket, trying again for a while, since the other side has to create it first. */
  static async connect(path: string): Promise<GdbClient> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await new Promise((resolve, reject) => {
          const socket = connect(path, () => resolve(new GdbClient(socket)));
          socket.on("error", reject);
        });
      } catch (error) {
        if (attempt === 100) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Sends a request and gives the reply. */
  async request(packet: string): Promise<string> {
    let sum = 0;
    for (let i = 0; i < packet.length; i++) sum = (sum + packet.charCodeAt(i)) & 0xff;
    this.#socket.write(`$${packet}#${sum.toString(16).padStart(2, "0")}`);
    return this.#next();
  }

  /** Values in the order of {@link REGISTERS}. */
  async registers(): Promise<Uint32Array> {
    const reply = Buffer.from(await this.request("g"), "hex");
    return Uint32Array.from(REGISTERS, (_, i) => reply.readUInt32LE(i * 4));
  }

  /** Executes one instruction, without interrupts. */
  async step(): Promise<void> {
    await this.request("s");
  }

  /** Runs until a breakpoint at a linear address. */
  async runTo(address: number): Promise<void> {
    await this.request(`Z1,${address.toString(16)},1`);
    await this.request("c");
    await this.request(`z1,${address.toString(16)},1`);
  }

  /** A command of the other side's monitor; gives what it prints. */
  async monitor(command: string): Promise<string> {
    let text = "";
    let reply = await this.request(`qRcmd,${Buffer.from(command).toString("hex")}`);
    while (reply.startsWith("O") && reply !== "OK") {
      text += Buffer.from(reply.slice(1), "hex").toString("latin1");
      reply = await this.#next();
    }
    return text;
  }

  #next(): Promise<string> {
    const packet = this.#packets.shift();
    return packet === undefined ? new Promise((resolve) => (this.#waiting = resolve)) : Promise.resolve(packet);
  }

  #receive(text: string): void {
    this.#pending += text;
    for (;;) {
      const start = this.#pending.indexOf("$");
      const end = this.#pending.indexOf("#", start);
      if (start < 0 || end < 0 || this.#pending.length < end + 3) return;
      const packet = this.#pending.slice(start + 1, end);
      this.#pending = this.#pending.slice(end + 3);
      this.#socket.write("+");
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting) waiting(packet);
      else this.#packets.push(packet);
    }
  }
}
