// Runs what the README's example does, with a fake busybox and no network.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import * as node from "./index.ts";

it("the example of the README makes an initramfs and an archive", async () => {
  const blocks = [...readFileSync(new URL("../../README.md", import.meta.url), "utf8").matchAll(/```ts\n([\s\S]*?)```/g)].map((block) => block[1]!);
  const example = blocks.find((block) => block.includes("doppel/node"))!;
  const body = example.replace(/^import .*$/m, "const { CpioArchive, makeInitramfs } = node; const getGuest = async () => ({});");
  const run = new Function("node", "busybox", `return (async () => { ${body}; return { initrd, archive }; })()`) as
    (library: typeof node, busybox: Uint8Array) => Promise<{ initrd: Uint8Array; archive: Uint8Array }>;
  const { initrd, archive } = await run(node, Uint8Array.of(1));
  expect(new TextDecoder().decode(initrd)).toContain("uname -a");
  expect(archive.length % 512).toBe(0);
});
