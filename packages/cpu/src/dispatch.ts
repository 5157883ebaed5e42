/**
 * The dispatch function: one WebAssembly function that fetches a record, branches on its handler number and goes on, until the
 * budget is used up, a fault is recorded, or the next instruction is not yet decoded. Its shape:
 *
 *   loop dispatch
 *     block next; block lookUp; block fault; block leave; block outline; blocks of the arms
 *       budget check; br_table
 *     arms..., outline call
 *     fault: store RIP, return      lookUp: search the jump cache, else store RIP and return
 *     next: record += 32, dispatch
 */
import { type FunctionBuilder, type Label, OP } from "@doppel/wasm";
import type { Shape } from "@doppel/semantics";
import { ENTRY_RECORD, ifKnown } from "./jump-cache.ts";
import { AGAIN, ALONE, DIRECT, type DispatchFrame, FAULT, FAULT_HERE, GeneratedModule, shapeKey, type Watching, writeFused, writeInline } from "./handler.ts";
import { R_EXECUTED, R_LINK, R_OFFSET, RECORD_SIZE } from "./record.ts";
import { MODE_FLAT, MODE_LONG } from "./mode.ts";
import { BUDGET, MODE, RESUME, RIP, RUN_CONTROL, STATE, TLB_VIEW } from "./state-layout.ts";

/** A handler inside: of one instruction, or of one and the one behind it. */
export interface HotShape {
  readonly shape: Shape;
  readonly second: Shape | undefined;
}

/** What a visit ends with. */
export const EXIT_BUDGET = 0;
export const EXIT_FAULT = 1;
export const EXIT_LOOKUP = 2;

/** Handler number of the record behind a block, and of invalidated records: look the instruction up again. */
export const HANDLER_END = 0;

/** Where `from` and the old `delta` wait while TypeScript decodes a block. */
export const CONTROL_FROM = RUN_CONTROL + 4;
export const CONTROL_DELTA = RUN_CONTROL + 8;
/** The record of a region that returns `ALONE`, whose delta stands in CONTROL_DELTA. */
export const CONTROL_REGION = RUN_CONTROL;

const compiled = new WeakMap<readonly HotShape[], Map<string, WebAssembly.Module>>();

/** The module of a dispatch function, compiled once per process. */
export function compiledDispatch(hot: readonly HotShape[], long: boolean, pairs: boolean, watching: Watching = "nothing", counts = false): WebAssembly.Module {
  let known = compiled.get(hot);
  if (known === undefined) compiled.set(hot, (known = new Map()));
  const key = `${long} ${pairs} ${watching} ${counts}`;
  let module = known.get(key);
  if (module === undefined) {
    module = new WebAssembly.Module(dispatchModule(hot, long, pairs, watching, counts).module.encode());
    known.set(key, module);
  }
  return module;
}

/** For each handler number the one that stands for it without pairs: that of the first instruction alone. */
function aloneNumbers(hot: readonly HotShape[]): number[] {
  const alone = new Map<number, number>();
  for (const [n, { shape, second }] of hot.entries()) if (second === undefined) alone.set(shapeKey(shape), n);
  return hot.map(({ shape }, n) => alone.get(shapeKey(shape)) ?? n);
}

/**
 * Makes the dispatch function for 16- and 32-bit code, or for 64-bit code.
 * @param hot shapes whose handlers stand inside; handler n + 1 is `hot[n]`, greater numbers are in the table.
 * @param watching where somebody watches blocks, what stands behind each is looked up by the caller.
 * @param pairs false makes the smaller function in which the handler of a pair executes its first instruction alone.
 * @param counts has it count how often each record is executed; of a pair the first.
 */
