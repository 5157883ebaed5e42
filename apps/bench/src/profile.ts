/**
 * What a profiler cannot see: boots the Debian guest in this process, does the work that is named, and prints for each piece how often every
 * handler outside the dispatch function ran (by form and variant, in the notation of the interpreter's list of hot shapes), how
 * often generated code called each TypeScript helper, look-ups and TLB fills. It reaches into the interpreter to count, so
 * its times are no measurement; with --plain it only runs, for `node --cpu-prof`. With --pairs it samples which instructions run most, and
 * which stand next to each other, of all or (--engine auto) of those that are interpreted beside a translator: what the lists of hot
 * shapes and of frequent ones are made from.
 *
 *   node --conditions=@doppel/source apps/bench/src/profile.ts [--guest NAME] [--plain | --pairs] [--engine auto] [--quick] [WORK...]
 */
import { decode, Instruction, OK } from "@doppel/x86";
import { ModuleBuilder, OP } from "@doppel/wasm";
import { createVm, type Vm } from "doppel";
import process from "node:process";
import { parseArgs } from "node:util";
import { debianGuest } from "./guests.ts";
import { GUESTS } from "./options.ts";

/** Counters by name; outline counters are words of a WebAssembly memory of their own. */
class Counters {
  private readonly names = new Map<number, string>();
  private readonly slots = new WebAssembly.Memory({ initial: 1 });
  private readonly helpers = new Map<string, number>();
  private readonly vm: Vm;

  constructor(vm: Vm) {
    this.vm = vm;
    const { handlers, helpers } = vm.machine.engine;
    const { table } = handlers;
    const set = table.set.bind(table);
    let last = false;
    table.set = (slot: number, handler: (() => void) | null) => {
      if (handler === null) return set(slot, handler);
      const instance = new WebAssembly.Instance(counting(slot, last), { count: { handler, memory: this.slots } } as unknown as WebAssembly.Imports);
      set(slot, instance.exports["counted"] as () => void);
    };
    const handler = handlers.handler.bind(handlers);
    handlers.handler = (instruction, long, flat) => {
      last = long;
      const number = handler(instruction, long, flat);
      const slot = number - handlers.firstOutlined(long);
      if (slot >= 0 && !this.names.has(slot)) this.names.set(slot, describe(instruction, flat));
      return number;
    };
    for (const [name, helper] of Object.entries(helpers)) {
      helpers[name] = (...args) => {
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
function counting(slot: number, long: boolean): WebAssembly.Module {
  const module = new ModuleBuilder();
  const signature = { parameters: ["i32", long ? "i64" : "i32"], results: ["i32"] } as const;
  const handler = module.importFunction("count", "handler", signature);
  module.importMemory("count", "memory", 1);
  const { builder: f } = module.function(signature, "counted");
  f.i32(0).i32(0).memory(OP.i64_load, slot * 8).i64(1).op(OP.i64_add).memory(OP.i64_store, slot * 8);
  f.get(0).get(1).call(handler);
  return new WebAssembly.Module(module.encode());
}

/**
 * What stands next to what: between slices of about a thousand instructions, the instruction that comes and the one behind it are counted,
 * operands in the notation of the list of hot shapes (q is relative to RIP), with the operand size and the condition.
 */
class Samples {
  readonly single = new Map<string, number>();
  readonly pairs = new Map<string, number>();
  private readonly vm: Vm;
  private readonly window = new Uint8Array(30);
  private readonly first = new Instruction();
  private readonly second = new Instruction();

  constructor(vm: Vm) {
    this.vm = vm;
    const { engine } = vm.machine;
    if (engine.regions !== undefined) {
      // What a translator is told of: each 16381st instruction of those that are interpreted beside it.
      const { regions } = engine;
      const told = regions.sample.bind(regions);
      regions.sample = (host) => {
        this.sample();
        told(host);
      };
      return;
    }
    const run = engine.run.bind(engine);
    engine.run = (budget) => {
      for (let left = budget; ; ) {
        const before = engine.retired;
        // Lengths that no loop of the guest divides.
        const exit = run(Math.min(left, 500 + Math.floor(Math.random() * 1000)));
        left -= engine.retired - before;
        if (exit.reason !== "budget" || left <= 0) return exit;
        this.sample();
      }
    };
  }

  private sample(): void {
    const { cpu, memory } = this.vm.machine;
    const linear = cpu.wrap(cpu.state.segmentBase(1) + cpu.state.rip);
    const physical = cpu.mmu.peek(linear);
    if (physical < 0 || (physical & 0xfff) > 0xfe0) return;
    memory.map.readBytes(physical, this.window);
    const size = cpu.longMode ? 8 : cpu.state.mode & 1 ? 4 : 2;
    if (decode(this.window, 0, 30, size, this.first) !== OK) return;
    const one = variantOf(this.first);
    this.single.set(one, (this.single.get(one) ?? 0) + 1);
    if (decode(this.window, this.first.length, 30, size, this.second) !== OK) return;
    const both = `${one} | ${variantOf(this.second)}`;
    this.pairs.set(both, (this.pairs.get(both) ?? 0) + 1);
  }

  print(): void {
    for (const [title, counts] of [["instructions", this.single], ["pairs", this.pairs]] as const) {
      const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
      console.log(`\n== ${title}, of ${total} samples`);
      for (const [name, count] of [...counts].sort((a, b) => b[1] - a[1]).slice(0, 1500)) console.log(`${((1000 * count) / total).toFixed(3).padStart(9)} per 1000  ${name}`);
    }
  }
}

function variantOf(i: Instruction): string {
  const variant = !i.memory ? "r" : i.ripRelative ? "q" : i.segment >= 4 ? "f" : i.index >= 0 ? "i" : "m";
  const condition = i.form.range === "cc" ? i.condition.toString(16) : "";
  const opcode = i.form.mnemonic === "Jcc" ? "70+cc" : i.form.opcode;
  return `${opcode} ${i.form.mnemonic} ${variant}${i.operandSize}${condition && `:${condition}`}`;
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

const { values, positionals } = parseArgs({ options: { plain: { type: "boolean" }, engine: { type: "string", default: "interpreter" }, pairs: { type: "boolean" }, quick: { type: "boolean" }, guest: { type: "string", default: GUESTS[0] } }, allowPositionals: true });
const guest = await debianGuest(values.guest, values.quick ? 10 : 1, console.error);
const vm = await createVm({ memory: guest.memory << 20, kernel: { kernel: guest.kernel, initrd: guest.initrd!, append: guest.append! }, engine: values.engine === "auto" ? "auto" : "interpreter" });
const samples = values.pairs ? new Samples(vm) : undefined;
const counters = values.plain || values.pairs ? undefined : new Counters(vm);
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
void run.then((exit) => {
  if (exit.kind === "host-fault") throw exit.error;
});
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
samples?.print();
vm.stop();
await run;
process.exit(0);
