/** The page: what it shows, and what its buttons do. */
import {
  browserFeatures, type BrowserFeatures, type MachineStore, openStore, type SavedMachine,
} from "doppel/browser";
import { render } from "lit-html";
import type { Explorer } from "./explorer.ts";
import { type KnownFile, readFile } from "./file-kind.ts";
import { fileName, mebibytes } from "./format.ts";
import type { GuestEntry } from "./guest-entry.ts";
import { type Display, type LinkOptions, readLink, writeLink } from "./link.ts";
import { Panel } from "./panel.ts";
import { common, EMBEDDED, fetchGuests, type Plan, planGuest } from "./plan.ts";
import { Session } from "./session.ts";
import { setTheme, theme, type Theme } from "./theme.ts";
import { pageView } from "./views/page.ts";

/** What keeps the visitor waiting. */
export interface Waiting { readonly text: string; readonly fraction?: number }

/** The page's state and its actions; the views draw the one and call the other. */
export class App {
  guests: GuestEntry[] = [EMBEDDED];
  saved: SavedMachine[] = [];
  store: MachineStore | undefined;
  features: BrowserFeatures = browserFeatures();
  link: LinkOptions = { off: [] };
  /** The visitor's own files. */
  files: KnownFile[] = [];
  session: Session | undefined;
  panel: Panel | undefined;
  /** There once its tab was chosen. */
  explorer: Explorer | undefined;
  waiting: Waiting | undefined;
  error: string | undefined;
  notice: string | undefined;
  display: Display = "serial";
  theme: Theme = theme();
  isDropping = false;
  private readonly root: HTMLElement;

  constructor(root: HTMLElement) {
    this.root = root;
  }

  /** Reads the link and shows the page; boots at once what the link asks for. */
  start(): void {
    setTheme(this.theme);
    this.listenForDrops();
    void this.attempt(async () => {
      this.link = readLink(location.search);
      this.features = browserFeatures(this.link.off);
      this.display = this.link.display ?? "serial";
      this.draw();
      [this.guests, this.store] = await Promise.all([fetchGuests().then((found) => [EMBEDDED, ...found]), openStore(this.features)]);
      await this.listSaved();
      const { guest, saved } = this.link;
      if (guest !== undefined) await this.bootGuest(guest);
      else if (saved !== undefined) await this.resumeSaved(saved);
    });
  }

  /** Draws the page as it is now. */
  draw(): void {
    render(pageView(this), this.root);
    document.title = this.session === undefined ? "Doppel: a PC in this tab" : `${this.session.plan.title} · Doppel`;
    if (this.session !== undefined) this.panel?.show(this.session.history);
  }

  /** Does something that can fail, and shows why it did. */
  private async attempt(action: () => Promise<void>): Promise<void> {
    this.error = this.notice = undefined;
    try {
      await action();
    } catch (error) {
      console.error(error);
      this.error = error instanceof Error ? error.message : String(error);
    }
    this.waiting = undefined;
    this.draw();
  }

  private wait(text: string, fraction?: number): void {
    this.waiting = { text, ...(fraction === undefined ? {} : { fraction }) };
    this.draw();
  }

  private async listSaved(): Promise<void> {
    this.saved = (await this.store?.list()) ?? [];
  }

  /** Boots a guest of the server's, or the embedded one. */
  bootGuest(name: string, options: Omit<LinkOptions, "off" | "guest" | "saved"> = this.link): Promise<void> {
    return this.attempt(async () => {
      const guest = this.guests.find((known) => known.name === name);
      if (guest === undefined) throw new Error(`This server has no guest called ${name}; it has ${this.guests.map((known) => known.name).join(", ")}.`);
      const { cmdline, memory, cpus, cpu, display } = options;
      const link: LinkOptions = Object.fromEntries(Object.entries({ guest: name, cmdline, memory, cpus, cpu, display, off: this.link.off })
        .filter(([, value]) => value !== undefined)) as unknown as LinkOptions;
      await this.boot(await planGuest(guest, link, this.features, (what, fraction) => this.wait(`Loading ${what}`, fraction)));
    });
  }

