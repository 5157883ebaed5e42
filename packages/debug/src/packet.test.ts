import { expect, test } from "vitest";
import { bytesOf, numberOf, packetBytes, PACKET_SIZE, PacketReader } from "./packet.ts";

// Packets as the gdb manual's appendix E.1 writes them; the checksums of `OK` and `?` are the ones that every stub sends.

const latin = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

test("E.1: a packet is $body#checksum", () => {
  expect(text(packetBytes("OK"))).toBe("$OK#9a");
  expect(text(packetBytes(""))).toBe("$#00");
  expect(new PacketReader().read(latin("+$?#3f"))).toEqual([{ kind: "packet", body: "?" }]);
});

test("E.1: } escapes $ # } and *, and the checksum is of the escaped bytes", () => {
  const bytes = packetBytes("a$b#c}d*e");
  expect(text(bytes)).toBe("$a}\u0004b}\u0003c}]d}\ne#" + text(bytes).slice(-2));
  expect(new PacketReader().read(bytes)).toEqual([{ kind: "packet", body: "a$b#c}d*e" }]);
});

test("bytes may come one at a time, with an interrupt and a request to repeat between packets", () => {
  const reader = new PacketReader();
  const events = [...latin("$g#67\u0003-$m0,4#fd")].flatMap((byte) => reader.read(Uint8Array.of(byte)));
  expect(events).toEqual([{ kind: "packet", body: "g" }, { kind: "interrupt" }, { kind: "again" }, { kind: "packet", body: "m0,4" }]);
});

test("a wrong checksum, digits that are none, and an endless packet are damaged; the next packet is read", () => {
  const reader = new PacketReader();
  expect(reader.read(latin("$g#68"))).toEqual([{ kind: "damaged" }]);
  expect(reader.read(latin("$g#xy"))).toEqual([{ kind: "damaged" }]);
  expect(reader.read(latin(`$${"0".repeat(PACKET_SIZE + 1)}#00`))).toEqual([{ kind: "damaged" }]);
  // A packet that breaks off: the next one's beginning ends it.
  expect(reader.read(latin("$half$g#67"))).toEqual([{ kind: "packet", body: "g" }]);
});

test("numbers and bytes are hexadecimal or nothing", () => {
  expect([numberOf("ff"), numberOf(""), numberOf("-1"), numberOf("ffffffffffffffff")]).toEqual([255, undefined, undefined, undefined]);
  expect([bytesOf("00ff"), bytesOf("0"), bytesOf("zz")]).toEqual([Uint8Array.of(0, 255), undefined, undefined]);
});
