/**
 * `<doppel-vm kernel="vmlinuz" initrd="initrd.img" memory="256M">`: a machine in any page, with its console or its screen. It boots as soon as it stands
 * in the page, in a worker, and ends when it is taken out.
 */
import type { Stop } from "@doppel/vmm";
import type { AnyVm } from "../any-vm.ts";
import type { VmOptions } from "../create-vm.ts";
import { OptionError } from "../option-error.ts";
import { createVm } from "./create-vm.ts";
import { browserFeatures } from "./features.ts";
import { fetchBytes, type FetchProgress } from "./fetch-bytes.ts";
import { memorySize } from "./memory-size.ts";
import { ScreenView } from "./screen-view.ts";
import { stopText } from "./stop-text.ts";
import { TerminalView } from "./terminal-view.ts";

const STYLE = `
:host { display: flex; flex-direction: column; min-height: 24rem; overflow: hidden; border-radius: 8px; background: #10151c; color: #d5dce6;
  font: 14px/1.5 system-ui, sans-serif }
:host([hidden]) { display: none }
.view { flex: 1; min-height: 0; padding: 8px; position: relative }
.status { padding: 6px 12px; color: #9fb0c3; border-top: 1px solid #263140 }
.status.error { color: #ffb4ab }
.status:empty { display: none }
`;

/** What the attributes ask for. @throws {OptionError} `OPTION_MEMORY`, {@link FetchError} when a file cannot be loaded */
async function readOptions(element: HTMLElement, progress: FetchProgress): Promise<VmOptions> {
  const text = (name: string): string | undefined => element.getAttribute(name) ?? undefined;
  const file = async (name: string): Promise<Uint8Array | undefined> => {
    const url = text(name);
    return url === undefined ? undefined : fetchBytes(url, name, progress);
  };
  const memory = text("memory");
  const bytes = memory === undefined ? undefined : memorySize(memory);
  if (Number.isNaN(bytes)) throw new OptionError("OPTION_MEMORY", `memory="${memory}" is no size; write 256M or 1G`);
  const [kernel, initrd, multiboot, bios, restore] = [await file("kernel"), await file("initrd"), await file("multiboot"), await file("bios"), await file("restore")];
  const append = text("append");
  const withAppend = append === undefined ? {} : { append };
  return {
    engine: (text("engine") ?? "auto") as "auto", noReboot: true, features: browserFeatures(text("without")?.split(/[ ,]+/)),
    ...(bytes === undefined ? {} : { memory: bytes }), ...(text("cpus") === undefined ? {} : { cpus: Number(text("cpus")) }),
    ...(text("cpu") === undefined ? {} : { cpu: text("cpu") as NonNullable<VmOptions["cpu"]> }),
    ...(kernel ? { kernel: { kernel, ...(initrd ? { initrd } : {}), append: append ?? "console=ttyS0" } } : {}),
    ...(multiboot ? { multiboot: { image: multiboot, ...withAppend } } : {}), ...(bios ? { bios } : {}), ...(restore ? { restore } : {}),
    ...(text("guest") === undefined ? {} : { guest: text("guest") as "embedded" }),
  };
}

/** The element as a program sees it. */
export interface DoppelElement extends HTMLElement {
  /** The machine; undefined until it stands. */
  readonly vm: AnyVm | undefined;
}

/**
 * Makes `<doppel-vm>` known to the page. Its events: `doppel-ready` once the machine runs, `doppel-stop` with `detail.stop`, `doppel-error` with `detail.error`.
 * @example
 * defineElement();
 * document.body.innerHTML = '<doppel-vm guest="embedded" memory="16M"></doppel-vm>';
 */
export function defineElement(name = "doppel-vm"): void {
  if (customElements.get(name) !== undefined) return;
  customElements.define(name, class extends HTMLElement implements DoppelElement {
    vm: AnyVm | undefined;
    private readonly view = document.createElement("div");
    private readonly status = document.createElement("div");
    private views: Disposable[] = [];
    private attempt = 0;

    constructor() {
      super();
      const root = this.attachShadow({ mode: "open", delegatesFocus: true });
      const style = document.createElement("style");
      style.textContent = STYLE;
      this.view.className = "view";
      this.status.setAttribute("role", "status");
      root.append(style, this.view, this.status);
    }

    connectedCallback(): void {
      void this.start(++this.attempt);
    }

    disconnectedCallback(): void {
      this.attempt++;
      for (const view of this.views.splice(0)) view[Symbol.dispose]();
      void this.vm?.close();
      this.vm = undefined;
    }

    private say(text: string, isError = false): void {
      this.status.className = isError ? "status error" : "status";
      this.status.textContent = text;
    }

    private tell(type: string, detail: object): void {
      this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
    }

    private async start(attempt: number): Promise<void> {
      try {
        const options = await readOptions(this, (what, fraction) => this.say(`Loading the ${what}${fraction === undefined ? "" : `, ${Math.round(100 * fraction)} %`}`));
        this.say("Starting the machine");
        const vm = await createVm({ ...options, worker: !this.hasAttribute("in-page") });
        if (attempt !== this.attempt) return void vm.close();
        this.vm = vm;
        await this.connect(vm);
        this.say("");
        const end = vm.run();
        this.tell("doppel-ready", { vm });
        await this.ended(await end, attempt);
      } catch (error) {
        if (attempt !== this.attempt) return;
        this.say(error instanceof Error ? error.message : String(error), true);
        this.tell("doppel-error", { error });
      }
    }

    private async connect(vm: AnyVm): Promise<void> {
      if (this.getAttribute("display") === "screen") this.views.push(new ScreenView(this.view, vm));
      else {
        const terminal = await TerminalView.create(this.view);
        this.views.push(terminal.connect(vm.serial[0]!), terminal);
      }
    }

    /** A guest that resets its machine gets it anew; anything else is the end. */
    private async ended(stop: Stop, attempt: number): Promise<void> {
      if (attempt !== this.attempt || this.vm === undefined) return;
      if (stop.kind === "reset") {
        await this.vm.reset();
        return this.ended(await this.vm.run(), attempt);
      }
      this.say(stopText(stop), stop.kind === "host-fault" || stop.kind === "triple-fault");
      this.tell("doppel-stop", { stop });
    }
  });
}