  /** Boots the visitor's own files. */
  bootFiles(options: Omit<LinkOptions, "off"> = {}): Promise<void> {
    return this.attempt(async () => {
      const find = (kind: KnownFile["kind"]): KnownFile | undefined => this.files.find((file) => file.kind === kind);
      const [kernel, multiboot, initrd] = [find("kernel"), find("multiboot"), find("initrd")];
      const shared = common({ ...options, off: [] }, this.features);
      if (kernel !== undefined) {
        const append = options.cmdline ?? "console=ttyS0";
        await this.boot({ title: kernel.name, options: { ...shared, kernel: { kernel: kernel.bytes, append, ...(initrd ? { initrd: initrd.bytes } : {}) } } });
      } else if (multiboot !== undefined) {
        const modules = initrd === undefined ? [] : [{ data: initrd.bytes, args: initrd.name }];
        const append = options.cmdline === undefined ? {} : { append: options.cmdline };
        await this.boot({ title: multiboot.name, options: { ...shared, multiboot: { image: multiboot.bytes, modules, ...append } } });
      } else throw new Error("There is no kernel among the files; add one.");
    });
  }

  /** Makes a plan's machine in place of the one that is there. */
  private async boot(plan: Plan): Promise<void> {
    this.wait("Starting the machine");
    this.close();
    const session = await Session.start(plan, this.features.worker, () => this.draw());
    this.session = session;
    this.panel = new Panel();
    this.files = [];
    history.replaceState(undefined, "", plan.link === undefined ? location.pathname : location.pathname + writeLink(plan.link));
    this.waiting = undefined;
    this.show(this.display);
  }

  /** The machine that was here, from its beginning. */
  restart(): Promise<void> {
    const { plan } = this.session!;
    return this.attempt(() => this.boot(plan));
  }

  /** Takes files: a saved machine goes on at once, kernels and RAM disks wait for each other. */
  addFiles(list: Iterable<File>): Promise<void> {
    return this.attempt(async () => {
      const files = await Promise.all([...list].map(readFile));
      const saved = files.find(({ kind }) => kind === "saved");
      if (saved !== undefined) return this.boot({ title: saved.name, options: { ...common({ off: [] }, this.features), restore: saved.bytes } });
      const unknown = files.find(({ kind }) => kind === "unknown");
      if (unknown !== undefined) throw new Error(`${unknown.name} is no Linux kernel, multiboot image, RAM disk or saved machine.`);
      // One of a kind: the last one counts.
      this.files = [...this.files.filter(({ kind }) => !files.some((file) => file.kind === kind)), ...files];
      if (this.session !== undefined) this.leave();
    });
  }

  removeFile(file: KnownFile): void {
    this.files = this.files.filter((other) => other !== file);
    this.draw();
  }

  /** Keeps the machine in the browser's storage. */
  save(): Promise<void> {
    return this.attempt(async () => {
      const { session, store } = this;
      if (session === undefined) return;
      if (store === undefined) return this.saveToFile();
      this.wait("Saving the machine");
      const bytes = await session.vm.save();
      const id = `${fileName(session.plan.title)}-${Date.now().toString(36)}`;
      await store.write({ id, title: session.plan.title, time: Date.now(), bytes: bytes.length, tail: await session.consoles[0]!.tail() }, bytes);
      await this.listSaved();
      // A reload goes on from here.
      history.replaceState(undefined, "", location.pathname + writeLink({ saved: id, off: this.link.off, display: this.display }));
      this.notice = `Saved in this browser (${mebibytes(bytes.length)}). A reload of this page resumes it.`;
    });
  }

  /** Gives the machine as a file, which the command line's doppel run --restore takes as well. */
  saveToFile(): Promise<void> {
    return this.attempt(async () => {
      const { session } = this;
      if (session === undefined) return;
      this.wait("Saving the machine");
      download(new Blob([(await session.vm.save()) as Uint8Array<ArrayBuffer>]), `${fileName(session.plan.title)}.doppel`);
    });
  }

