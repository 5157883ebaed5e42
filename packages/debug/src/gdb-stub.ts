/**
 * The remote side of gdb (gdb manual, appendix E "gdb Remote Serial Protocol") for one machine. Its processor is thread 1; of several, the one whose turn it is. Bytes
 * go in and out; who carries them is the caller's business. While the guest runs, only an interrupt is awaited: a packet that
 * comes nevertheless stops the guest first.
 */
import type { Processor } from "@doppel/cpu";
import type { Stop } from "@doppel/vmm";
import { currentProcessor, type Debuggee, Stepper } from "./debuggee.ts";
import { readLinear, writeLinear } from "./guest-memory.ts";
import { monitorCommand } from "./monitor-command.ts";
import { bytesOf, hexOf, numberOf, packetBytes, type PacketEvent, PACKET_SIZE, PacketReader } from "./packet.ts";
import { I386_FEATURES, I386_REGISTERS } from "./registers.ts";
import { Stops } from "./stops.ts";
import { targetXml } from "./target-description.ts";

const OK = "OK";
/** An errno, as the protocol has it: no such thing, bad address. */
const BAD_PACKET = "E16";
const BAD_ADDRESS = "E0e";
/** "Not known here": gdb does without. */
const UNKNOWN = "";
const SIGTRAP = 5;
/** Stopped by Ctrl-C: SIGINT. */
const INTERRUPTED = "T02thread:01;";
const FEATURES = [
  `PacketSize=${PACKET_SIZE.toString(16)}`, "qXfer:features:read+", "swbreak+", "hwbreak+", "vContSupported+", "QStartNoAckMode+",
].join(";");

/**
 * One debugger's session. It begins with the machine stopped, and ends with it running, unless the debugger killed it.
 *
 * @example
 * const stub = new GdbStub(vm, (bytes) => socket.write(bytes));
 * socket.on("data", (bytes) => stub.receive(bytes));
 * socket.on("close", () => stub[Symbol.dispose]());
 */
export class GdbStub implements Disposable {
  private readonly debuggee: Debuggee;
  private readonly send: (bytes: Uint8Array) => void;
  private readonly reader = new PacketReader();
  private readonly stops: Stops;
  private readonly stepper: Stepper;
  private readonly xml = targetXml("i386", I386_FEATURES);
  private work: Promise<void> = Promise.resolve();
  private running = true;
  private ended = false;
  private acknowledge = true;
  private last: Uint8Array | undefined;
  private lastStop = `T0${SIGTRAP}thread:01;`;

  /** @param debuggee the machine, which is stopped at once @param send takes the bytes for the debugger */
  constructor(debuggee: Debuggee, send: (bytes: Uint8Array) => void) {
    this.debuggee = debuggee;
    this.send = send;
    this.stops = new Stops(debuggee.machine.processors);
    this.stepper = new Stepper(debuggee.machine);
    // Asked for at once: a machine that has not begun must not begin.
    const still = debuggee.pause();
    this.later(async () => {
      await still;
      this.running = false;
    });
  }

  /** Resolves when everything that was received has been answered. */
  get settled(): Promise<void> {
    return this.work;
  }

  /** Takes bytes from the debugger: any bytes. */
  receive(bytes: Uint8Array): void {
    for (const event of this.reader.read(bytes)) {
      if (event.kind === "interrupt") this.stepper.cancel();
      this.later(() => this.handle(event));
    }
  }

  /** To be called when the machine's run ended with "breakpoint", and the machine is paused. */
  stopped(): void {
    if (this.running) this.report(this.reason());
  }

  /** To be called when the machine will not run again: `W` with its exit status, or `X` where it did not end by itself. */
  exited(stop: Stop): void {
    if (this.ended) return;
    this.ended = true;
    const status = stop.kind === "debug-exit" ? ((stop.value << 1) | 1) & 0xff : 0;
    const report = stop.kind === "host-fault" || stop.kind === "triple-fault" ? "X06" : `W${status.toString(16).padStart(2, "0")}`;
    if (this.running) this.report(report);
    this.lastStop = report;
  }

  /** The debugger is gone: its breakpoints go, and the machine goes on. */
  [Symbol.dispose](): void {
    this.stepper.cancel();
    // Nothing may stop the guest any more for a debugger that hears nothing of it.
    this.stops.clear();
    this.later(() => {
      this.release();
      this.ended = true;
    });
  }

  private later(action: () => void | Promise<void>): void {
    this.work = this.work.then(action).catch((error: unknown) => this.reply(`E.${error instanceof Error ? error.message : String(error)}`));
  }

