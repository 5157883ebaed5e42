/**
 * The client's side of gdb's remote serial protocol (gdb manual, appendix E), as far as a lockstep run needs it: registers, memory,
 * single steps, breakpoints, and the other side's own monitor.
 */
import type { Socket } from "node:net";
import { connect } from "node:net";

const numbered = (name: string, bytes: number): [string, number][] => Array.from({ length: 8 }, (_, n) => [`${name}${n}`, bytes]);

const words = (...names: string[]): [string, number][] => names.map((name) => [name, 4]);

/** QEMU's registers and their bytes, in the order of its `g` packet. Its x87 registers are the physical ones, whatever TOP is. */
export const LAYOUT: readonly (readonly [name: string, bytes: number])[] = [
  ...words("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags", "cs", "ss", "ds", "es", "fs", "gs"),
  ...words("fs_base", "gs_base", "k_gs_base", "cr0", "cr2", "cr3", "cr4", "cr8", "efer"),
  ...numbered("fpr", 10), ...words("fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"), ...numbered("xmm", 16), ...words("mxcsr"),
];

/** Registers by name, as bytes. */
export type RegisterBytes = Record<string, Uint8Array>;

/** A register as a number, its low 32 bits. */
export function word(registers: RegisterBytes, name: string): number {
  const bytes = registers[name]!;
  return (bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0;
}

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

  /** All registers of {@link LAYOUT}. */
  async registers(): Promise<RegisterBytes> {
    const reply = Buffer.from(await this.request("g"), "hex");
    let at = 0;
    return Object.fromEntries(LAYOUT.map(([name, bytes]) => [name, reply.subarray(at, (at += bytes))]));
  }

  /** Bytes at a linear address; undefined where nothing is mapped. */
  async memory(linear: number, length: number): Promise<Uint8Array | undefined> {
    const reply = await this.request(`m${linear.toString(16)},${length.toString(16)}`);
    return reply.startsWith("E") && reply.length === 3 ? undefined : Buffer.from(reply, "hex");
  }

  /** Executes one instruction, or delivers a fault; without interrupts, unless they were asked for. */
  async step(): Promise<void> {
    await this.request("s");
  }

  /** Runs until the nth arrival at a linear address. */
  async runTo(address: number, hits = 1): Promise<void> {
    const place = `1,${address.toString(16)},1`;
    for (let n = 0; n < hits; n++) {
      if (n > 0) await this.step();
      await this.request(`Z${place}`);
      await this.request("c");
      await this.request(`z${place}`);
    }
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