  resumeSaved(id: string): Promise<void> {
    return this.attempt(async () => {
      const entry = this.saved.find((machine) => machine.id === id);
      this.wait("Loading the saved machine");
      if (this.store === undefined) throw new Error("This browser keeps no saved machines; use a file.");
      const restore = await this.store.read(id);
      const link: LinkOptions = { saved: id, off: this.link.off };
      await this.boot({ title: entry?.title ?? id, link, options: { ...common({ off: [] }, this.features), restore }, ...(entry === undefined ? {} : { tail: entry.tail }) });
    });
  }

  removeSaved(id: string): Promise<void> {
    return this.attempt(async () => {
      await this.store?.remove(id);
      await this.listSaved();
    });
  }

  downloadSaved(id: string): Promise<void> {
    return this.attempt(async () => download(new Blob([(await this.store!.read(id)) as Uint8Array<ArrayBuffer>]), `${id}.doppel`));
  }

  downloadLog(): void {
    if (this.session === undefined) return;
    const { console, consoles, plan } = this.session;
    download(console.logBytes(), `${fileName(plan.title)}${console === consoles[0] ? "" : `-${console.name.toLowerCase()}`}.log`);
  }

  /** One of the machine's own actions. */
  async act(action: (session: Session) => Promise<unknown>): Promise<void> {
    const { session } = this;
    if (session === undefined) return;
    await this.attempt(async () => void (await action(session)));
    this.focusMachine();
  }

  async copy(): Promise<void> {
    await this.act(async ({ console: { terminal }, vm }) => {
      if (navigator.clipboard === undefined)
        throw new Error("This page may not write to the clipboard: that takes https or localhost. Select the text and use the browser's menu.");
      if (this.display === "screen") await navigator.clipboard.writeText(await vm.screen());
      else await terminal?.copy();
      this.notice = "Copied.";
    });
  }

  async paste(): Promise<void> {
    await this.act(async ({ console: { terminal }, screen }) => {
      const text = await navigator.clipboard?.readText().catch(() => undefined);
      if (text === undefined) throw new Error("This page may not read the clipboard; press Ctrl+Shift+V in the console instead.");
      if (this.display === "screen") await screen?.type(text);
      else terminal?.paste(text);
    });
  }

  /** Shows one of the displays; the explorer looks at the machine as long as it is to be seen. */
  show(display: Display): void {
    this.display = display;
    if (display === "translation" && this.explorer === undefined) void this.attempt(() => this.openExplorer());
    this.explorer?.setVisible(display === "translation");
    this.draw();
    this.focusMachine();
  }

  /** Loaded when it is wanted first. */
  private async openExplorer(): Promise<void> {
    const { session } = this;
    if (session === undefined) return;
    const { Explorer } = await import("./explorer.ts");
    if (this.session !== session) return;
    this.explorer ??= new Explorer(session);
    this.explorer.setVisible(this.display === "translation");
  }

  /** Gives the keyboard to the guest, where it is to be seen. */
  focusMachine(): void {
    const { session } = this;
    if (session === undefined) return;
    if (this.display === "screen") session.screen?.focus();
    else if (this.display === "serial") session.console.focus();
  }

  /** Back to the guests; the machine ends. */
  leave(): void {
    this.close();
    history.replaceState(undefined, "", location.pathname + writeLink({ off: this.link.off }));
    this.link = { off: this.link.off };
    this.draw();
  }

  private close(): void {
    this.session?.[Symbol.dispose]();
    this.panel?.[Symbol.dispose]();
    this.explorer?.[Symbol.dispose]();
    this.session = this.panel = this.explorer = undefined;
  }

  dismiss(): void {
    this.error = this.notice = undefined;
    this.draw();
  }

  nextTheme(): void {
    this.theme = this.theme === "auto" ? "dark" : this.theme === "dark" ? "light" : "auto";
    setTheme(this.theme);
    this.panel?.restyle();
    this.draw();
  }

  private listenForDrops(): void {
    let depth = 0;
    const over = (change: number): void => {
      depth = change === 0 ? 0 : depth + change;
      this.isDropping = depth > 0;
      this.draw();
    };
    const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
    addEventListener("dragenter", (event) => hasFiles(event) && over(1));
    addEventListener("dragleave", (event) => hasFiles(event) && over(-1));
    addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
    addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      over(0);
      void this.addFiles(event.dataTransfer!.files);
    });
  }
}

function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
