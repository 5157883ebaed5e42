/** The translation explorer: the hottest regions, and of one of them the guest's code, what it means, and the WebAssembly that it became. */
import type { ExplainedBlock, ExplainedInstruction, RegionSummary, TranslationUnit, WayOut } from "doppel/browser";
import { html, nothing, type TemplateResult } from "lit-html";
import type { Explorer } from "../explorer.ts";
import { grouped, short } from "../format.ts";

const STATES = { translated: "compiled", interpreted: "not hot: the code that it would get", "never executed": "never executed: the code that it would get" } as const;

/** Everything. */
export function explorerView(explorer: Explorer): TemplateResult {
  const { unit, error } = explorer;
  return html`
    ${controls(explorer)}
    ${regionList(explorer)}
    ${error === undefined ? nothing : html`<p class="remark" role="status">${sentence(error)}</p>`}
    ${unit === undefined ? nothing : unitView(explorer, unit)}`;
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;
}

function controls(explorer: Explorer): TemplateResult {
  const go = (event: Event): void => {
    event.preventDefault();
    const input = (event.target as HTMLFormElement).elements.namedItem("address") as HTMLInputElement;
    try {
      input.setCustomValidity("");
      void explorer.choose(input.value.trim());
    } catch (error) {
      input.setCustomValidity(sentence((error as Error).message));
      input.reportValidity();
    }
  };
  const checked = (event: Event): boolean => (event.target as HTMLInputElement).checked;
  return html`
    <div class="controls">
      <button id="explorer-refresh" @click=${() => explorer.refresh()}>Refresh</button>
      <button id="explorer-clear" ?disabled=${explorer.hotspots?.counted === undefined} title="Lets all figures begin at 0" @click=${() => explorer.clearCounts()}>Count anew</button>
      <label class="check" title="Looks once a second while this tab is to be seen"><input type="checkbox" id="explorer-follow" .checked=${explorer.follows}
        @change=${(event: Event) => explorer.setFollows(checked(event))}>Refresh by itself</label>
      <label class="check" title="The guest is slower while its code counts"><input type="checkbox" id="explorer-hidden" .checked=${explorer.countsHidden}
        @change=${(event: Event) => explorer.setCountsHidden(checked(event))}>Count while hidden</label>
      <form @submit=${go}>
        <label class="unseen" for="explorer-address">Address</label>
        <input id="explorer-address" name="address" placeholder="Address: 0xc1000000" autocomplete="off" spellcheck="false" required
          @input=${(event: Event) => (event.target as HTMLInputElement).setCustomValidity("")}>
        <button>Explain</button>
      </form>
    </div>`;
}

function regionList(explorer: Explorer): TemplateResult {
  const { hotspots, unit, state } = explorer;
  if (hotspots === undefined) return html`<p class="remark" role="status">${explorer.error === undefined ? "Asking the machine" : nothing}</p>`;
  const { counted, regions } = hotspots;
  const remark = counted !== undefined ? `${grouped(counted)} instructions since the counts began.`
    : state === "running" ? "" : "Nothing was counted: the machine stands still. Those that ran last come first.";
  return html`
    <p class="remark">${regions.length === 0 ? "No region is in use yet: code is translated when it has become hot. This is what the processor executes next." : remark}
      ${explorer.chosen === undefined ? nothing : html`<button class="plain" id="explorer-hottest" @click=${() => explorer.chooseHottest()}>Show the hottest</button>`}</p>
    ${regions.length === 0 ? nothing : html`
      <div class="regions">
        <div class="row head" aria-hidden="true"><span>Share</span><span>Region</span><span>Mode</span><span>Instructions</span><span>Entered</span><span>Retired</span></div>
        <div role="listbox" aria-label="Hottest regions" @keydown=${step}>
          ${regions.map((region) => regionRow(explorer, region, counted, region.address === unit?.address))}
        </div>
      </div>`}`;
}

function regionRow(explorer: Explorer, { address, bits, instructions, entered, retired }: RegionSummary, counted: number | undefined, selected: boolean): TemplateResult {
  const share = retired === undefined || !counted ? undefined : (100 * retired) / counted;
  return html`
    <div class="row" role="option" data-address=${address} aria-selected=${selected} tabindex=${selected ? 0 : -1} @click=${() => explorer.choose(address)}>
      <span class="share">${share === undefined ? "–" : html`<i style=${`width:${Math.min(100, share).toFixed(1)}%`}></i><b>${share.toFixed(share < 10 ? 1 : 0)}%</b>`}</span>
      <code>${address}</code><span>${bits}-bit</span><span>${grouped(instructions)}</span><span>${entered === undefined ? "–" : short(entered)}</span><span>${retired === undefined ? "–" : short(retired)}</span>
    </div>`;
}

/** Up and down choose the next one of a list, and the focus goes with it. */
function step(event: KeyboardEvent): void {
  const change = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (change === 0) return;
  event.preventDefault();
  const options = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('[role="option"]')];
  const next = options[options.indexOf(event.target as HTMLElement) + change];
  next?.focus();
  next?.click();
}