  private async handle(event: PacketEvent): Promise<void> {
    if (event.kind === "again") {
      if (this.acknowledge && this.last !== undefined) this.send(this.last);
      return;
    }
    if (event.kind === "damaged") {
      if (this.acknowledge) this.send(Uint8Array.of(0x2d));
      return;
    }
    if (event.kind === "packet" && this.acknowledge) this.send(Uint8Array.of(0x2b));
    if (this.running && !this.ended) {
      await this.debuggee.pause();
      // A breakpoint or the end of the guest may have come first, and has been reported then.
      if (this.running && !this.ended) this.report(INTERRUPTED);
    }
    if (event.kind !== "packet") return;
    const answer = await this.answer(event.body);
    if (answer !== undefined) this.reply(answer);
  }

  private reply(body: string): void {
    this.last = packetBytes(body);
    this.send(this.last);
  }

  private report(stop: string): void {
    this.running = false;
    this.lastStop = stop;
    this.reply(stop);
  }

  /** The processor whose turn it is: what gdb sees. */
  private get processor(): Processor {
    return currentProcessor(this.debuggee.machine);
  }

  /** Why the machine stands where it stands. */
  private reason(): string {
    const { cpu, engine } = this.processor;
    const hit = engine.watchHit;
    if (hit !== undefined) {
      const name = { write: "watch", read: "rwatch", access: "awatch" }[hit.on];
      return `T0${SIGTRAP}thread:01;${name}:${(hit.linear >>> 0).toString(16)};`;
    }
    const kind = this.stops.at(cpu.wrap(cpu.state.segmentBase(1) + cpu.state.rip));
    return `T0${SIGTRAP}thread:01;${kind === undefined ? "" : `${kind}:;`}`;
  }

  /** The answer to a packet; undefined when it comes later, or never. */
  private async answer(body: string): Promise<string | undefined> {
    const rest = body.slice(1);
    switch (body[0]) {
      case "?": return this.lastStop;
      case "g": return I386_REGISTERS.map((register) => hexOf(register.read(this.processor.cpu))).join("");
      case "G": return this.writeRegisters(rest);
      case "p": return this.readRegister(rest);
      case "P": return this.writeRegister(rest);
      case "m": return this.readMemory(rest);
      case "M": return this.writeMemory(rest, bytesOf(rest.slice(rest.indexOf(":") + 1)));
      case "X": return this.writeMemory(rest, Uint8Array.from(rest.slice(rest.indexOf(":") + 1), (letter) => letter.charCodeAt(0)));
      case "Z": case "z": return this.changeStop(body[0] === "Z", rest);
      case "c": case "C": return this.resume(body[0] === "c" ? rest : rest.split(";")[1] ?? "");
      case "s": case "S": return this.step(body[0] === "s" ? rest : rest.split(";")[1] ?? "");
      case "H": case "T": return OK;
      case "D": return this.detach();
      case "k": return this.kill();
      case "q": return this.query(rest);
      case "Q": return this.set(rest);
      case "v": return this.verbose(rest);
      default: return UNKNOWN;
    }
  }

  private readRegister(rest: string): string {
    const register = I386_REGISTERS[numberOf(rest) ?? -1];
    return register === undefined ? BAD_PACKET : hexOf(register.read(this.processor.cpu));
  }

  private writeRegister(rest: string): string {
    const [number = "", value = ""] = rest.split("=");
    const register = I386_REGISTERS[numberOf(number) ?? -1];
    const bytes = bytesOf(value);
    if (register === undefined || bytes === undefined || bytes.length !== register.bits / 8) return BAD_PACKET;
    return register.write(this.processor.cpu, bytes) ? OK : BAD_PACKET;
  }

  /** All registers; those that cannot be written stay as they are. */
  private writeRegisters(rest: string): string {
    const bytes = bytesOf(rest);
    if (bytes === undefined) return BAD_PACKET;
    let at = 0;
    for (const register of I386_REGISTERS) {
      const value = bytes.subarray(at, (at += register.bits / 8));
      if (value.length < register.bits / 8) break;
      register.write(this.processor.cpu, value);
    }
    return OK;
  }

  private readMemory(rest: string): string {
    const [linear, length] = rest.split(",").map(numberOf);
    if (linear === undefined || length === undefined) return BAD_PACKET;
    const bytes = readLinear(this.debuggee.machine, linear, Math.min(length, PACKET_SIZE / 2));
    return bytes.length === 0 && length > 0 ? BAD_ADDRESS : hexOf(bytes);
  }

  private writeMemory(rest: string, bytes: Uint8Array | undefined): string {
    const [linear, length] = rest.slice(0, Math.max(0, rest.indexOf(":"))).split(",").map(numberOf);
    if (linear === undefined || bytes === undefined || length !== bytes.length) return BAD_PACKET;
    return writeLinear(this.debuggee.machine, linear, bytes) ? OK : BAD_ADDRESS;
  }

