/** The start: guests, the visitor's own files, saved machines. */
import { FEATURE_TEXTS, memorySize } from "doppel/browser";
import { html, nothing, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import { mebibytes, moment } from "../format.ts";
import type { GuestEntry } from "../guest-entry.ts";
import { guestTitle } from "../guest-title.ts";
import type { LinkOptions } from "../link.ts";

const KINDS = { kernel: "kernel", multiboot: "multiboot image", initrd: "RAM disk", saved: "saved machine", unknown: "unknown" } as const;

/** What the form asks for; blank fields leave it to the guest. */
function formOptions(): Omit<LinkOptions, "off"> {
  const field = (name: string): string => document.querySelector<HTMLInputElement | HTMLSelectElement>(`#option-${name}`)?.value.trim() ?? "";
  const [memory, cmdline, cpus, cpu] = [field("memory"), field("cmdline"), field("cpus"), field("cpu")];
  if (memory !== "" && Number.isNaN(memorySize(memory))) throw new Error(`Memory of “${memory}” is no size; write 256M or 1G.`);
  return {
    ...(memory === "" ? {} : { memory: memorySize(memory) }), ...(cmdline === "" ? {} : { cmdline }), ...(cpus === "" || cpus === "1" ? {} : { cpus: Number(cpus) }),
    ...(cpu === "" ? {} : { cpu }),
  };
}

/** Boots with the form's options, or says what is wrong with them. */
function withOptions(app: App, boot: (options: Omit<LinkOptions, "off">) => void): void {
  try {
    boot(formOptions());
  } catch (error) {
    app.error = (error as Error).message;
    app.draw();
  }
}

/** Guests, files, saved machines, and what this browser can do. */
export function startView(app: App): TemplateResult {
  return html`
    <section class="intro">
      <h1>A PC in this tab</h1>
      <p>Boot Linux, 32 or 64 bit. The machine runs here, in a worker of this page: it translates the guest's code to WebAssembly, and nothing leaves your computer.</p>
    </section>
    <section aria-labelledby="guests-title">
      <h2 id="guests-title">Guests</h2>
      <div class="cards">${app.guests.map((guest) => guestCard(app, guest))}</div>
      ${app.guests.length > 1 ? nothing : html`<p class="hint">This server has no other guests. From a checkout, <code>doppel guest get debian-12-amd64</code> fetches one for the development server.</p>`}
      ${optionsView(app)}
    </section>
    ${app.saved.length === 0 ? nothing : savedView(app)}
    ${filesView(app)}
    ${featuresView(app)}`;
}

function guestCard(app: App, guest: GuestEntry): TemplateResult {
  const { name, says, architecture, memory } = guest;
  const boot = (): void => withOptions(app, (options) => void app.bootGuest(name, options));
  return html`
    <button class="card" data-guest=${name} ?disabled=${app.waiting !== undefined} @click=${boot}>
      <b>${guestTitle(name)}</b>
      <span class="says">${says}</span>
      <span class="tags"><span>${architecture === "amd64" ? "64 bit" : "32 bit"}</span><span>${mebibytes(memory)}</span><span class="go">Boot</span></span>
    </button>`;
}

function optionsView({ link }: App): TemplateResult {
  return html`
    <details class="options">
      <summary>Options</summary>
      <div class="form">
        <label>Memory<input id="option-memory" placeholder="guest's own" .value=${link.memory === undefined ? "" : `${link.memory / 2 ** 20}M`} autocomplete="off"></label>
        <label>Processors<select id="option-cpus">${[1, 2, 4, 8].map((n) => html`<option ?selected=${n === (link.cpus ?? 1)}>${n}</option>`)}</select></label>
        <label>Processor model<select id="option-cpu">
          <option value="">guest's own</option>
          ${["pentium-pro", "i686", "x86-64", "x86-64-v2", "max"].map((name) => html`<option ?selected=${name === link.cpu}>${name}</option>`)}
        </select></label>
        <label class="wide">Kernel command line<input id="option-cmdline" placeholder="guest's own" .value=${link.cmdline ?? ""} autocomplete="off" spellcheck="false"></label>
      </div>
    </details>`;
}

function savedView(app: App): TemplateResult {
  return html`
    <section aria-labelledby="saved-title">
      <h2 id="saved-title">Saved machines</h2>
      <ul class="rows">${app.saved.map(({ id, title, time, bytes }) => html`
        <li>
          <span class="name"><b>${title}</b><span>${moment(time)}, ${mebibytes(bytes)}</span></span>
          <span class="buttons">
            <button class="primary" @click=${() => app.resumeSaved(id)}>Resume</button>
            <button @click=${() => app.downloadSaved(id)}>To file</button>
            <button @click=${() => app.removeSaved(id)} aria-label=${`Remove ${title} of ${moment(time)}`}>Remove</button>
          </span>
        </li>`)}</ul>
    </section>`;
}

function filesView(app: App): TemplateResult {
  const choose = (event: Event): void => {
    const input = event.target as HTMLInputElement;
    void app.addFiles(input.files ?? []).then(() => (input.value = ""));
  };
  return html`
    <section aria-labelledby="files-title">
      <h2 id="files-title">Your own</h2>
      <label class="drop">
        <input id="files" type="file" multiple @change=${choose}>
        <span><b>Choose files</b>, or drop them anywhere on this page: a Linux kernel or multiboot image, a RAM disk, a saved machine.</span>
      </label>
      ${app.files.length === 0 ? nothing : html`
        <ul class="rows">${app.files.map((file) => html`
          <li><span class="name"><b>${file.name}</b><span>${KINDS[file.kind]}, ${mebibytes(file.bytes.length)}</span></span>
            <button @click=${() => app.removeFile(file)} aria-label=${`Remove ${file.name}`}>Remove</button></li>`)}</ul>
        <button id="boot-files" class="primary" ?disabled=${!app.files.some(({ kind }) => kind === "kernel" || kind === "multiboot")}
          @click=${() => withOptions(app, (options) => void app.bootFiles(options))}>Boot these files</button>`}
    </section>`;
}

function featuresView({ features }: App): TemplateResult {
  const missing = FEATURE_TEXTS.filter(({ name }) => !features[name] && name !== "sharedMemory");
  return html`
    <section aria-labelledby="browser-title" class="browser">
      <h2 id="browser-title">This browser</h2>
      ${missing.length === 0 ? html`<p class="hint">Has everything that Doppel uses.</p>` : html`
        <ul class="features">${missing.map(({ name, title, without }) => html`<li data-missing=${name}><b>No ${title}.</b> ${without}</li>`)}</ul>`}
    </section>`;
}
