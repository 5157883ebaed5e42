// Canonical addresses: SDM volume 1, 3.3.7.1.
import { expect, test } from "vitest";
import { linearAddress, OptionError } from "./index.ts";

test("addresses of both halves, and what is none", () => {
  expect(["1000", "0XC1000000", "0x7fffffffffff"].map(linearAddress)).toEqual([0x1000, 0xc1000000, 0x7fffffffffff]);
  expect(["ffffffff81000000", "0xffff800000000000"].map(linearAddress)).toEqual([-0x7f000000, -0x800000000000]);
  for (const text of ["", "0x", "xyz", "12345678901234567", "-1"]) expect(() => linearAddress(text)).toThrow(OptionError);
  expect(() => linearAddress("0x800000000000")).toThrow(/bits 47 to 63/);
});
