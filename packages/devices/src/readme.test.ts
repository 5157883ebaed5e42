import { Clock, CountTime } from "@doppel/clock";
import { expect, test } from "vitest";
import { PcChipset } from "./index.ts";

test("the README's example", () => {
  let sent = "";
  const clock = new Clock(new CountTime(() => 0));
  const memory = { readBytes: (_physical: number, into: Uint8Array) => void into.fill(0xff), writeBytes: () => {} };
  const cpuEvents = () => ({ nmi() {}, init() {}, smi() {}, sipi() {} });
  const host = { reset() {}, powerOff() {}, setA20() {}, interrupt() {}, cpuEvents };
  const serial = [{ output: (byte: number) => void (sent += String.fromCharCode(byte)) }];
  const pc = new PcChipset({ clock, memory, memorySize: { below4G: 2 ** 24, above4G: 0 }, host, serial });
  for (const letter of "hi") pc.ports.write(0x3f8, 1, letter.charCodeAt(0));
  expect(sent).toBe("hi");
  expect(pc.screen().rows.length).toBe(25);
});
