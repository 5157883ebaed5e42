/**
 * Packets of gdb's remote serial protocol (gdb manual, appendix E.1 "Overview"): `$body#cs`, where cs is the sum of the body's bytes
 * modulo 256 in two hexadecimal digits, `+` and `-` to acknowledge, and byte 03h for an interrupt. Bodies are strings of characters
 * 0 to 255 here; `}` escapes a byte of a body, which follows exclusive-or 20h.
 */

/** The greatest body that is taken; longer ones are dropped as damaged. */
export const PACKET_SIZE = 0x4000;

const START = 0x24;
const END = 0x23;
const ESCAPE = 0x7d;
const INTERRUPT = 0x03;

/** What arrived. */
export type PacketEvent =
  | { readonly kind: "packet"; readonly body: string }
  /** A packet with a wrong checksum, or one that is too long. */
  | { readonly kind: "damaged" }
  /** `-`: the other side asks for the last packet again. */
  | { readonly kind: "again" }
  | { readonly kind: "interrupt" };

/**
 * Cuts a byte stream into packets. Any stream is taken; what is no packet is passed over.
 *
 * @example
 * new PacketReader().read(new TextEncoder().encode("+$?#3f")); // [{ kind: "packet", body: "?" }]
 */
export class PacketReader {
  /** Bytes of the body so far; undefined between packets. */
  private body: number[] | undefined;
  private long = false;
  /** Digits of the checksum that are still to come, and those that came. */
  private digits = 0;
  private checksum = "";

  /** Takes bytes, and gives what they complete, in order. */
  read(bytes: Uint8Array): PacketEvent[] {
    const events: PacketEvent[] = [];
    for (const byte of bytes) {
      const event = this.take(byte);
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  private take(byte: number): PacketEvent | undefined {
    if (this.digits > 0) {
      this.checksum += String.fromCharCode(byte);
      this.digits--;
      return this.digits > 0 ? undefined : this.complete();
    }
    if (byte === START) {
      this.body = [];
      this.long = false;
    } else if (this.body === undefined) {
      if (byte === INTERRUPT) return { kind: "interrupt" };
      if (byte === 0x2d) return { kind: "again" };
    } else if (byte === END) {
      this.digits = 2;
      this.checksum = "";
    } else if (this.body.length < PACKET_SIZE) {
      this.body.push(byte);
    } else {
      this.long = true;
    }
    return undefined;
  }

  private complete(): PacketEvent {
    const body = this.body!;
    this.body = undefined;
    const sum = body.reduce((total, byte) => total + byte, 0) & 0xff;
    if (this.long || !/^[0-9a-fA-F]{2}$/.test(this.checksum) || Number.parseInt(this.checksum, 16) !== sum) return { kind: "damaged" };
    let text = "";
    for (let n = 0; n < body.length; n++) {
      text += String.fromCharCode(body[n] === ESCAPE && n + 1 < body.length ? body[++n]! ^ 0x20 : body[n]!);
    }
    return { kind: "packet", body: text };
  }
}

/**
 * A packet as bytes, escaped and with its checksum.
 *
 * @example
 * String.fromCharCode(...packetBytes("OK")); // "$OK#9a"
 */
export function packetBytes(body: string): Uint8Array {
  const bytes = [START];
  let sum = 0;
  const add = (byte: number): void => {
    bytes.push(byte);
    sum = (sum + byte) & 0xff;
  };
  for (let n = 0; n < body.length; n++) {
    const byte = body.charCodeAt(n) & 0xff;
    // `*` would begin a run-length code.
    if (byte === START || byte === END || byte === ESCAPE || byte === 0x2a) {
      add(ESCAPE);
      add(byte ^ 0x20);
    } else add(byte);
  }
  bytes.push(END, ...hexOf(Uint8Array.of(sum)).split("").map((digit) => digit.charCodeAt(0)));
  return Uint8Array.from(bytes);
}

/** Bytes as hexadecimal digits, in order. */
export function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += (byte < 16 ? "0" : "") + byte.toString(16);
  return text;
}

/** The bytes of hexadecimal digits; undefined when the text is something else. */
export function bytesOf(hex: string): Uint8Array | undefined {
  if (hex.length % 2 !== 0 || /[^0-9a-fA-F]/.test(hex)) return undefined;
  return Uint8Array.from({ length: hex.length / 2 }, (_, n) => Number.parseInt(hex.slice(2 * n, 2 * n + 2), 16));
}

/** A number in hexadecimal as the protocol writes it, at most 2^53; undefined when the text is something else. */
export function numberOf(hex: string): number | undefined {
  if (!/^[0-9a-fA-F]{1,16}$/.test(hex)) return undefined;
  const value = Number.parseInt(hex, 16);
  return Number.isSafeInteger(value) ? value : undefined;
}
