/** The frame of the page: header, messages, and the start or the machine in it. */
import { html, nothing, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import { machineView } from "./machine.ts";
import { startView } from "./start.ts";

const THEMES = { auto: "System", dark: "Dark", light: "Light" } as const;

/** The whole page. */
export function pageView(app: App): TemplateResult {
  return html`
    <header class="top">
      <a class="brand" href="./" @click=${(event: Event) => { event.preventDefault(); app.leave(); }}>
        <svg viewBox="0 0 24 24" width="26" height="26" aria-hidden="true">
          <rect class="back" x="2" y="2" width="14" height="14" rx="3.5" /><rect class="front" x="8" y="8" width="14" height="14" rx="3.5" /></svg>
        Doppel
      </a>
      <nav aria-label="Site">
        <a href="docs/">Docs</a>
        <a href="embed/">Embed</a>
        <button class="plain theme" @click=${() => app.nextTheme()} title="Colours: the system's, dark, or light">
          <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><circle cx="8" cy="8" r="6.5" /><path d="M8 1.5a6.5 6.5 0 0 1 0 13z" /></svg>
          <span class="unseen">Colours:</span> ${THEMES[app.theme]}
        </button>
      </nav>
    </header>
    ${messages(app)}
    <main class=${app.session === undefined ? "start" : "machine"}>${app.session === undefined ? startView(app) : machineView(app, app.session)}</main>
    ${app.isDropping ? html`<div class="drop-hint"><p>Drop a kernel, a RAM disk or a saved machine</p></div>` : nothing}`;
}

function messages(app: App): TemplateResult {
  const { waiting, error, notice } = app;
  return html`
    <div class=${app.session === undefined ? "messages narrow" : "messages"}>
      <div role="alert">${error === undefined ? nothing : html`
        <div class="message error"><p>${error}</p><button class="plain" @click=${() => app.dismiss()}>Dismiss</button></div>`}</div>
      <div role="status">
        ${waiting === undefined ? nothing : html`
          <div class="message"><p>${waiting.text}</p><progress max="1" value=${waiting.fraction ?? nothing} aria-label=${waiting.text}></progress></div>`}
        ${notice === undefined || waiting !== undefined ? nothing : html`
          <div class="message good"><p>${notice}</p><button class="plain" @click=${() => app.dismiss()}>Dismiss</button></div>`}
      </div>
    </div>`;
}
