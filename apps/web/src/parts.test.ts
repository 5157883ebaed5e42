// What links and files say, without a browser.
import { embeddedGuest } from "@doppel/guests";
import { KEYS } from "@doppel/devices";
import { describe, expect, it } from "vitest";
import { memorySize, strokesOf } from "doppel/browser";
import { fileKind } from "./file-kind.ts";
import { fileName, mebibytes, short } from "./format.ts";
import { LinkError, readLink, writeLink } from "./link.ts";

describe("links", () => {
  it("say what to boot", () => {
    expect(readLink("?guest=debian-12-amd64&cmdline=console%3DttyS0+quiet&memory=512M&cpus=2&cpu=max&display=screen&off=tailCalls,opfs"))
      .toEqual({ guest: "debian-12-amd64", cmdline: "console=ttyS0 quiet", memory: 512 << 20, cpus: 2, cpu: "max", display: "screen", off: ["tailCalls", "opfs"] });
    // As the issue writes it, with a bare equals sign in the value.
    expect(readLink("?guest=debian-12-amd64&cmdline=console=ttyS0").cmdline).toBe("console=ttyS0");
    expect(readLink("")).toEqual({ off: [] });
  });
  it("come back as they were", () => {
    for (const options of [{ off: [] }, { guest: "embedded", memory: 5 << 19, off: ["simd"] }, { saved: "a b&c", display: "serial", off: [] }] as const) {
      expect(readLink(writeLink(options))).toEqual(options);
    }
  });
  it.each(["?memory=lots", "?cpus=two", "?display=telex"])("%s is refused", (query) => expect(() => readLink(query)).toThrow(LinkError));
});

describe("files", () => {
  /** Text, and numbers of zeros. */
  const bytes = (...parts: (string | number)[]): Uint8Array =>
    Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? [...part].map((c) => c.charCodeAt(0)) : Array<number>(part).fill(0))));
  it.each([
    ["saved", bytes("DPLS", 20)], ["kernel", bytes(0x202, "HdrS", 20)], ["kernel", bytes("\x7fELF", 60)], ["initrd", bytes("070701", 20)], ["initrd", bytes("\x1f\x8b", 20)],
    ["initrd", bytes("\xfd7zXZ", 20)], ["unknown", bytes("hello")], ["unknown", bytes()], ["multiboot", embeddedGuest().image],
  ])("%s", (kind, content) => expect(fileKind(content)).toBe(kind));
});

it("sizes", () => {
  expect(["256M", "1g", "0.5 GiB", "4096", "64kB"].map(memorySize)).toEqual([2 ** 28, 2 ** 30, 2 ** 29, 4096, 65536]);
  expect(["", "much", "1T", "-1M", "1 2"].every((text) => Number.isNaN(memorySize(text)))).toBe(true);
  expect([0, 7, 0.04, 950, 12_345, 5.4e8, 1.25e9].map(short)).toEqual(["0", "7", "0.04", "950", "12.3 k", "540 M", "1.3 G"]);
  expect([1, 30_000, 2 ** 20, 5 * 2 ** 19, 256 * 2 ** 20, 2 ** 30].map(mebibytes)).toEqual(["1 KiB", "30 KiB", "1 MiB", "2.5 MiB", "256 MiB", "1 GiB"]);
  expect(fileName("Debian 12, 64 bit")).toBe("debian-12-64-bit");
});

it("every character of ASCII is typed by a key that the guest's keyboard has", () => {
  const text = Array.from({ length: 95 }, (_, n) => String.fromCharCode(32 + n)).join("");
  const strokes = strokesOf(`${text}\n\t`);
  expect(strokes.length).toBe(97);
  expect(strokes.filter(({ code }) => !Object.hasOwn(KEYS, code))).toEqual([]);
  expect(new Set(strokes.map(({ code, shift }) => `${code} ${shift}`)).size).toBe(97);
  expect(strokesOf("aA1!?|~ü")).toEqual([
    { code: "KeyA", shift: false }, { code: "KeyA", shift: true }, { code: "Digit1", shift: false }, { code: "Digit1", shift: true }, { code: "Slash", shift: true },
    { code: "Backslash", shift: true }, { code: "Backquote", shift: true },
  ]);
});
