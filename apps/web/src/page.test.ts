// The built page in Chromium, with the embedded guest: what a visitor does, and what goes wrong.
import type { Browser, BrowserContext } from "playwright-core";
import { readFileSync } from "node:fs";
import { embeddedGuest } from "@doppel/guests";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createServer } from "vite";
import { app, BuiltPage, startBrowser, TestPage } from "./browser.fixture.ts";
import { findChromium } from "./chromium.fixture.ts";

const chromium = await findChromium();
const PROMPT = "doppel> ";
const MINUTE = 60_000;

describe.skipIf(chromium === undefined)("the page (skipped where there is no Chromium)", () => {
  let built: BuiltPage;
  let browser: Browser;
  let context: BrowserContext;
  beforeAll(async () => {
    built = await BuiltPage.make();
    browser = await startBrowser(chromium!);
  }, MINUTE);
  afterAll(async () => {
    await browser?.close();
    await built?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    context = await browser.newContext({ viewport: { width: 1280, height: 800 }, permissions: ["clipboard-read", "clipboard-write"] });
    return () => context.close();
  });
  const open = (query = "", to: Browser | BrowserContext = context): Promise<TestPage> => TestPage.open(to, built.address + query);
  /** Boots the embedded guest from the start page, which so is seen to work. */
  const boots = async (test: TestPage): Promise<void> => {
    await test.page.click("[data-guest=embedded]");
    await test.says(PROMPT);
  };
  const choose = (test: TestPage, ...files: { name: string; buffer: Buffer }[]): Promise<void> =>
    test.page.setInputFiles("#files", files.map((file) => ({ ...file, mimeType: "application/octet-stream" })));

  it("boots the embedded guest, which answers typed keys, and powers off; nothing comes from another host", async () => {
    const hosts = new Set<string>();
    context.on("request", (request) => hosts.add(new URL(request.url()).host));
    const test = await open();
    await test.page.click("[data-guest=embedded]");
    await test.says(PROMPT);
    await test.type("sum 1000\n");
    await test.says("500500");
    await test.terminal("500500");
    // The terminal's lines are all in its place.
    expect(await test.page.evaluate("document.querySelector('.xterm-rows').getBoundingClientRect().bottom <= document.querySelector('.console').getBoundingClientRect().bottom")).toBe(true);
    expect(await test.page.locator(".state").innerText()).toBe("Running");
    await test.says(PROMPT);
    await test.type("poweroff\n");
    await test.page.waitForSelector(".ending");
    expect(await test.message()).toBe("The guest switched the machine off.");
    expect(await test.page.locator(".state").innerText()).toBe("Off");
    await test.page.click("#again");
    await test.says(PROMPT);
    expect(test.errors).toEqual([]);
    // A blob or data URL has no host.
    expect([...hosts].filter((host) => host !== "")).toEqual([new URL(built.address).host]);
  });

  it("shows the screen, whose keyboard types", async () => {
    const test = await open("?guest=embedded&display=screen");
    await test.says(PROMPT);
    await test.type("echo ");
    await test.page.keyboard.press("Shift+KeyX");
    await test.page.keyboard.press("Shift+Digit4");
    await test.page.keyboard.press("Enter");
    await test.says("X$\r\n");
    // As a phone's keyboard does, which names no keys.
    await test.page.keyboard.insertText("echo phones");
    await test.page.keyboard.insertText("\n");
    await test.says("phones\r\n");
    await test.page.evaluate(`navigator.clipboard.writeText('echo Doppel, (Hi)! "A_B"\\n')`);
    await test.page.click("#paste");
    await test.says(PROMPT);
    const mirror = test.page.locator(".picture pre");
    await test.page.waitForFunction(() => document.querySelector(".picture pre")!.textContent!.includes('\nDoppel, (Hi)! "A_B"\n'));
    const rows = (await mirror.textContent())!.split("\n");
    // Each row of text has light pixels on the canvas, and each empty row has none.
    const lit = await test.page.evaluate(async () => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      const canvas = document.querySelector<HTMLCanvasElement>(".picture canvas")!;
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      const height = canvas.height / 25;
      return Array.from({ length: 25 }, (_, row) => {
        let count = 0;
        for (let at = row * height * canvas.width * 4; at < (row + 1) * height * canvas.width * 4; at += 4) if (data[at]! > 80) count++;
        return count;
      });
    });
    for (const [row, text] of rows.entries()) expect(`${row} ${lit[row]! > 0}`).toBe(`${row} ${text.trim() !== ""}`);
    expect(rows.filter((text) => text.trim() !== "").length).toBeGreaterThan(10);
  });

  it("pauses, goes on, resets, and is switched off", async () => {
    const test = await open("?guest=embedded");
    await test.says(PROMPT);
    await test.page.click("#pause");
    await test.type("ticks\n");
    const executed = (): Promise<number> => test.page.evaluate("globalThis.doppel.session.vm.stats().then((stats) => stats.instructions)");
    const before = await executed();
    await test.page.waitForTimeout(200);
    expect(await executed()).toBe(before);
    expect(await test.page.locator(".state").innerText()).toBe("Paused");
    await test.page.click("#resume");
    await test.says(PROMPT);
    await test.page.click("#reset");
    expect(await test.says(PROMPT)).toContain("Doppel embedded guest");
    await test.type("reboot\n");
    await test.says("Doppel embedded guest");
    await test.page.click("#off");
    await test.page.waitForSelector(".ending");
    expect(await test.message()).toBe("The machine was switched off.");
  });

  it.each([["opfs", ""], ["indexeddb", "&off=opfs"]])("saves, and goes on after a reload of the page (%s)", async (kind, off) => {
    const test = await open(`?guest=embedded${off}`);
    await test.says(PROMPT);
    expect(await test.page.evaluate("globalThis.doppel.store.kind")).toBe(kind);
    await test.type("echo before\n");
    await test.says(PROMPT);
    await test.type("echo abc");
    await test.says("abc");
    await test.page.click("#save");
    await test.page.waitForSelector(".message.good");
    await test.page.reload();
    await test.machine();
    await test.terminal("before");
    await test.type("def\n");
    await test.says("abcdef");
    await test.page.click(".back");
    await test.page.waitForSelector("#saved-title");
    await test.page.click(".rows >> text=Resume");
    await test.machine();
    await test.type("xyz\n");
    await test.says("abcxyz");
    await test.page.click(".back");
    await test.page.click(".rows >> text=Remove");
    await test.page.waitForSelector("#saved-title", { state: "detached" });
    expect(test.errors).toEqual([]);
  });

  it("without the browser's storage saves to a file, which is resumed when it is dropped", async () => {
    const test = await open("?guest=embedded&off=opfs,indexedDb");
    await test.says(PROMPT);
    expect(await test.page.locator("#save").count()).toBe(0);
    await test.type("echo abc");
    await test.says("abc");
    const [file] = await Promise.all([test.page.waitForEvent("download"), test.page.click("#save-file")]);
    expect(file.suggestedFilename()).toBe("embedded-guest.doppel");
    const buffer = readFileSync((await file.path())!);
    await test.page.click(".back");
    await test.drop({ name: "mine.doppel", buffer });
    await test.machine();
    await test.type("def\n");
    await test.says("abcdef");
    // The file holds what a reset boots, be it the guest's or the visitor's.
    await test.type("\nreboot\n");
    await test.says("Doppel embedded guest");
    await test.says(PROMPT);
    await test.page.click("#reset");
    await test.says("Doppel embedded guest");
    await test.says(PROMPT);
    expect(test.errors).toEqual([]);
  });

  it("shows what the translator makes of the code that runs, and of any address", async () => {
    const test = await open("?guest=embedded");
    const { page } = test;
    await test.says(PROMPT);
    // A loop of four instructions, packages/guests/src/embedded-guest.ts: ADD, ADC, DEC, JNZ.
    await test.type("sum 4000000000\n");
    await test.explorer();
    expect(await page.locator(".guest code:not(.at)").allInnerTexts()).toEqual(expect.arrayContaining([expect.stringMatching(/^adc e../)]));
    expect(await page.locator(".ir").innerText()).toContain("i32.add(");
    expect(await page.locator(".wasm pre").innerText()).toMatch(/^\(func \$region0/);
    // What ran before it was hot counts, too.
    await expect.poll(() => page.locator(".regions .share b").first().innerText(), { timeout: 20_000 }).toMatch(/^(9[0-9]|100)%$/);
    // Figures go on by themselves, as long as they are to be seen.
    const executed = async (): Promise<number> => Number((await page.locator(".guest .head b").first().innerText()).replace(/[^0-9]/g, ""));
    const before = await executed();
    await expect.poll(executed, { timeout: 10_000 }).toBeGreaterThan(before);
    // By keyboard: an instruction, and its meaning; then another region, through the chain.
    await page.locator(".guest [role=option]").first().focus();
    await page.keyboard.press("ArrowDown");
    expect(await page.locator('.ir [data-pointed="true"] .at').innerText()).toBe(await page.locator('.guest [aria-selected="true"] code').nth(1).innerText());
    const address = await page.locator(".ways button").first().innerText();
    await page.locator(".ways button").first().click();
    await page.waitForFunction((wanted) => document.querySelector(".unit h3 code")?.textContent === wanted, address);
    await page.click("#explorer-hottest");
    await page.waitForFunction((other) => document.querySelector(".unit h3 code")?.textContent !== other, address);
    // Addresses: one without code, and a text that is none.
    await page.fill("#explorer-address", "0xfffff000");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=Nothing is mapped at 0xfffff000");
    await page.fill("#explorer-address", "main");
    await page.keyboard.press("Enter");
    expect(await page.locator("#explorer-address").evaluate((input: HTMLInputElement) => input.validationMessage)).toMatch(/^Main is no address; write it in hexadecimal/);
    // Hidden, it costs nothing; paused, everything stays to be seen.
    const counted = (): Promise<number | undefined> => page.evaluate("globalThis.doppel.session.vm.hotspots(1).then(({ counted }) => counted)");
    expect(await counted()).toBeGreaterThan(0);
    await page.click("#explorer-hottest");
    await page.click("#tab-serial");
    await expect.poll(counted).toBeUndefined();
    await test.explorer();
    await page.click("#pause");
    await page.click("#explorer-refresh");
    expect(await page.locator(".regions [role=option]").count()).toBeGreaterThan(0);
    for (const width of [390, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), `${width}`).toBe(true);
    }
    expect(test.errors).toEqual([]);
  });

  it("shows regions without figures where the machine stood still before", async () => {
    const test = await open("?guest=embedded");
    await test.says(PROMPT);
    await test.type("sum 4000000000\n");
    await expect.poll(() => test.page.evaluate<number>("globalThis.doppel.session.vm.stats().then(({ translator }) => translator.regions)")).toBeGreaterThan(0);
    await test.page.click("#pause");
    await test.page.click("#tab-translation");
    await test.page.waitForSelector("text=Nothing was counted");
    await test.page.locator(".unit h3").filter({ hasText: "compiled" }).waitFor();
    expect(await test.page.locator(".ir").innerText()).toContain("i32.add(");
    await test.page.click("#resume");
    await test.explorer();
    expect(test.errors).toEqual([]);
  });

  it("boots files of the visitor's: a multiboot kernel, with the command line of the form", async () => {
    const test = await open();
    await choose(test, { name: "kernel.elf", buffer: Buffer.from(embeddedGuest().image) });
    await test.page.click("summary");
    await test.page.fill("#option-memory", "8M");
    await test.page.fill("#option-cmdline", "-- sum 100");
    await test.page.click("#boot-files");
    expect(await test.says("5050\r\n")).toContain("7679 KiB usable");
  });

  it.each([
    ["a text file", "notes.txt", Buffer.from("hello, this is no kernel at all"), /^notes\.txt is no Linux kernel, multiboot image, RAM disk or saved machine\.$/],
    ["a kernel that is cut off", "vmlinuz", Buffer.concat([Buffer.alloc(0x1f1), Buffer.from([4]), Buffer.alloc(0x10), Buffer.from("HdrS\x0f\x02"), Buffer.alloc(100)]), /kernel|image/i],
    ["a saved machine that is cut off", "state.doppel", Buffer.from("DPLS\x01\x07\x05"), /saved|state|end/i],
  ])("says what is wrong with %s, and still works", async (_, name, buffer, words) => {
    const test = await open();
    await choose(test, { name, buffer });
    if (name === "vmlinuz") await test.page.click("#boot-files");
    await test.page.waitForSelector(".message.error");
    expect(await test.message()).toMatch(words);
    await boots(test);
    expect(await test.page.locator(".message.error").count()).toBe(0);
    expect(test.errors).toEqual([]);
  });

  it("says that a saved machine was cut off in its middle", async () => {
    const test = await open("?guest=embedded");
    await test.says(PROMPT);
    const [file] = await Promise.all([test.page.waitForEvent("download"), test.page.click("#save-file")]);
    const whole = readFileSync((await file.path())!);
    await test.page.click(".back");
    await choose(test, { name: "half.doppel", buffer: whole.subarray(0, whole.length >> 1) });
    await test.page.waitForSelector(".message.error");
    expect(await test.message()).toMatch(/end|truncated|short/i);
    await boots(test);
  });

  it.each([
    ["?guest=embedded&memory=1M", /choose a multiple of 4 KiB from 2 to 3584 MiB/], ["?guest=embedded&memory=lots", /memory=lots, which is no size; write 256M or 1G/],
    ["?guest=windows-95", /no guest called windows-95; it has embedded/], ["?guest=embedded&cpus=99", /1 to 8 CPUs/], ["?saved=nothing", /no saved machine nothing/],
    ["?guest=embedded&cpu=z80", /no CPU model z80/],
  ])("says what is wrong with the link %s, and still works", async (query, words) => {
    const test = await open(query);
    await test.page.waitForSelector(".message.error");
    expect(await test.message()).toMatch(words);
    await test.page.goto(built.address);
    await boots(test);
    expect(test.errors).toEqual([]);
  });

  it("says that a guest's processor shut down, and starts it again", async () => {
    const test = await open("?guest=embedded");
    await test.says(PROMPT);
    await test.type("fault triple\n");
    await test.page.waitForSelector(".ending.error");
    expect(await test.message()).toContain("triple fault");
    await test.page.click("#again");
    await test.says(PROMPT);
  });

  it("copies, pastes, and gives the log", async () => {
    const test = await open("?guest=embedded");
    await test.says(PROMPT);
    await test.page.evaluate("navigator.clipboard.writeText('sum 10')");
    await test.page.click("#paste");
    await test.says("sum 10");
    await test.page.keyboard.press("Enter");
    await test.says("55\r\n");
    await test.terminal("55");
    await test.page.click("#copy");
    await test.page.waitForSelector("text=Copied.");
    expect(await test.page.evaluate("navigator.clipboard.readText()")).toContain("doppel> sum 10\n55");
    const [file] = await Promise.all([test.page.waitForEvent("download"), test.page.click("#log")]);
    expect(readFileSync((await file.path())!, "utf8")).toMatch(/^Doppel embedded guest\r\n[^]*sum 10\r\n55\r\n/);
  });

  it("has a console for each serial port that the guest uses", async () => {
    const test = await open("?guest=embedded");
    await test.says(PROMPT);
    expect(await test.page.locator("#port").count()).toBe(0);
    // The transmitter of COM2, and what the guest finds in its receiver.
    for (const letter of "Hi") {
      await test.type(`out 0x2f8 ${letter.charCodeAt(0)} 1\n`);
      await test.says(PROMPT);
    }
    await test.page.setViewportSize({ width: 360, height: 740 });
    expect(await test.page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    await test.page.selectOption("#port", "COM2");
    await test.terminal("Hi");
    await test.type("x");
    await test.page.selectOption("#port", "COM1");
    await test.type("in 0x2f8 1\n");
    expect(await test.says(PROMPT)).toContain("78");
    expect(test.errors).toEqual([]);
  });

  it("gives the keyboard back with Ctrl+Alt+G, and can be used without a mouse", async () => {
    const test = await open();
    const focused = (): Promise<string> => test.page.evaluate("document.activeElement.id || document.activeElement.dataset.guest || document.activeElement.textContent.trim()");
    for (let n = 0; n < 10 && (await focused()) !== "embedded"; n++) await test.page.keyboard.press("Tab");
    await test.page.keyboard.press("Enter");
    await test.says(PROMPT);
    await test.type("echo typed\n");
    await test.says("typed\r\n");
    await test.page.keyboard.press("Control+Alt+KeyG");
    expect(await focused()).toBe("pause");
    await test.page.locator("#tab-serial").focus();
    await test.page.keyboard.press("ArrowLeft");
    expect(await focused()).toBe("tab-translation");
    await test.page.keyboard.press("ArrowRight");
    await test.page.keyboard.press("ArrowRight");
    expect(await focused()).toBe("tab-screen");
    await test.page.keyboard.press("Enter");
    expect(await test.page.evaluate("document.activeElement.closest('.picture') !== null")).toBe(true);
    await test.page.keyboard.press("Control+Alt+KeyG");
    expect(await focused()).toBe("pause");
  });

  it.each(["tailCalls", "simd", "worker"])("runs without %s", async (feature) => {
    const test = await open(`?off=${feature}`);
    await test.page.waitForSelector(`[data-missing=${feature}]`);
    await boots(test);
    await test.type("primes 3000\n");
    await test.says("430");
    await test.type("cpu\n");
    expect(await test.says("TSC")).toContain(feature === "simd" ? "pentium-pro" : "sse2");
  });

  it("needs no shared memory: no page of it is isolated", async () => {
    const test = await open("?guest=embedded");
    await test.says(PROMPT);
    expect(await test.page.evaluate("[crossOriginIsolated, typeof SharedArrayBuffer]")).toEqual([false, "undefined"]);
  });

  it("fits a phone, and shows what it does", async () => {
    const test = await open("?guest=embedded");
    await test.page.setViewportSize({ width: 360, height: 740 });
    await test.says(PROMPT);
    await test.type("echo ab");
    await test.page.keyboard.press("Enter");
    await test.says("ab\r\n");
    for (const where of ["machine", "start"]) {
      expect(await test.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where).toBe(true);
      if (where === "machine") {
        await test.page.waitForSelector(".charts figure canvas");
        await test.page.click(".back");
      }
    }
  });

  it("paints before the engine is loaded, which with the element is less than 400 KB compressed", async () => {
    const { gzipSync } = await import("node:zlib");
    const { readdirSync } = await import("node:fs");
    const { join } = await import("node:path");
    const requests: string[] = [];
    const test = new Promise<TestPage>((resolve, reject) => {
      context.on("request", (request) => requests.push(new URL(request.url()).pathname));
      open().then(resolve, reject);
    });
    await (await test).page.waitForSelector(".card");
    const assets = readdirSync(join(built.folder, "assets"));
    const engine = assets.filter((name) => /^(worker|create-vm|xterm|charts|explorer)-.*\.js$/.test(name));
    expect(engine.length).toBe(5);
    for (const name of engine) expect(requests).not.toContain(`/assets/${name}`);
    // Everything that a page with the element loads; `create-vm` is the engine once more, for pages without workers.
    const seen: string[] = [];
    context.on("request", (request) => seen.push(new URL(request.url()).pathname));
    const example = await TestPage.open(context, `${built.address}embed/`);
    await example.page.waitForSelector(".xterm-rows");
    const scripts = seen.filter((path) => path.endsWith(".js"));
    expect(scripts.some((path) => path.includes("worker"))).toBe(true);
    const size = scripts.reduce((sum, path) => sum + gzipSync(readFileSync(join(built.folder, path))).length, 0);
    console.log(`the element with its engine: ${(size / 1000).toFixed(0)} KB of gzip in ${scripts.length} scripts`);
    expect(size).toBeLessThan(400_000);
  });

  it("the example page is a machine in ten lines of HTML", async () => {
    expect(readFileSync(new URL("../embed/index.html", import.meta.url), "utf8").trim().split("\n").length).toBeLessThanOrEqual(10);
    const test = await TestPage.open(context, `${built.address}embed/`);
    await test.page.locator("doppel-vm").evaluate((element) => new Promise((resolve) => element.addEventListener("doppel-ready", resolve, { once: true })));
    const waitFor = (text: string): Promise<string> => test.page.locator("doppel-vm").evaluate((element, wanted) =>
      (element as unknown as { vm: { console: { waitFor(text: string): Promise<string> } } }).vm.console.waitFor(wanted), text);
    await waitFor(PROMPT);
    await test.page.locator("doppel-vm .xterm-helper-textarea").focus();
    await test.type("sum 1000\n");
    await waitFor("500500");
    await test.type("poweroff\n");
    await test.page.locator("doppel-vm .status").filter({ hasText: "switched the machine off" }).waitFor();
    expect(test.errors).toEqual([]);
  });

  it("the element says what is wrong with its attributes", async () => {
    const test = await TestPage.open(context, `${built.address}embed/`);
    const status = async (attributes: string): Promise<string> => {
      await test.page.evaluate((text) => {
        document.querySelector("doppel-vm")!.remove();
        document.body.insertAdjacentHTML("beforeend", `<doppel-vm ${text}></doppel-vm>`);
      }, attributes);
      const error = test.page.locator("doppel-vm .status.error");
      await error.waitFor();
      return error.innerText();
    };
    expect(await status('kernel="nothing-here"')).toMatch(/kernel nothing-here cannot be loaded: the server says 404/);
    expect(await status('guest="embedded" memory="much"')).toMatch(/memory="much" is no size/);
    expect(await status('kernel="index.html"')).toMatch(/kernel/i);
    expect(await status("")).toMatch(/exactly one thing to boot/);
  });
});

