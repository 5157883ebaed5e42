/** Addresses of guest code, as people write them. */
import { OptionError } from "./option-error.ts";

/**
 * A linear address in hexadecimal, with or without 0x. One in the upper half of the 64-bit address space becomes a negative number, as everywhere in this API.
 * @throws {OptionError} `OPTION_ADDRESS` for a text that is none
 * @example
 * const [unit] = await vm.explain({ at: linearAddress("0xffffffff81000000") });
 */
export function linearAddress(text: string): number {
  if (!/^(0x)?[0-9a-f]{1,16}$/i.test(text)) throw new OptionError("OPTION_ADDRESS", `${text === "" ? "an empty text" : text} is no address; write it in hexadecimal, like 0xc1000000`);
  const value = BigInt.asIntN(64, BigInt(`0x${text.replace(/^0x/i, "")}`));
  if (BigInt.asIntN(48, value) !== value) throw new OptionError("OPTION_ADDRESS", `${text} is no address that a 64-bit processor has: bits 47 to 63 must be equal`);
  return Number(value);
}
