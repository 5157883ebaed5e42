// Expectations: Linux documentation, "initramfs buffer format" (Documentation/driver-api/early-userspace/buffer-format).
import { describe, expect, it } from "vitest";
import { CpioArchive, makeInitramfs } from "./index.ts";

interface Entry { name: string; mode: number; links: number; device: [number, number]; data: string }

/** Reads an archive back as the specification describes it. */
function read(archive: Uint8Array): Entry[] {
  const text = (from: number, to: number): string => Buffer.from(archive.subarray(from, to)).toString("latin1");
  const entries: Entry[] = [];
  for (let at = 0; ;) {
    expect(text(at, at + 6)).toBe("070701");
    const field = (i: number): number => Number.parseInt(text(at + 6 + i * 8, at + 14 + i * 8), 16);
    const name = text(at + 110, at + 110 + field(11) - 1);
    expect(archive[at + 110 + field(11) - 1]).toBe(0);
    const data = Math.ceil((at + 110 + field(11)) / 4) * 4;
    if (name === "TRAILER!!!") return entries;
    entries.push({ name, mode: field(1), links: field(4), device: [field(9), field(10)], data: text(data, data + field(6)) });
    at = Math.ceil((data + field(6)) / 4) * 4;
  }
}

describe("newc", () => {
  it("holds directories, files, links and devices, aligned to four bytes", () => {
    const archive = new CpioArchive().directory("dev").file("/init", "#!/bin/sh\n", 0o755).link("bin", "usr/bin").device("dev/null", 1, 3, 0o666);
    const bytes = archive.finish();
    expect(bytes.length % 512).toBe(0);
    expect(read(bytes)).toEqual([
      { name: "dev", mode: 0o040755, links: 2, device: [0, 0], data: "" },
      { name: "init", mode: 0o100755, links: 1, device: [0, 0], data: "#!/bin/sh\n" },
      { name: "bin", mode: 0o120777, links: 1, device: [0, 0], data: "usr/bin" },
      { name: "dev/null", mode: 0o020666, links: 1, device: [1, 3], data: "" },
    ]);
  });
  it("can go on after it was finished, and gives the same bytes for the same entries", () => {
    const archive = new CpioArchive().file("a", "1");
    expect(archive.finish()).toEqual(archive.finish());
    expect(read(archive.file("b", "2").finish()).map((entry) => entry.name)).toEqual(["a", "b"]);
  });
});

describe("initramfs", () => {
  const applets = ["[", "[[", ...Array.from({ length: 30 }, (_, i) => `applet${i}`), "sh"];
  const busybox = Buffer.from(`ELF\0${applets.join("\0")}\0\0rest`, "latin1");
  it("has an init, a console, and a link for every applet of its busybox", () => {
    const entries = new Map(read(makeInitramfs({ busybox, banner: "it's up", script: "uname -a" })).map((entry) => [entry.name, entry]));
    expect(entries.get("init")!.mode & 0o777).toBe(0o755);
    expect(entries.get("init")!.data).toContain("uname -a\n");
    expect(entries.get("init")!.data).toContain(`echo 'it'\\''s up'`);
    expect(entries.get("dev/console")!.device).toEqual([5, 1]);
    for (const applet of applets) expect(entries.get(`bin/${applet}`)!.data).toBe("busybox");
  });
  it("adds files with their folders, and knows the usual applets when busybox does not show its own", () => {
    const names = read(makeInitramfs({ busybox: Uint8Array.of(1), files: { "/opt/test/run": "x" } })).map((entry) => entry.name);
    expect(names).toEqual(expect.arrayContaining(["opt", "opt/test", "opt/test/run", "bin/sh", "bin/cttyhack"]));
  });
});
