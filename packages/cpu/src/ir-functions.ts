/**
 * Lowers IR functions (soft float and the like) to WebAssembly functions of their own. A function stands in one module
 * with everything it calls, so that calls between them are direct.
 */
import { type FunctionBuilder, ModuleBuilder, OP, type Signature } from "@doppel/wasm";
import { type Block, Builder, type IrFunction, type Size, type Value } from "@doppel/semantics";
import { Lowering } from "./lowering.ts";
import type { CarryRule, FlagWords, Target } from "./target.ts";

/** WebAssembly signature of an IR function. */
export function signatureOf(callee: IrFunction): Signature {
  return { parameters: callee.parameters, results: callee.result === undefined ? [] : [callee.result] };
}

/** IR functions touch parameters, variables and the state, never an instruction's operands. */
function functionTarget(f: FunctionBuilder, callees: (callee: IrFunction) => number): Target {
  const refuse = (): never => {
    throw new TypeError("an IR function has no instruction: operands, faults and jumps belong into a definition");
  };
  return {
    f, long: false, callee: callees,
    field: refuse, ip: refuse, nextIp: refuse, effectiveAddress: refuse, addressMask: refuse, readPlace: refuse, writePlace: refuse,
    recordSegment: refuse, fault: refuse, jump: refuse, again: refuse, leave: refuse, bulk: refuse, helper: refuse, synchronize: refuse, resynchronize: refuse, tlbView: refuse,
  };
}

/** Adds IR functions to a module, each once, with everything they call. */
export class FunctionSet {
  private readonly module: ModuleBuilder;
  private readonly indices = new Map<IrFunction, number>();
  private readonly carriers = new Map<string, number>();

  constructor(module: ModuleBuilder) {
    this.module = module;
  }

  /** Index of a function in the module; lowers it first when it is new. */
  index(callee: IrFunction): number {
    const known = this.indices.get(callee);
    if (known !== undefined) return known;
    const { builder: f, index } = this.module.function(signatureOf(callee));
    this.indices.set(callee, index);
    f.name = callee.name;
    const b = new Builder({ long: false, flat: true });
    b.allowEarlyCommit();
    callee.body(b, ...callee.parameters.map((type, n) => b.parameter(type, n)));
    new Lowering(functionTarget(f, (inner) => this.index(inner))).lower(b.root);
    // A body ends with `return`; what stands behind it is never reached but must validate.
    if (callee.result !== undefined) f.op(0x00);
    return index;
  }

  /** Index of a function of (a, b, result, old auxiliary word) that gives the auxiliary flag word. */
  carries(rule: CarryRule, size: Size): number {
    const key = `${rule} ${size}`;
    let index = this.carriers.get(key);
    if (index === undefined) {
      const type = size === 8 ? "i64" : "i32";
      const made = this.module.function({ parameters: [type, type, type, "i32"], results: ["i32"] });
      index = made.index;
      made.builder.name = `carries ${key}`;
      this.carriers.set(key, index);
      const [a, b, result] = [0, 1, 2].map((n) => new Builder({ long: false, flat: true }).parameter(type, n)) as [Value, Value, Value];
      const f = made.builder;
      const words: FlagWords = { load: () => void f.get(3), begin: () => {}, end: (word) => void (word === "result" ? f.op(OP.drop) : f.set(3)) };
      const body: Block = { id: 0, statements: [{ kind: "flags", update: { rule, size, a, b, result }, when: undefined }] };
      new Lowering({ ...functionTarget(f, (inner) => this.index(inner)), flagWords: words }).lower(body);
      f.get(3);
    }
    return index;
  }
}

/**
 * Compiles IR functions into one instance and returns them by name.
 * @param memory where state offsets point; a fresh page when absent.
 */
export function compileFunctions(functions: readonly IrFunction[], memory = new WebAssembly.Memory({ initial: 1 })): Record<string, (...args: never[]) => unknown> {
  const module = new ModuleBuilder();
  module.importMemory("doppel", "memory", 1);
  const set = new FunctionSet(module);
  for (const callee of functions) module.export(callee.name, set.index(callee));
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), { doppel: { memory } });
  return instance.exports as Record<string, (...args: never[]) => unknown>;
}
