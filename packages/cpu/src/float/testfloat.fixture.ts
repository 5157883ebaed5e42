/**
 * Runs Berkeley TestFloat's output files against the soft-float functions. A line holds operands, result and flags in hex; a file's name
 * holds function, rounding mode and, for the extended format, precision control. NaN results are only compared as quiet NaNs: payload
 * rules are the processor's own and stand in other tests.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { FLOAT_EXTRA, FLOAT_FLAGS, FLOAT_FUNCTIONS, FLOAT_INCOMPLETE, FLOAT_SE } from "@doppel/semantics";
import { FPU_IE, FPU_OE, FPU_PE, FPU_UE, FPU_ZE } from "@doppel/x86";
import { compileFunctions } from "../ir-functions.ts";
import { STATE } from "../state-layout.ts";

/** Outcome of one file. */
export interface TestFloatResult {
  readonly file: string;
  passed: number;
  failed: number;
  /** The first few differences. */
  readonly differences: string[];
}

const ROUNDING: Record<string, number> = { near_even: 0, min: 1, max: 2, minMag: 3 };
const FLAG_BITS: readonly (readonly [number, number])[] = [[FPU_IE, 16], [FPU_ZE, 8], [FPU_OE, 4], [FPU_UE, 2], [FPU_PE, 1]];

type Call = (...args: (number | bigint)[]) => number | bigint;

/** The compiled functions and the memory they leave their second results in. */
function build(): { call: (name: string, ...args: (number | bigint)[]) => number | bigint; state: DataView } {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const compiled = compileFunctions(FLOAT_FUNCTIONS, memory) as Record<string, Call>;
  return { call: (name, ...args) => compiled[name]!(...args), state: new DataView(memory.buffer, STATE) };
}

const hex = (text: string): bigint => BigInt(`0x${text}`);
const show = (value: bigint, digits: number): string => BigInt.asUintN(4 * digits, value).toString(16).toUpperCase().padStart(digits, "0");

/** Whether a result in a format is a NaN, and whether it is quiet. */
function quietNaN(type: string, text: string): boolean {
  if (type === "extF80") return (hex(text.slice(0, 4)) & 0x7fffn) === 0x7fffn && hex(text.slice(4)) >= 0xc000_0000_0000_0000n;
  const bits = hex(text);
  return type === "f32" ? (bits & 0x7fc0_0000n) === 0x7fc0_0000n : (bits & 0x7ff8_0000_0000_0000n) === 0x7ff8_0000_0000_0000n;
}

const SHORT = { extF80: "f80", f32: "f32", f64: "f64", i32: "i32", i64: "i64" } as Record<string, string>;

/** The TestFloat files of a folder, or undefined when it is absent. */
export function testFloatFiles(folder: string): string[] | undefined {
  const path = join(folder, "testfloat");
  return existsSync(path) ? readdirSync(path).filter((name) => name.endsWith(".gz")).sort() : undefined;
}

/** Makes a runner of files in one folder; functions are compiled once. */
export function testFloatRunner(folder: string): (file: string) => TestFloatResult {
  const { call, state } = build();
  return (file) => {
    const [name, ...options] = file.replace(/\.gz$/, "").split(".");
    const match = /^(extF80|f32|f64|i32|i64)_(to_)?(\w+)$/.exec(name!)!;
    const from = match[1]!;
    const converts = match[2] !== undefined;
    const operation = match[3]!;
    const rounding = ROUNDING[options[0] ?? "near_even"]!;
    const precision = options[1] === "precision32" ? 0 : options[1] === "precision64" ? 2 : 3;
    const control = 0x3f | (precision << 8) | (rounding << 10);
    const to = converts ? operation : from;

    /** Arguments of one operand. */
    const operand = (text: string): (number | bigint)[] => {
      const bits = from === "extF80" ? 0n : hex(text);
      if (from === "extF80") return [BigInt.asIntN(64, hex(text.slice(4))), Number(hex(text.slice(0, 4)))];
      if (from === "f32") return [Number(bits) | 0];
      return [BigInt.asIntN(from === "i32" ? 32 : 64, bits)];
    };
    /** A call's result as TestFloat writes it. */
    const format = (value: number | bigint, digits: number): string =>
      to === "extF80" ? show(BigInt(state.getInt32(FLOAT_SE, true)), 4) + show(BigInt(value), 16) : show(BigInt(value), digits);
    const run = (operands: string[], digits: number): string => {
      const args = operands.flatMap(operand);
      if (/^(eq|le|lt)$/.test(operation)) {
        const order = call(`${SHORT[from]!}_compare`, ...args, operation === "eq" ? 1 : 0, ...(from === "extF80" ? [] : [control])) as number;
        return String(Number(operation === "eq" ? order === 0x40 : operation === "lt" ? order === 1 : order === 1 || order === 0x40));
      }
      if (operation === "rem") return remainder(args);
      if (operation === "roundToInt") return format(call("f80_round_to_integer", ...args, control), digits);
      if (!converts) return format(call(`${SHORT[from]!}_${operation}`, ...args, control), digits);
      const source = from === "i32" ? "i64" : SHORT[from]!;
      const withControl = to === "extF80" ? [] : [control];
      return format(call(`${source}_to_${SHORT[to]!}`, ...args, ...withControl), digits);
    };
    /** The IEEE remainder in as many FPREM1 steps as it takes. */
    const remainder = (args: (number | bigint)[]): string => {
      let [xs, xe] = args as [bigint, number];
      for (;;) {
        xs = call("f80_rem", xs, xe, args[2]!, args[3]!, control) as bigint;
        xe = state.getInt32(FLOAT_SE, true);
        if (state.getInt32(FLOAT_EXTRA, true) !== FLOAT_INCOMPLETE) return format(xs, 16);
      }
    };

    const result: TestFloatResult = { file, passed: 0, failed: 0, differences: [] };
    const text = gunzipSync(readFileSync(join(folder, "testfloat", file))).toString("latin1");
    for (const line of text.split("\n")) {
      const words = line.trim().split(" ");
      if (words.length < 3) continue;
      const expected = words[words.length - 2]!;
      state.setInt32(FLOAT_FLAGS, 0, true);
      const got = run(words.slice(0, -2), expected.length);
      const raised = state.getInt32(FLOAT_FLAGS, true);
      const flags = FLAG_BITS.reduce((sum, [ours, theirs]) => sum | (raised & ours ? theirs : 0), 0);
      const indefinite = /^i/.test(to) && (Number(`0x${words[words.length - 1]!}`) & 16) !== 0;
      const wanted = indefinite ? show(1n << (to === "i32" ? 31n : 63n), expected.length) : expected;
      const same = got === wanted || (converts || !/^(eq|le|lt)$/.test(operation)) && !/^i/.test(to) && quietNaN(to, wanted) && quietNaN(to, got);
      if (same && flags === Number(`0x${words[words.length - 1]!}`)) result.passed++;
      else if (++result.failed <= 5) result.differences.push(`${line}: got ${got} ${flags.toString(16).padStart(2, "0")}`);
    }
    return result;
  };
}
