/** A headless Chromium and the built page, for tests. Where there is no Chromium, they are skipped and say so. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { build, preview, type PreviewServer } from "vite";

const app = join(import.meta.dirname, "..");
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** Where Chromium is, or undefined. */
export function findChromium(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return ["chromium", "chromium-browser", "google-chrome"].flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
}

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

/** A page whose errors fail the test that looks at them. */
export async function openPage(browser: Browser | BrowserContext, url: string): Promise<Page & { errors: string[] }> {
  const page = (await browser.newPage()) as Page & { errors: string[] };
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(error.message));
  await page.goto(url);
  return page;
}

/** What stands on the terminal. */
export function terminalText(page: Page): Promise<string> {
  return page.locator(".xterm-rows").innerText();
}
