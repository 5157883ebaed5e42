// The text is read back by another implementation, the WebAssembly Binary Toolkit, whose binary must print the same.
import { describe, expect, test } from "vitest";
import openWabt from "wabt";
import type { FunctionBuilder} from "./index.ts";
import { functionTexts, ModuleBuilder, moduleText, OP } from "./index.ts";

const wabt = await openWabt();
const assembled = (text: string): Uint8Array => wabt.parseWat("m.wat", text, { simd: true, tail_call: true, bulk_memory: true, annotations: true, code_metadata: true } as object).toBinary({}).buffer;

/** Writes an instruction with the immediates that it takes. */
function emit(f: FunctionBuilder, name: string, code: number): void {
  switch (name) {
    case "block": return void (f.block("i64"), f.end());
    case "loop": return void (f.loop(), f.end());
    case "if": case "else": {
      f.if("i32", name === "if");
      return void f.i32(1).else().i32(2).end();
    }
    case "end": return;
    case "br": return void (f.br(f.block()), f.end());
    case "br_if": return void (f.brIf(f.block(), true), f.end());
    case "br_table": {
      const [outer, inner] = [f.block(), f.block()];
      return void f.brTable([outer, inner, outer], inner).end().end();
    }
    case "call": return void f.call(0);
    case "return_call": return void f.op(code).op(0);
    case "call_indirect": return void f.callIndirect(0);
    case "return_call_indirect": return void f.returnCallIndirect(0);
    case "local_get": return void f.get(1);
    case "local_set": return void f.set(2);
    case "local_tee": return void f.tee(0);
    case "global_get": case "global_set": return void f.op(code).op(0);
    case "i32_const": return void f.i32(-(2 ** 31)).i32(2 ** 31 - 1).i32(-65).i32(128);
    case "i64_const": return void f.i64(-(2n ** 63n)).i64(2n ** 63n - 1n).i64(-1);
    case "f32_const": return void f.f32(1.5).f32(-0).f32(Infinity).f32(NaN).f32(1e-45);
    case "f64_const": return void f.f64(Math.PI).f64(-Infinity).f64(NaN).f64(5e-324).f64(-0);
    case "v128_const": return void f.v128(Uint8Array.from({ length: 16 }, (_, n) => n * 17));
    case "i8x16_shuffle": return void f.shuffle(Array.from({ length: 16 }, (_, n) => 31 - n));
    case "memory_copy": return void f.memoryCopy();
    case "memory_fill": return void f.memoryFill();
  }
  if (/_lane(_[su])?$/.test(name)) f.lane(code, 1);
  else if (/_(load|store)/.test(name)) f.memory(code, 4096).memory(code);
  else f.op(code);
}

/** A module with one function that is made by `write`. */
function moduleOf(write: (f: FunctionBuilder) => void): ModuleBuilder {
  const module = new ModuleBuilder();
  module.importFunction("host", "log it", { parameters: ["i32", "i64"], results: [] });
  module.importMemory("host", "memory", 1);
  module.importTable("host", "table", 0);
  module.importGlobal("host", "base", "i64");
  const { builder } = module.function({ parameters: ["i64"], results: [] }, "run");
  builder.local("i32");
  builder.local("i64");
  write(builder);
  return module;
}

describe("every opcode of the list", () => {
  test.each(Object.entries(OP))("%s", (name, code) => {
    const text = moduleText(moduleOf((f) => emit(f, name, code)).encode());
    expect(moduleText(assembled(text))).toBe(text);
    if (name !== "end") expect(text).toContain(/^(br|call|return)(_|$)/.test(name) ? name : name.replace("_", "."));
  });
});

test("names of functions and locals, labels, hints and comments", () => {
  const module = moduleOf((f) => {
    f.name = "count down";
    f.localNames.set(0, "rip");
    const left = f.local("i32", "left");
    const done = f.block();
    const again = f.loop();
    f.get(left).op(OP.i32_eqz).brIf(done, false);
    f.get(left).memory(OP.i32_load, 4104).set(left).br(again).end().end();
  });
  const [{ index, name, text }] = functionTexts(module.encode(true), { comment: (offset) => (offset === 4104 ? "rcx" : undefined) }) as [ReturnType<typeof functionTexts>[number]];
  expect([index, name]).toEqual([1, "count_down"]);
  expect(text).toBe(`(func $count_down (param $rip i64)
  (local $1 i32)
  (local $2 i64)
  (local $left i32)
  block $L1
    loop $L2
      local.get $left
      i32.eqz
      (@metadata.code.branch_hint "\\00")
      br_if $L1
      local.get $left
      i32.load offset=4104 align=1 ;; rcx
      local.set $left
      br $L2
    end
  end)`);
  // Names cost nothing where nobody asks for them, and change no code.
  expect(WebAssembly.Module.customSections(new WebAssembly.Module(module.encode()), "name")).toEqual([]);
  expect(WebAssembly.validate(module.encode(true))).toBe(true);
});

test("a block with several results", () => {
  const module = moduleOf(() => {});
  const { builder: f } = module.function({ parameters: [], results: [] }, "several");
  f.block(module.type({ parameters: [], results: ["i32", "i64"] }));
  f.i32(1).i64(2).end().op(OP.drop).op(OP.drop);
  const text = moduleText(module.encode());
  expect(text).toContain("block $L1 (result i32 i64)");
  expect(moduleText(assembled(text))).toBe(text);
});

test("what is no instruction of the list", () => {
  expect(() => functionTexts(moduleOf((f) => f.op(0xfb)).encode())).toThrow(/0xfb at \d+ is no opcode/);
});
