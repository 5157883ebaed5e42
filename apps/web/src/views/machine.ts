/** A machine: its toolbar, its console or screen, and the live panel. */
import { html, nothing, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import { mebibytes } from "../format.ts";
import { type Display, DISPLAYS } from "../link.ts";
import type { Session } from "../session.ts";

const STATES = { running: "Running", paused: "Paused", off: "Off" } as const;
/** Keys that a phone's keyboard lacks: what they send on a serial line, and their names on the other keyboard. */
const KEYS: readonly (readonly [string, string, string])[] = [
  ["Esc", "\x1b", "esc"], ["Tab", "\t", "tab"], ["^C", "\x03", "ctrl-c"], ["^D", "\x04", "ctrl-d"], ["^Z", "\x1a", "ctrl-z"], ["←", "\x1b[D", "left"], ["↓", "\x1b[B", "down"],
  ["↑", "\x1b[A", "up"], ["→", "\x1b[C", "right"],
];

/** The machine that is there. */
export function machineView(app: App, session: Session): TemplateResult {
  return html`
    <section class="work" aria-label="Machine" @doppel-release=${() => document.querySelector<HTMLElement>("#toolbar button")?.focus()}>
      ${heading(app, session)}
      ${toolbar(app, session)}
      ${session.ending === undefined ? nothing : endingView(app, session)}
      ${tabs(app, session)}
      <div class="display" data-shows=${app.display} role="tabpanel" id="display" aria-labelledby=${`tab-${app.display}`}>
        <div class="pane" ?hidden=${app.display !== "serial"}>${session.console.host}</div>
        <div class="pane for-screen" ?hidden=${app.display !== "screen"}>${session.screenHost}</div>
        <div class="pane-page" ?hidden=${app.display !== "translation"}>${app.explorer?.element}</div>
      </div>
      <div class="keys" ?hidden=${app.display === "translation"} role="group" aria-label="Keys">${KEYS.map(([label, text, name]) => html`
        <button class="plain" @pointerdown=${(event: Event) => event.preventDefault()} @click=${() => press(app, session, text, name)}>${label}</button>`)}</div>
      <p class="hint keyboard" ?hidden=${app.display === "translation"}>The keyboard belongs to the guest. Ctrl+Alt+G gives it back to the page; Ctrl+Shift+C and Ctrl+Shift+V copy and paste.</p>
    </section>
    <aside aria-label="What the machine does"><h2>Live</h2>${app.panel?.element}</aside>`;
}

function press(app: App, session: Session, text: string, name: string): void {
  if (app.display === "serial") session.console.write(text);
  else void session.vm.sendKey(name);
  app.focusMachine();
}

function heading(app: App, { plan, state }: Session): TemplateResult {
  const { memory, cpus } = plan.options;
  return html`
    <div class="heading">
      <button class="plain back" @click=${() => app.leave()}><span aria-hidden="true">←</span> Guests</button>
      <h1>${plan.title}</h1>
      <span class="state" data-state=${state}><i aria-hidden="true"></i>${STATES[state]}</span>
      <span class="about">${[memory === undefined ? "" : mebibytes(memory), cpus === undefined ? "" : `${cpus} processors`].filter((text) => text !== "").join(", ")}</span>
    </div>`;
}

function toolbar(app: App, session: Session): TemplateResult {
  const { state } = session;
  const off = state === "off";
  const busy = app.waiting !== undefined;
  return html`
    <div class="toolbar" id="toolbar" role="group" aria-label="What to do with the machine">
      ${state === "paused"
        ? html`<button id="resume" class="primary" @click=${() => app.act((machine) => machine.resume())}>Resume</button>`
        : html`<button id="pause" ?disabled=${off} @click=${() => app.act((machine) => machine.pause())}>Pause</button>`}
      <button id="reset" ?disabled=${off} title="As the button on the case"
        @click=${() => app.act((machine) => machine.reset())}>Reset</button>
      <button id="off" ?disabled=${off} title="Pulls the plug" @click=${() => app.act((machine) => machine.switchOff())}>Power off</button>
      <span class="gap"></span>
      ${app.store === undefined ? nothing : html`<button id="save" ?disabled=${off || busy} title="Keeps the machine in this browser" @click=${() => app.save()}>Save</button>`}
      <button id="save-file" ?disabled=${off || busy} @click=${() => app.saveToFile()}>Save to file</button>
      <span class="gap"></span>
      <button id="copy" title="The selection, or everything" @click=${() => app.copy()}>Copy</button>
      <button id="paste" ?disabled=${off} @click=${() => app.paste()}>Paste</button>
      <button id="log" title="What the guest said on this serial line" @click=${() => app.downloadLog()}>Save log</button>
      ${app.display === "screen" ? html`<button id="cad" ?disabled=${off} @click=${() => app.act(async ({ vm }) => vm.sendKey("ctrl-alt-delete"))}>Ctrl+Alt+Del</button>` : nothing}
    </div>`;
}

function endingView(app: App, { ending }: Session): TemplateResult {
  return html`
    <div class=${ending!.isFault ? "message error ending" : "message ending"} role="status">
      <p>${ending!.text}</p>
      <span class="buttons"><button id="again" class="primary" @click=${() => app.restart()}>Start again</button><button @click=${() => app.leave()}>All guests</button></span>
    </div>`;
}

const TABS = Object.keys(DISPLAYS) as Display[];

function tabs(app: App, session: Session): TemplateResult {
  return html`<div class="tabs"><div role="tablist" aria-label="Display">${TABS.map((name) => html`
    <button role="tab" id=${`tab-${name}`} aria-controls="display" aria-selected=${app.display === name} tabindex=${app.display === name ? 0 : -1}
      @click=${() => app.show(name)} @keydown=${(event: KeyboardEvent) => arrow(event, app)}>${DISPLAYS[name]}</button>`)}</div>${portChoice(app, session)}</div>`;
}

/** Which serial port is shown, where the guest uses several. */
function portChoice(app: App, { console, spoken }: Session): TemplateResult | typeof nothing {
  if (spoken.length < 2 || app.display !== "serial") return nothing;
  return html`
    <select id="port" aria-label="Serial port" @change=${(event: Event) => app.act((session) => session.choose(spoken[(event.target as HTMLSelectElement).selectedIndex]!))}>
      ${spoken.map((one) => html`<option ?selected=${one === console}>${one.name}</option>`)}</select>`;
}

/** Left and right choose another tab, and the focus goes with it; Enter gives it to what is shown. */
function arrow(event: KeyboardEvent, app: App): void {
  const change = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
  if (change === 0) return;
  event.preventDefault();
  app.show(TABS[(TABS.indexOf(app.display) + change + TABS.length) % TABS.length]!);
  document.querySelector<HTMLElement>(`#tab-${app.display}`)?.focus();
}