  private changeStop(insert: boolean, rest: string): string {
    const [type, linear, length] = rest.split(";")[0]!.split(",").map(numberOf);
    if (type === undefined || linear === undefined || length === undefined) return BAD_PACKET;
    if (!this.stops.knows(type)) return UNKNOWN;
    if (insert) return this.stops.insert(type, linear, length) ? OK : BAD_PACKET;
    this.stops.remove(type, linear, length);
    return OK;
  }

  /** Goes to an address, if there is one in the packet. */
  private jump(address: string): boolean {
    if (address === "") return true;
    const target = numberOf(address);
    if (target === undefined || target > 0xffff_ffff) return false;
    this.processor.cpu.state.rip = target;
    return true;
  }

  private resume(address: string): string | undefined {
    if (this.ended) return this.lastStop;
    if (!this.jump(address)) return BAD_PACKET;
    this.running = true;
    this.processor.engine.watchHit = undefined;
    this.debuggee.resume();
    return undefined;
  }

  private async step(address: string): Promise<string> {
    if (this.ended) return this.lastStop;
    if (!this.jump(address)) return BAD_PACKET;
    this.processor.engine.watchHit = undefined;
    const interrupted = await this.stepper.step();
    return (this.lastStop = interrupted ? INTERRUPTED : this.reason());
  }

  /** Steps until EIP leaves a range of addresses: how gdb steps over a line of source. */
  private async stepRange(range: string): Promise<string> {
    const [from, to] = range.split(",").map(numberOf);
    if (from === undefined || to === undefined) return BAD_PACKET;
    if (this.ended) return this.lastStop;
    const { cpu, engine } = this.processor;
    const interrupted = await this.stepper.stepWhile(() => {
      const { rip } = cpu.state;
      return rip >= from && rip < to && engine.watchHit === undefined && this.stops.at(cpu.wrap(cpu.state.segmentBase(1) + rip)) === undefined;
    });
    return (this.lastStop = interrupted ? INTERRUPTED : this.reason());
  }

  private detach(): string {
    this.release();
    return OK;
  }

  private release(): void {
    this.stops.clear();
    if (this.running || this.ended) return;
    this.running = true;
    this.debuggee.resume();
  }

  private kill(): undefined {
    this.stops.clear();
    this.ended = true;
    this.debuggee.stop();
    return undefined;
  }

  private query(rest: string): string {
    const [name = "", ...parts] = rest.split(/[:,]/);
    switch (name) {
      case "Supported": return FEATURES;
      case "C": return "QC01";
      case "fThreadInfo": return "m01";
      case "sThreadInfo": return "l";
      case "ThreadExtraInfo": return hexOf(new TextEncoder().encode(this.debuggee.machine.isHalted ? "CPU, halted" : "CPU"));
      case "Attached": return "1";
      case "Symbol": return OK;
      case "Xfer": return this.transfer(parts);
      case "Rcmd": return this.monitor(parts[0] ?? "");
      default: return UNKNOWN;
    }
  }

  private transfer([object, operation, annex, offset, length]: string[]): string {
    if (object !== "features" || operation !== "read") return UNKNOWN;
    const from = numberOf(offset ?? "");
    const count = numberOf(length ?? "");
    if (annex !== "target.xml" || from === undefined || count === undefined) return "E00";
    const piece = this.xml.slice(from, from + Math.min(count, PACKET_SIZE / 2));
    return (from + piece.length < this.xml.length ? "m" : "l") + piece;
  }

  private monitor(hex: string): string {
    const bytes = bytesOf(hex);
    if (bytes === undefined) return BAD_PACKET;
    const text = monitorCommand(this.debuggee, new TextDecoder().decode(bytes));
    // Output comes in pieces, marked as such; the answer ends it.
    const encoded = new TextEncoder().encode(text);
    for (let at = 0; at < encoded.length; at += PACKET_SIZE / 4) this.reply(`O${hexOf(encoded.subarray(at, at + PACKET_SIZE / 4))}`);
    return OK;
  }

  private set(rest: string): string {
    if (rest !== "StartNoAckMode") return UNKNOWN;
    this.acknowledge = false;
    return OK;
  }

  private verbose(rest: string): string | undefined | Promise<string> {
    if (rest === "Cont?") return "vCont;c;C;s;S;r";
    if (rest.startsWith("Kill")) {
      this.kill();
      return OK;
    }
    if (!rest.startsWith("Cont;")) return UNKNOWN;
    // One thread: the first action is its.
    const action = rest[5];
    if (action === "s" || action === "S") return this.step("");
    if (action === "r") return this.stepRange(rest.slice(6).split(/[:;]/)[0]!);
    return action === "c" || action === "C" ? this.resume("") : BAD_PACKET;
  }
}
