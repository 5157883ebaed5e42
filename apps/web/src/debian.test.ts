// Debian's own kernels in Chromium, in the built page. What a command prints was seen under QEMU with the same kernel (scripts/transcript.ts).
import type { Browser } from "playwright-core";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { getGuest, type Guest, HostError } from "doppel/node";
import { BuiltPage, startBrowser, TestPage } from "./browser.fixture.ts";
import { findChromium } from "./chromium.fixture.ts";

const chromium = await findChromium();
const PROMPT = "# \x1b[6n";
const MINUTES = 60_000;
/** Of `seq 1 20000`. */
const HASH = "f6351f5ead9a700e34275480b3856ea738122a7c57bdeb744a631251c069587a  -";
// The kernel's tests of its own cryptography are half of its boot.
const CMDLINE = encodeURIComponent("console=ttyS0 cryptomgr.notests");

/** The guest; without apt or a network, the test is skipped and says why. */
async function guestOrSkip(name: string, skip: (why: string) => never): Promise<Guest> {
  try {
    return await getGuest(name, () => {});
  } catch (error) {
    if (error instanceof HostError) return skip(error.message);
    throw error;
  }
}

describe.skipIf(chromium === undefined)("Debian in the page (skipped where there is no Chromium)", () => {
  let built: BuiltPage;
  let browser: Browser;
  beforeAll(async () => {
    built = await BuiltPage.make();
    browser = await startBrowser(chromium!);
  }, MINUTES);
  afterAll(async () => {
    await browser?.close();
    await built?.[Symbol.asyncDispose]();
  });

  /** Boots it to its shell. */
  it("the examples of the README boot a kernel from its address", async ({ skip }) => {
    const { boot } = await guestOrSkip("debian-12-i386", skip);
    if (boot.kind !== "linux") throw new Error("debian-12-i386 is no Linux");
    const readme = readFileSync(new URL("../../../packages/doppel/README.md", import.meta.url), "utf8");
    const html = /```html\n([\s\S]*?)```/.exec(readme)![1]!;
    const script = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((block) => block[1]!).find((code) => code.includes("doppel/browser"))!;
    const context = await browser.newContext();
    for (const [name, body] of [["readme.html", Buffer.from(html)], ["vmlinuz", Buffer.from(boot.kernel)], ["initrd.img", Buffer.from(boot.initrd!)]] as const) {
      await context.route(`**/${name}`, (route) => route.fulfill({ body, ...(name.endsWith("html") ? { contentType: "text/html" } : {}) }));
    }
    const test = await TestPage.open(context, `${built.address}readme.html`);
    const element = test.page.locator("doppel-vm");
    await test.page.waitForFunction(() => (document.querySelector("doppel-vm") as unknown as { vm?: unknown }).vm !== undefined);
    const said = await element.evaluate((found) =>
      (found as unknown as { vm: { console: { waitFor(what: string): Promise<string> } } }).vm.console.waitFor("ommand line: console=ttyS0\r\n"));
    expect(said).toMatch(/Linux version 6\.1[^]*RAMDISK: \[mem/);
    await element.evaluate((found) => found.remove());
    // The second one, with the same files; it is switched off when the kernel speaks.
    const body = script.replace(/^import (.*) from "doppel\/browser";$/m, 'const $1 = await import("/embed/doppel.js");')
      .replace("const vm =", "const vm = globalThis.vm =").replace("const stop = await vm.run();", "vm.console.waitFor('RAMDISK: ').then(() => vm.stop()); return (await vm.run()).kind;");
    const stop = await test.page.evaluate(`(async () => {
      document.body.innerHTML = '<div id="console" style="height: 300px"></div><div id="screen"></div>';
      const [kernel, initrd] = await Promise.all(["vmlinuz", "initrd.img"].map(async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer())));
      ${body}
    })()`);
    expect(stop).toBe("stopped");
    expect(test.errors).toEqual([]);
    await context.close();
  }, 3 * MINUTES);

  async function boot(name: string, skip: (why: string) => never, meanwhile: (test: TestPage) => Promise<void> = async () => {}): Promise<TestPage> {
    await guestOrSkip(name, skip);
    const test = await TestPage.open(browser, `${built.address}?guest=${name}&cmdline=${CMDLINE}`);
    await test.machine();
    await meanwhile(test);
    await test.says(PROMPT, 4 * MINUTES);
    // On a busy host the kernel may remark upon its clock, in the middle of an answer.
    await shell(test, "dmesg -n 1");
    return test;
  }

  async function shell(test: TestPage, command: string): Promise<string> {
    await test.type(`${command}\n`);
    const answer = await test.says(PROMPT);
    return answer.replaceAll("\r", "").split("\n").slice(1, -1).join("\n");
  }

  async function powerOff(test: TestPage): Promise<void> {
    await test.type("poweroff\n");
    await test.page.waitForSelector(".ending", { timeout: MINUTES });
    expect(await test.message()).toBe("The guest switched the machine off.");
    expect(test.errors).toEqual([]);
  }

  it("32 bit: a shell, which goes on when the page was saved and loaded again", async ({ skip }) => {
    const test = await boot("debian-12-i386", skip);
    expect(await shell(test, "uname -a")).toMatch(/^Linux doppel 6\.1\.0-\d+-686 .* i686 GNU\/Linux$/);
    expect(await shell(test, "seq 1 20000 | sha256sum")).toBe(HASH);
    await shell(test, "cd /tmp; echo kept > file; X=variable");
    await test.page.click("#save");
    await test.page.waitForSelector(".message.good", { timeout: MINUTES });
    await test.page.reload();
    await test.machine();
    await test.terminal(HASH);
    expect(await shell(test, "cat file; echo $X; pwd")).toBe("kept\nvariable\n/tmp");
    await powerOff(test);
    // What was saved goes on once more, and a reset starts the kernel that it was booted from.
    await test.page.click("#again");
    await test.machine();
    expect(await shell(test, "pwd")).toBe("/tmp");
    await test.page.click("#reset");
    expect(await test.says("Kernel command line: ")).toContain("Linux version 6.1");
    expect(test.errors).toEqual([]);
  }, 6 * MINUTES);

  it("a kernel and a RAM disk that are dropped on the page", async ({ skip }) => {
    const { boot } = await guestOrSkip("debian-12-i386", skip);
    if (boot.kind !== "linux") throw new Error("debian-12-i386 is no Linux");
    const test = await TestPage.open(browser, built.address);
    await test.page.waitForSelector(".card");
    await test.drop({ name: "vmlinuz", buffer: boot.kernel });
    await test.page.locator("li").filter({ hasText: "vmlinuz" }).waitFor();
    await test.drop({ name: "initrd.img", buffer: boot.initrd! });
    await test.page.locator("li").filter({ hasText: "RAM disk" }).waitFor();
    await test.page.click("summary");
    await test.page.fill("#option-memory", "128M");
    await test.page.fill("#option-cmdline", "console=ttyS0 cryptomgr.notests");
    await test.page.click("#boot-files");
    await test.says(PROMPT, 4 * MINUTES);
    await shell(test, "dmesg -n 1");
    expect(await shell(test, "cat /proc/cmdline")).toBe("console=ttyS0 cryptomgr.notests");
    await powerOff(test);
  }, 6 * MINUTES);

  it("64 bit: a shell, and keys reach the page within 50 ms while it boots", async ({ skip }) => {
    const test = await boot("debian-12-amd64", skip, async ({ page }) => {
      await page.evaluate(() => {
        const delays: number[] = ((globalThis as unknown as { delays: number[] }).delays = []);
        addEventListener("keydown", ({ timeStamp }) => delays.push(performance.now() - timeStamp), { capture: true });
      });
      for (let n = 0; n < 50; n++) {
        await page.keyboard.press("Shift");
        await page.waitForTimeout(100);
      }
    });
    const delays = (await test.page.evaluate<number[]>("globalThis.delays")).sort((a, b) => a - b);
    console.log(`from a key to the page, ${delays.length} times: median ${delays[delays.length >> 1]!.toFixed(1)} ms, worst ${delays.at(-1)!.toFixed(1)} ms`);
    // `boot` types a command as well, at the end.
    expect(delays.length).toBeGreaterThanOrEqual(50);
    // The worst few are the machine's, which runs other tests as well.
    expect(delays[Math.floor(delays.length * 0.9)]).toBeLessThan(50);
    expect(await shell(test, "uname -a")).toMatch(/^Linux doppel 6\.1\.0-\d+-amd64 .* x86_64 GNU\/Linux$/);
    expect(await shell(test, "seq 1 20000 | sha256sum")).toBe(HASH);
    // The hash's rounds turn words to the right, in 64-bit code.
    await shell(test, "sha256sum /dev/zero &");
    await test.explorer();
    await test.page.locator(".guest code").filter({ hasText: /^ror e/ }).first().waitFor();
    expect(await test.page.locator(".unit h3").innerText()).toContain("64-bit code");
    expect(await test.page.locator(".ir").innerText()).toContain("i32.rotr(");
    await test.page.click("#tab-serial");
    await shell(test, "kill $!");
    await powerOff(test);
  }, 6 * MINUTES);
});