it.skipIf(chromium === undefined)("the development server serves the page from source (skipped where there is no Chromium)", async () => {
  const server = await createServer({ configFile: `${app}/vite.config.ts`, configLoader: "native", logLevel: "error", server: { port: 0, host: "127.0.0.1" } });
  const browser = await startBrowser(chromium!);
  try {
    await server.listen();
    const test = await TestPage.open(browser, `${server.resolvedUrls!.local[0]!}?guest=embedded`);
    await test.says(PROMPT);
    expect((await fetch(`${server.resolvedUrls!.local[0]!}guests/nothing/kernel`)).status).toBe(404);
  } finally {
    await browser.close();
    await server.close();
  }
});

describe.skipIf(chromium === undefined)("browsers that lack something (skipped where there is no Chromium)", () => {
  let built: BuiltPage;
  beforeAll(async () => void (built = await BuiltPage.make()), MINUTE);
  afterAll(async () => built?.[Symbol.asyncDispose]());

  it("one without SIMD runs the guest on a processor without SSE", async () => {
    const browser = await startBrowser(chromium!, ["--js-flags=--no-enable-sse4-1"]);
    try {
      const test = await TestPage.open(browser, `${built.address}?guest=embedded`);
      expect(await test.says(PROMPT)).toContain("Doppel Virtual CPU pentium-pro");
      await test.type("primes 3000\n");
      await test.says("430");
    } finally {
      await browser.close();
    }
  });

  it("one with too little memory says so, and runs a smaller machine", async () => {
    const browser = await startBrowser(chromium!, ["--js-flags=--wasm-max-mem-pages=2048"]);
    try {
      const test = await TestPage.open(browser, `${built.address}?guest=embedded&memory=512M`);
      await test.page.waitForSelector(".message.error");
      expect(await test.message()).toMatch(/refuses \d+ bytes of memory; choose a smaller machine/);
      await test.page.goto(`${built.address}?guest=embedded`);
      await test.says(PROMPT);
    } finally {
      await browser.close();
    }
  });
});
