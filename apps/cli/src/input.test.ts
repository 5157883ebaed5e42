import { describe, expect, it } from "vitest";
import { EscapeFilter } from "./escape-filter.ts";
import { LineEditor } from "./line-editor.ts";
import { parseAddress, parseDuration, parseMemory, parseModule, parseSerial } from "./values.ts";

const text = (value: string): Uint8Array => Buffer.from(value, "latin1");
const plain = (filter: EscapeFilter, value: string): unknown[] =>
  filter.feed(text(value)).map((event) => (event.kind === "data" ? Buffer.from(event.bytes).toString("latin1") : event));

describe("escape sequences", () => {
  it("splits data and commands in order", () => {
    expect(plain(new EscapeFilter(), "ab\x01cinfo\x01Xz")).toEqual(
      ["ab", { kind: "command", command: "monitor" }, "info", { kind: "command", command: "quit" }, "z"]);
  });
  it("remembers Ctrl-A between pieces, sends it when doubled, and drops what it does not know", () => {
    const filter = new EscapeFilter();
    expect(plain(filter, "\x01")).toEqual([]);
    expect(plain(filter, "h")).toEqual([{ kind: "command", command: "help" }]);
    expect(plain(filter, "\x01\x01\x01qx\x03")).toEqual(["\x01x\x03"]);
  });
});

describe("line editor", () => {
  it("echoes, erases, and ignores cursor keys", () => {
    let echo = "";
    const editor = new LineEditor((shown) => (echo += shown));
    expect(editor.feed(text("ax\x7f\x1b[Ab\rhalf"))).toEqual(["ab"]);
    expect(editor.feed(text("\x15whole\n"))).toEqual(["whole"]);
    expect(echo).toBe(`ax\b \bb\nhalf${"\b \b".repeat(4)}whole\n`);
  });
});

describe("values", () => {
  it("reads sizes, durations, addresses and targets", () => {
    expect([parseMemory("256M"), parseMemory("64"), parseMemory("1GiB"), parseMemory("65536k")]).toEqual([256, 64, 1024, 64].map((mib) => mib * 2 ** 20));
    expect([parseDuration("60s"), parseDuration("500ms"), parseDuration("2m"), parseDuration("1.5")]).toEqual([60_000, 500, 120_000, 1500]);
    expect(parseAddress("--gdb", "1234")).toEqual({ host: "127.0.0.1", port: 1234 });
    expect(parseAddress("--gdb", "0.0.0.0:1234")).toEqual({ host: "0.0.0.0", port: 1234 });
    expect(parseSerial("file:a:b")).toEqual({ kind: "file", path: "a:b" });
    expect(parseModule(" initrd.img  root=x ")).toEqual({ path: "initrd.img", args: "initrd.img  root=x" });
  });
});