export function dispatchModule(hot: readonly HotShape[], long: boolean, pairs = true, watching: Watching = "nothing", counts = false): GeneratedModule {
  const arm = pairs ? hot.map((_, n) => n) : aloneNumbers(hot);
  const generated = new GeneratedModule(watching);
  const { module } = generated;
  module.importTable("doppel", "table", 0);
  const outline = module.type({ parameters: ["i32", long ? "i64" : "i32"], results: ["i32"] });
  const { builder: f } = module.function({ parameters: ["i32"], results: ["i32"] }, "run");
  const native = long ? "i64" : "i32";
  const budget = 0;
  const record = f.local("i32");
  const delta = f.local(native);
  const ip = f.local(native);
  const from = f.local("i32");
  const status = f.local("i32");
  const entry = f.local("i32");
  const linear = f.local(native);
  const view = f.local("i32");
  const load = (offset: number): FunctionBuilder => f.i32(0).memory(OP.i32_load, STATE + offset);
  const loadNative = (offset: number): FunctionBuilder => f.i32(0).memory(long ? OP.i64_load : OP.i32_load, STATE + offset);
  const nativeAdd = long ? OP.i64_add : OP.i32_add;
  const storeRip = (push: () => void): void => {
    f.i32(0);
    push();
    if (!long) f.op(OP.i64_extend_i32_u);
    f.memory(OP.i64_store, STATE + RIP);
  };
  const currentIp = (): void => void f.get(delta).get(record).memory(long ? OP.i64_load16_u : OP.i32_load16_u, R_OFFSET).op(nativeAdd);
  const leave = (code: number): void => {
    f.i32(0).get(budget).memory(OP.i32_store, STATE + BUDGET);
    f.i32(code).op(OP.return);
  };

  load(CONTROL_FROM).set(from);
  loadNative(CONTROL_DELTA).set(delta);
  loadNative(RIP).set(ip);
  // The first thing a visit does is look up RIP, unless it goes on: `record` 0 says so to the dispatch loop.
  load(RESUME).set(record);
  f.i32(0).i32(0).memory(OP.i32_store, STATE + RESUME);
  load(TLB_VIEW).set(view);
  const dispatch = f.loop();
  const next = f.block();
  const lookUp = f.block();
  f.get(record).op(OP.i32_eqz).brIf(lookUp, false);
  const fault = f.block();
  const out = f.block();
  const outlineArm = f.block();
  const arms: Label[] = [];
  for (let n = hot.length - 1; n >= 0; n--) if (arm[n] === n) arms[n] = f.block();
  const end = f.block();
  f.get(budget).i32(1).op(OP.i32_sub).tee(budget).i32(0).op(OP.i32_lt_s).brIf(out, false);
  if (counts) {
    f.get(record).get(record).memory(OP.i32_load, R_EXECUTED).i32(1).op(OP.i32_add).memory(OP.i32_store, R_EXECUTED);
  }
  f.get(record).memory(OP.i32_load16_u).brTable([end, ...arm.map((n) => arms[n]!)], outlineArm);
  f.end();
  // HANDLER_END: no instruction, so nothing counts.
  f.get(budget).i32(1).op(OP.i32_add).set(budget);
  currentIp();
  f.set(ip).i32(0).set(from).br(lookUp);
  const frame: DispatchFrame = { record, delta, budget, view, ip, from, dispatch, lookUp, fault, out, next };
  for (const [n, { shape, second }] of hot.entries()) {
    if (arm[n] !== n) continue;
    f.end();
    if (second === undefined) writeInline(f, shape, generated, frame);
    else writeFused(f, shape, second, generated, frame);
    f.br(next);
  }
  f.end();
  // Handlers outside: helpers they call see, and may change, the budget.
  f.i32(0).get(budget).memory(OP.i32_store, STATE + BUDGET);
  f.get(record).get(delta);
  f.get(record).memory(OP.i32_load16_u).i32(hot.length + 1).op(OP.i32_sub).callIndirect(outline).set(status);
  load(BUDGET).set(budget);
  f.get(status).op(OP.i32_eqz).brIf(next, true);
  f.get(status).i32(FAULT).op(OP.i32_eq).brIf(fault, false);
  f.get(status).i32(AGAIN).op(OP.i32_eq).brIf(dispatch);
  f.get(status).i32(ALONE).op(OP.i32_eq).if(undefined, false);
  // Regions go on to each other: which one it was stands in the state.
  load(CONTROL_REGION);
  f.memory(OP.i32_load, R_LINK).set(record);
  loadNative(CONTROL_DELTA).set(delta);
  // A helper that one of them called may have changed the view.
  load(TLB_VIEW).set(view).br(dispatch).end();
  f.get(status).i32(FAULT_HERE).op(OP.i32_eq).if(undefined, false);
  leave(EXIT_FAULT);
  f.end();
  f.i32(0).set(from);
  f.get(status).i32(DIRECT).op(OP.i32_eq).if();
  f.get(record).memory(OP.i32_load, R_LINK).tee(entry).if();
  f.get(entry).set(record).br(dispatch).end();
  f.get(record).set(from).end();
  loadNative(RIP).set(ip).br(lookUp);
  f.end();
  // out: the budget is used up before this record.
  f.get(budget).i32(1).op(OP.i32_add).set(budget);
  storeRip(currentIp);
  f.i32(0).get(record).memory(OP.i32_store, STATE + RESUME);
  f.i32(0).get(delta).memory(long ? OP.i64_store : OP.i32_store, STATE + CONTROL_DELTA);
  leave(EXIT_BUDGET);
  f.end();
  // fault: the instruction did not retire.
  f.get(budget).i32(1).op(OP.i32_add).set(budget);
  storeRip(currentIp);
  leave(EXIT_FAULT);
  f.end();
  // lookUp
  const h = entry;
  // Only what a visit begins with is looked for here then, and no jump learns where it leads.
  if (watching === "blocks") f.i32(0).set(from).get(record).op(OP.i32_eqz).if();
  const unknown = ifKnown(f, long, () => f.get(ip), linear, h, { mayFill: () => f.get(budget).i32(0).op(OP.i32_gt_s), fillCode: generated.helper("fillCode", 2) });
  f.get(h).memory(OP.i32_load, ENTRY_RECORD).tee(record).memory(OP.i32_load16_u).op(OP.i32_eqz).brIf(unknown, false);
  load(TLB_VIEW).set(view);
  // A direct jump within its page remembers the way: same delta means same page. Only flat code: a limit cannot change there.
  f.get(ip).get(record).memory(long ? OP.i64_load16_u : OP.i32_load16_u, R_OFFSET).op(long ? OP.i64_sub : OP.i32_sub).set(linear);
  f.get(from).if();
  f.get(linear).get(delta).op(long ? OP.i64_eq : OP.i32_eq);
  load(MODE).i32(MODE_FLAT).op(OP.i32_and).i32(0).op(OP.i32_ne).op(OP.i32_and).if();
  f.get(from).get(record).memory(OP.i32_store, R_LINK).end();
  f.i32(0).set(from).end();
  f.get(linear).set(delta).br(dispatch).end();
  if (watching === "blocks") f.end();
  if (!long) {
    // In 64-bit mode now: RIP stands in the state, and has more bits than are at hand here.
    load(MODE).i32(MODE_LONG).op(OP.i32_and).if();
    f.i32(0).i32(0).memory(OP.i32_store, STATE + CONTROL_FROM);
    leave(EXIT_LOOKUP);
    f.end();
  }
  storeRip(() => f.get(ip));
  f.i32(0).get(from).memory(OP.i32_store, STATE + CONTROL_FROM);
  f.i32(0).get(delta).memory(long ? OP.i64_store : OP.i32_store, STATE + CONTROL_DELTA);
  leave(EXIT_LOOKUP);
  f.end();
  // next
  f.get(record).i32(RECORD_SIZE).op(OP.i32_add).set(record).br(dispatch);
  f.end();
  f.op(OP.unreachable);
  return generated;
}