function unitView(explorer: Explorer, unit: TranslationUnit): TemplateResult {
  const { address, bits, state, entered, retired, waysOut, wasm } = unit;
  // From its entry on; functions that it takes in may stand in front of it.
  const entry = Math.max(0, unit.blocks.findIndex((block) => block.address === address));
  const blocks = [...unit.blocks.slice(entry), ...unit.blocks.slice(0, entry)];
  const count = blocks.reduce((sum, { copies, instructions }) => sum + copies * instructions.filter(({ left }) => left === undefined).length, 0);
  const figures = [`${bits}-bit code`, `${plural(count, "instruction")} in ${plural(blocks.length, "block")}`, STATES[state],
    ...(entered === undefined ? [] : [`entered ${times(entered)}`]), ...(retired === undefined ? [] : [`${grouped(retired)} retired`])];
  const most = Math.max(1, ...blocks.map(({ executed }) => executed ?? 0));
  const first = explorer.instruction ?? blocks[0]?.instructions[0]?.address;
  return html`
    <section class="unit" aria-label=${`Region ${address}`}>
      <h3><code>${address}</code> <span>${figures.join(" · ")}</span></h3>
      <div class="sides">
        <section class="guest"><h4>Guest code</h4>
          <div class="scroll" role="listbox" aria-label="Guest code" @keydown=${step}>${blocks.map((block) => guestBlock(explorer, block, most, first))}</div></section>
        <section class="ir"><h4>IR</h4>
          <div class="scroll" tabindex="0" aria-label="Intermediate representation" role="region">${blocks.map((block) => irBlock(explorer, block))}</div></section>
        <section class="wasm"><h4>WebAssembly</h4>
          <pre class="scroll" tabindex="0" role="region" aria-label="WebAssembly">${wasm === "" ? "Nothing: the interpreter executes it." : wasm}</pre></section>
      </div>
      <h4>Chain: where control goes from here</h4>
      ${waysOut.length === 0 ? html`<p class="remark">Nowhere.</p>` : html`<ul class="ways">${waysOut.map((way) => wayRow(explorer, way))}</ul>`}
    </section>`;
}

function blockHead({ address, copies, executed }: ExplainedBlock): TemplateResult {
  return html`<span>block <code>${address}</code>${copies > 1 ? `, ${copies} copies` : ""}</span>${executed === undefined ? nothing : html`<b>${times(executed)}</b>`}`;
}

function guestBlock(explorer: Explorer, block: ExplainedBlock, most: number, first: string | undefined): TemplateResult {
  const heat = ((100 * (block.executed ?? 0)) / most).toFixed(1);
  return html`
    <div class="block" role="group" aria-label=${`Block ${block.address}`} style=${`--heat:${heat}%`}>
      <p class="head">${blockHead(block)}</p>
      ${block.instructions.map((one) => instructionRow(explorer, one, one.address === first))}
      ${block.next.length === 0 ? nothing : html`<p class="next">goes on to ${block.next.join(" or ")}</p>`}
    </div>`;
}

function instructionRow(explorer: Explorer, { address, text, sensitive, note }: ExplainedInstruction, reachable: boolean): TemplateResult {
  return html`
    <div class="instruction" role="option" aria-selected=${explorer.instruction === address} tabindex=${reachable ? 0 : -1} data-kind=${sensitive ? "sensitive" : "innocuous"}
      title=${`${sensitive ? "Sensitive" : "Innocuous"}${note === undefined ? "" : `, ${note}`}`} @click=${() => explorer.point(address)}
      ><code class="at">${address}</code><code>${text}</code>${note === undefined ? nothing : html`<span class="note">${note}</span>`}</div>`;
}

function irBlock(explorer: Explorer, block: ExplainedBlock): TemplateResult {
  return html`
    <div class="block">
      <p class="head">${blockHead(block)}</p>
      ${block.instructions.map(({ address, text, ir }) => html`
        <div class="meaning" data-pointed=${explorer.instruction === address}><code class="at">${text}</code>${ir.map((line) => html`<code>${line}</code>`)}</div>`)}
    </div>`;
}

function wayRow(explorer: Explorer, { what, from, to, where, count }: WayOut): TemplateResult {
  // Its address is the way there, but for what leads to the interpreter.
  const [before, after] = to !== undefined && where.includes(to) ? where.split(to, 2) as [string, string] : [where, ""];
  const link = to !== undefined && where.includes(to) ? html`<button class="plain link" @click=${() => explorer.choose(to)}>${to}</button>` : nothing;
  return html`<li><b>${count === undefined ? "" : grouped(count)}</b><span>${what} at <code>${from}</code></span><span>${before}${link}${after}</span></li>`;
}

function plural(count: number, name: string): string {
  return `${grouped(count)} ${name}${count === 1 ? "" : "s"}`;
}

function times(count: number): string {
  return count === 1 ? "once" : `${grouped(count)} times`;
}
