/**
 * What a profiler cannot see: boots the Debian guest in this process, does the work that is named, and prints for each piece how often every
 * handler outside the dispatch function ran (by form and variant, in the notation of the interpreter's list of hot shapes), how
 * often generated code called each TypeScript helper, look-ups and TLB fills. It reaches into the interpreter to count, so
 * its times are no measurement; with --plain it only runs, for `node --cpu-prof`.
 *
 *   node --conditions=@doppel/source apps/bench/src/profile.ts [--plain] [--quick] [WORK...]
 */
import type { Instruction } from "@doppel/x86";
import { ModuleBuilder, OP } from "@doppel/wasm";
import { createVm, type Vm } from "doppel";
import process from "node:process";
import { parseArgs } from "node:util";
import { debianGuest } from "./guests.ts";

/** The interpreter's insides, as far as this script counts in them. */
interface Insides {
  readonly table: WebAssembly.Table;
  readonly helpers: Record<string, (...args: number[]) => number>;
  handler(instruction: Instruction, long: boolean, flat: boolean): number;
  readonly hot: readonly { readonly shapes: readonly unknown[] }[];
}

/** Counters by name; outline counters are words of a WebAssembly memory of their own. */
class Counters {
  private readonly names = new Map<number, string>();
  private readonly slots = new WebAssembly.Memory({ initial: 1 });
  private readonly helpers = new Map<string, number>();
  private readonly vm: Vm;

  constructor(vm: Vm) {
    this.vm = vm;
    const engine = vm.machine.engine as unknown as Insides;
    const set = engine.table.set.bind(engine.table);
    engine.table.set = (slot: number, handler: (...args: never[]) => unknown) => {
      const instance = new WebAssembly.Instance(counting(slot), { count: { handler, memory: this.slots } } as unknown as WebAssembly.Imports);
      set(slot, instance.exports["counted"] as () => void);
    };
    const handler = engine.handler.bind(engine);
    engine.handler = (instruction, long, flat) => {
      const number = handler(instruction, long, flat);
      const slot = number - engine.hot[long ? 1 : 0]!.shapes.length - 1;
      if (slot >= 0 && !this.names.has(slot)) this.names.set(slot, describe(instruction, flat));
      return number;
    };
    for (const [name, helper] of Object.entries(engine.helpers)) {
      engine.helpers[name] = (...args) => {
        this.helpers.set(name, (this.helpers.get(name) ?? 0) + 1);
        return helper(...args);
      };
    }
  }

  read(): Map<string, number> {
    const view = new BigInt64Array(this.slots.buffer);
    const { instructions, exits, exceptions, tlb, code } = this.vm.stats();
    const out = new Map<string, number>([["instructions", instructions]]);
    for (const [group, figures] of Object.entries({ exits, exceptions, tlb, code }))
      for (const [name, count] of Object.entries(figures as unknown as Record<string, number>)) out.set(`${group} ${name}`, Number(count));
    for (const [slot, name] of this.names) out.set(`outline ${name}`, (out.get(`outline ${name}`) ?? 0) + Number(view[slot]!));
    for (const [name, count] of this.helpers) out.set(`helper ${name}`, count);
    return out;
  }
}

/** A function that adds one to a 64-bit word and goes on with the handler. */
function counting(slot: number): WebAssembly.Module {
  const module = new ModuleBuilder();
  const signature = { parameters: ["i32", "i32"], results: ["i32"] } as const;
  const handler = module.importFunction("count", "handler", signature);
  module.importMemory("count", "memory", 1);
  const { builder: f } = module.function(signature, "counted");
  f.i32(0).i32(0).memory(OP.i64_load, slot * 8).i64(1).op(OP.i64_add).memory(OP.i64_store, slot * 8);
  f.get(0).get(1).call(handler);
  return new WebAssembly.Module(module.encode());
}

function describe(i: Instruction, flat: boolean): string {
  const variant = !i.memory ? "r" : i.segment < 4 ? "m" : "f";
  const prefix = i.prefixes & 0xff ? ` prefixes ${i.prefixes.toString(16)}` : "";
  return `${i.form.opcode} ${i.form.mnemonic} ${variant} ${i.operandSize * 8}-bit${flat ? "" : " checked"}${prefix}`;
}

function print(title: string, before: Map<string, number>, after: Map<string, number>, milliseconds: number): void {
  const delta = [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const).filter(([, count]) => count > 0);
  const total = delta.find(([name]) => name === "instructions")?.[1] ?? 1;
  const outlined = delta.reduce((sum, [name, count]) => (name.startsWith("outline") ? sum + count : sum), 0);
  console.log(`\n== ${title}: ${(total / 1e6).toFixed(1)} M instructions, ${(milliseconds / 1000).toFixed(2)} s, ${((100 * outlined) / total).toFixed(2)}% outside the dispatch function`);
  for (const [name, count] of delta.sort((a, b) => b[1] - a[1]).slice(0, 40))
    console.log(`${String(count).padStart(12)} ${((1000 * count) / total).toFixed(3).padStart(9)} per 1000  ${name}`);
}

const { values, positionals } = parseArgs({ options: { plain: { type: "boolean" }, quick: { type: "boolean" } }, allowPositionals: true });
const guest = await debianGuest(values.quick ? 10 : 1, console.error);
const vm = await createVm({ memory: guest.memory << 20, kernel: { kernel: guest.kernel, initrd: guest.initrd!, append: guest.append! } });
const counters = values.plain ? undefined : new Counters(vm);
const read = (): Map<string, number> => counters?.read() ?? new Map([["instructions", vm.stats().instructions]]);
const PATIENCE = 600_000;

let last = read();
let since = performance.now();
const lap = (title: string): void => {
  const now = read();
  print(title, last, now, performance.now() - since);
  last = now;
};
const run = vm.run();
await vm.console.waitFor(guest.banner, PATIENCE);
lap("boot");
await vm.console.waitFor(guest.prompt, PATIENCE);
for (const { name, command, begin, end } of guest.workloads.filter((work) => positionals.includes(work.name))) {
  vm.console.type(`${command}\n`);
  await vm.console.waitFor(begin!, PATIENCE);
  last = read();
  since = performance.now();
  await vm.console.waitFor(end!, PATIENCE);
  lap(name);
  await vm.console.waitFor(guest.prompt, PATIENCE);
}
vm.stop();
await run;
process.exit(0);
