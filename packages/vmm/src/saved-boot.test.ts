// What a machine was booted from comes out of a saved state as it went in, whatever it was; and nothing else does.
import { decode, encode } from "@doppel/persist";
import { expect, test } from "vitest";
import { restoreBoot, saveBoot } from "./saved-boot.ts";
import type { BootSource } from "./virtual-machine.ts";

const [a, b] = [Uint8Array.of(1, 2, 3), Uint8Array.of(4)];

test.each<[string, BootSource]>([
  ["nothing", {}],
  ["a kernel", { kernel: { kernel: a } }],
  ["a kernel with everything", { kernel: { kernel: a, initrd: b, append: "quiet", entry: "long" } }],
  ["a multiboot image with modules", { multiboot: { image: a, modules: [{ data: b, args: "dom0" }, { data: a, args: "" }], append: "x" } }],
  ["a BIOS", { bios: a, vgaBios: b }],
])("%s", (_, source) => {
  expect(restoreBoot(decode(encode(saveBoot(source))))).toEqual(source);
});

test.each([undefined, null, 7, [], { kernel: {} }, { kernel: { kernel: "text" } }, { bios: 1 }, { multiboot: { image: a, modules: [{ data: 1 }] } }, { multiboot: { image: a, modules: {} } }])("%j is damaged", (saved) => {
  expect(() => restoreBoot(saved)).toThrow(/the file is damaged/);
});
