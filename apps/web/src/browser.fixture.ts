/** A headless Chromium and the built page, for tests. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { build, preview, type PreviewServer } from "vite";

/** The folder of the app. */
export const app = join(import.meta.dirname, "..");
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** The page as it is built for a server, at an address of this machine. */
export class BuiltPage implements AsyncDisposable {
  readonly address: string;
  readonly folder: string;
  private readonly server: PreviewServer;

  private constructor(folder: string, server: PreviewServer) {
    this.folder = folder;
    this.server = server;
    this.address = server.resolvedUrls!.local[0]!;
  }

  static async make(): Promise<BuiltPage> {
    const folder = await mkdtemp(join(tmpdir(), "doppel-web-"));
    const shared = { root: app, configFile: join(app, "vite.config.ts"), configLoader: "native" as const, logLevel: "error" as const };
    await build({ ...shared, build: { outDir: folder, emptyOutDir: true } });
    const server = await preview({ ...shared, build: { outDir: folder }, preview: { port: 0, host: "127.0.0.1" } });
    return new BuiltPage(folder, server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A browser with a profile of its own. */
export async function startBrowser(executablePath: string, flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath, args: [...FLAGS, ...flags] });
}

/** A page, and what went wrong in it that nobody caught. */
export class TestPage {
  readonly page: Page;
  readonly errors: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on("pageerror", (error) => this.errors.push(error.message));
  }

  static async open(browser: Browser | BrowserContext, url: string): Promise<TestPage> {
    const page = new TestPage(await browser.newPage());
    await page.page.goto(url);
    return page;
  }

  /** Waits until a machine runs. */
  async machine(): Promise<void> {
    await this.page.waitForFunction("globalThis.doppel?.session !== undefined && globalThis.doppel.waiting === undefined", undefined, { polling: 50 });
  }

  /** Waits until the guest says a text, after what the last wait found: the page itself listens, and nothing looks at it again and again. */
  async says(text: string, milliseconds = 60_000): Promise<string> {
    await this.machine();
    return this.page.evaluate(`globalThis.doppel.session.vm.console.waitFor(${JSON.stringify(text)}, ${milliseconds})`);
  }

  /** Types on the page's keyboard, as a person does. */
  async type(text: string): Promise<void> {
    await this.page.keyboard.type(text, { delay: 2 });
  }

  /** What stands on the terminal, once it does. */
  async terminal(text: string): Promise<void> {
    await this.page.waitForFunction((wanted) => document.querySelector<HTMLElement>(".xterm-rows")?.innerText.includes(wanted), text, { polling: 100, timeout: 10_000 });
  }

  /** Drags files onto the page and lets them go there. */
  async drop(...files: { name: string; buffer: Uint8Array }[]): Promise<void> {
    const data = await this.page.evaluateHandle((list) => {
      const transfer = new DataTransfer();
      for (const { name, base64 } of list) transfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name));
      return transfer;
    }, files.map(({ name, buffer }) => ({ name, base64: Buffer.from(buffer).toString("base64") })));
    await this.page.dispatchEvent("body", "dragenter", { dataTransfer: data });
    await this.page.waitForSelector(".drop-hint");
    await this.page.dispatchEvent("body", "drop", { dataTransfer: data });
    await this.page.waitForSelector(".drop-hint", { state: "detached" });
  }

  /** Opens the translation explorer, and waits until it shows a compiled region that retired instructions. */
  async explorer(): Promise<void> {
    await this.page.click("#tab-translation");
    await this.page.waitForFunction(() => /compiled.*[1-9][0-9,]* retired/.test(document.querySelector(".unit h3")?.textContent ?? ""), undefined, { polling: 100, timeout: 30_000 });
  }

  /** The words of the page's message. */
  message(): Promise<string> {
    return this.page.locator(".message p").first().innerText();
  }
}
