/**
 * `npx pnpm@12.21.0 boot-times [GUEST] [--runs 3]`: how long a Linux guest boots in Chromium's page and in Node, in turns, from the making of the machine to the kernel's "Run /init". In the
 * page, the making begins with its worker, whose script is loaded then; in Node, behind the loading of the library. docs/performance/browser.md has the figures.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { BuiltPage, startBrowser, TestPage } from "../apps/web/src/browser.fixture.ts";
import { findChromium } from "../apps/web/src/chromium.fixture.ts";

const { positionals: [guest = "debian-12-amd64"], values } = parseArgs({ allowPositionals: true, options: { runs: { type: "string", default: "3" } } });
const chromium = await findChromium();
if (chromium === undefined) process.exit(2);
const DONE = "Run /init as init process";
const LONGEST = 600_000;

const program = `
  import { createVm } from "doppel";
  import { getGuest, tuneV8 } from "doppel/node";
  tuneV8(); // as the command does; Chromium's V8 heeds branch hints by itself
  const { recipe, boot } = await getGuest("${guest}", () => {});
  const start = performance.now();
  const vm = await createVm({ kernel: { kernel: boot.kernel, initrd: boot.initrd, append: boot.append }, memory: recipe.memory, ...(recipe.architecture === "i386" ? { cpu: "i686" } : {}), engine: "auto" });
  const end = vm.run();
  await vm.console.waitFor(${JSON.stringify(DONE)}, ${LONGEST});
  console.log((performance.now() - start) / 1000);
  process.exit();
`;
const inNode = (): number => Number(execFileSync(process.execPath, ["--conditions=@doppel/source", "--input-type=module", "-e", program], { cwd: join(import.meta.dirname, "../apps/web"), encoding: "utf8" }));

async function inPage(address: string): Promise<{ seconds: number; longest: number }> {
  const browser = await startBrowser(chromium!);
  try {
    const context = await browser.newContext();
    await context.addInitScript(() => {
      const watched = globalThis as unknown as { began: number; longest: number };
      const Native = Worker;
      globalThis.Worker = class extends Native {
        constructor(...args: ConstructorParameters<typeof Worker>) {
          watched.began = performance.now();
          super(...args);
        }
      };
      watched.longest = 0;
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) watched.longest = Math.max(watched.longest, duration);
      }).observe({ type: "longtask" });
    });
    const test = await TestPage.open(context, `${address}?guest=${guest}`);
    await test.says(DONE, LONGEST);
    return await test.page.evaluate("({ seconds: (performance.now() - globalThis.began) / 1000, longest: globalThis.longest })");
  } finally {
    await browser.close();
  }
}

const middle = (figures: readonly number[]): number => figures.toSorted((a, b) => a - b)[figures.length >> 1]!;
const [node, page]: [number[], number[]] = [[], []];
await using built = await BuiltPage.make();
for (let run = 1; run <= Number(values.runs); run++) {
  node.push(inNode());
  const { seconds, longest } = await inPage(built.address);
  page.push(seconds);
  console.log(`${guest}, run ${run}: Node ${node.at(-1)!.toFixed(1)} s, page ${seconds.toFixed(1)} s; the page's longest task ${longest === 0 ? "under 50" : longest.toFixed(0)} ms`);
}
console.log(`medians: Node ${middle(node).toFixed(1)} s, page ${middle(page).toFixed(1)} s, ratio ${(middle(page) / middle(node)).toFixed(2)}`);
