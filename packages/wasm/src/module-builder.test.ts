import { expect, test } from "vitest";
import { ModuleBuilder, OP } from "./index.ts";

test("core specification 5.5: a module with a loop, a branch hint and a released local runs", () => {
  const module = new ModuleBuilder();
  const log = module.importFunction("host", "log", { parameters: ["i32"], results: [] });
  const { builder: f } = module.function({ parameters: ["i32"], results: ["i64"] }, "factorial");
  const scratch = f.local("i64");
  f.release(scratch);
  const product = f.local("i64");
  expect(product).toBe(scratch);
  f.i64(1).set(product);
  const done = f.block();
  const again = f.loop();
  f.get(0).op(OP.i32_eqz).brIf(done, false);
  f.get(0).call(log);
  f.get(product).get(0).op(OP.i64_extend_i32_u).op(OP.i64_mul).set(product);
  f.get(0).i32(1).op(OP.i32_sub).set(0).br(again);
  f.end().end();
  f.get(product);
  const seen: number[] = [];
  const bytes = module.encode();
  expect(WebAssembly.validate(bytes)).toBe(true);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { host: { log: (n: number) => seen.push(n) } });
  expect((instance.exports["factorial"] as (n: number) => bigint)(20)).toBe(2432902008176640000n);
  expect(seen.slice(0, 3)).toEqual([20, 19, 18]);
});

test("core specification 5.2.2: signed LEB128 at the borders of its lengths", () => {
  for (const value of [0, -1, 63, 64, -64, -65, 8191, 8192, -8193, 2 ** 31 - 1, -(2 ** 31)]) {
    for (const wide of [false, true]) {
      const module = new ModuleBuilder();
      const { builder } = module.function({ parameters: [], results: [wide ? "i64" : "i32"] }, "f");
      if (wide) builder.i64(BigInt(value) << 31n);
      else builder.i32(value);
      const { f } = new WebAssembly.Instance(new WebAssembly.Module(module.encode())).exports as Record<string, () => number | bigint>;
      expect(f!()).toBe(wide ? BigInt(value) << 31n : value);
    }
  }
});
