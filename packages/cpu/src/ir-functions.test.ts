import { expect, test } from "vitest";
import { irFunction } from "@doppel/semantics";
import { compileFunctions } from "./ir-functions.ts";

test("a loop, a variable, an if with a return in each arm, and a call", () => {
  const gcd = irFunction("gcd", ["i32", "i32"], "i32", (b, x, y) => {
    const a = b.variable(x);
    const c = b.variable(y);
    b.loop(() => {
      b.breakIf(b.eqz(b.get(c)));
      const rest = b.op("i32_rem_u", [b.get(a), b.get(c)]);
      b.setVariable(a, b.get(c));
      b.setVariable(c, rest);
    });
    b.return(b.get(a));
  });
  const lcm = irFunction("lcm", ["i32", "i32"], "i32", (b, x, y) => {
    b.if(b.eqz(x), () => b.return(b.i32(0)), () => {
      const g = b.call(gcd, [x, y]);
      b.return(b.mul(b.op("i32_div_u", [x, g]), y));
    });
  });
  const f = compileFunctions([lcm, gcd]) as Record<string, (x: number, y: number) => number>;
  expect(f["gcd"]!(48, 36)).toBe(12);
  expect(f["lcm"]!(21, 6)).toBe(42);
  expect(f["lcm"]!(0, 6)).toBe(0);
});
