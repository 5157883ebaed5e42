// Runs the example of the README as it stands there.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import * as firmware from "./index.ts";

it("the example of the README boots a kernel image", () => {
  const example = /```ts\n([\s\S]*?)```/.exec(readFileSync(new URL("../README.md", import.meta.url), "utf8"))![1]!;
  const kernel = new Uint8Array(2048);
  const view = new DataView(kernel.buffer);
  view.setUint8(0x1f1, 1);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, 0x20f, true);
  view.setUint8(0x201, 0x6a);
  view.setUint8(0x211, 1);
  view.setUint32(0x214, 0x100000, true);
  view.setUint32(0x22c, 0x7fffffff, true);
  view.setUint32(0x238, 255, true);
  const body = example.replace(/^import .*$/m, "const { installTables, loadLinux } = firmware;");
  const run = new Function("firmware", "kernel", `${body}; return entry;`) as (library: typeof firmware, kernel: Uint8Array) => firmware.EntryState;
  expect(run(firmware, kernel).registers.eip).toBe(0x100000);
});
