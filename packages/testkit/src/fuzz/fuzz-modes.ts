/** The modes of the processor that fuzzed programs begin in, and the models that have them (SDM volume 3, chapters 2 and 3). */
import { CPU_MODELS } from "@doppel/cpu";
import type { CodeSize } from "@doppel/x86";
import {
  CODE, CODE0, CODE16_0, CODE16_3, CODE3, DATA, DATA0, DATA16_0, DATA16_3, DATA3, DOWN0, DOWN16, DOWN3, LONG_CODE0, LONG_CODE3, LONG_DATA3, ODD_CODE0,
  ODD_CODE3, SMALL0, SMALL3, STACK16_0, STACK16_3,
} from "./image-layout.ts";

/** Models that programs run on: the least and the greatest. */
export type FuzzModel = "i686" | "max";
export const FUZZ_MODELS: Readonly<Record<FuzzModel, (typeof CPU_MODELS)[FuzzModel]>> = { i686: CPU_MODELS.i686, max: CPU_MODELS.max };

/** How the processor stands while a program runs. */
export interface FuzzMode {
  readonly name: string;
  readonly kind: "real" | "unreal" | "protected" | "v86";
  /** In IA-32e mode: 64-bit code, or compatibility mode. */
  readonly ia32e: boolean;
  readonly codeSize: CodeSize;
  readonly level: 0 | 3;
  /** Selectors, or segments in real and virtual-8086 mode; of the data segments one is chosen for each register. */
  readonly code: number;
  readonly stacks: readonly number[];
  readonly data: readonly number[];
  /** Where the program lies in its code segment; 64-bit code is seen at other places, too. */
  readonly codeOffset: number;
}

const FLAT_OFFSET = CODE;
const SHORT_OFFSET = CODE - 0x10000;
const ODD_OFFSET = CODE - 0xff03;
/** Segments for the data of real and virtual-8086 mode. */
export const REAL_DATA = [DATA >> 4, 0x1800, 0x1004, 0];

const ODD3: Omit<FuzzMode, "name" | "ia32e"> = {
  kind: "protected", codeSize: 4, level: 3, code: ODD_CODE3, stacks: [DATA3, STACK16_3, DOWN3], data: [DATA3, SMALL3, DOWN3, CODE3, 0], codeOffset: ODD_OFFSET,
};
const SHORT3: Omit<FuzzMode, "name" | "ia32e"> = {
  kind: "protected", codeSize: 2, level: 3, code: CODE16_3, stacks: [DATA16_3, STACK16_3], data: [DATA16_3, DATA3, SMALL3], codeOffset: SHORT_OFFSET,
};
const FLAT0: Omit<FuzzMode, "name" | "ia32e"> = { kind: "protected", codeSize: 4, level: 0, code: CODE0, stacks: [DATA0], data: [DATA0], codeOffset: FLAT_OFFSET };
const FLAT3: Omit<FuzzMode, "name" | "ia32e"> = { kind: "protected", codeSize: 4, level: 3, code: CODE3, stacks: [DATA3], data: [DATA3], codeOffset: FLAT_OFFSET };

/** Modes that every model has. */
export const LEGACY_MODES: readonly FuzzMode[] = ([
  { name: "real", kind: "real", codeSize: 2, level: 0, code: 0x1000, stacks: [0x1000, 0x0e00], data: REAL_DATA, codeOffset: SHORT_OFFSET },
  { name: "unreal", kind: "unreal", codeSize: 2, level: 0, code: 0x1000, stacks: [0x1000], data: REAL_DATA, codeOffset: SHORT_OFFSET },
  { name: "flat, level 0", ...FLAT0 },
  { name: "flat, level 3", ...FLAT3 },
  { name: "odd segments, level 0", kind: "protected", codeSize: 4, level: 0, code: ODD_CODE0, stacks: [DATA0, STACK16_0, DOWN0, DOWN16], data: [DATA0, SMALL0, DOWN0, DOWN16, CODE0, 0], codeOffset: ODD_OFFSET },
  { name: "odd segments, level 3", ...ODD3 },
  { name: "flat data, odd code", ...FLAT0, code: ODD_CODE0, codeOffset: ODD_OFFSET },
  { name: "16-bit, level 0", kind: "protected", codeSize: 2, level: 0, code: CODE16_0, stacks: [DATA16_0, STACK16_0, DATA0], data: [DATA16_0, DATA0, SMALL0], codeOffset: SHORT_OFFSET },
  { name: "16-bit, level 3", ...SHORT3 },
  { name: "virtual-8086", kind: "v86", codeSize: 2, level: 3, code: 0x1000, stacks: [0x2000], data: REAL_DATA, codeOffset: SHORT_OFFSET },
] as const).map((mode) => ({ ...mode, ia32e: false }));

/** 16- and 32-bit code in IA-32e mode. */
export const COMPATIBILITY_MODES: readonly FuzzMode[] = [
  { name: "compatibility mode, flat, level 0", ia32e: true, ...FLAT0 },
  { name: "compatibility mode, flat, level 3", ia32e: true, ...FLAT3 },
  { name: "compatibility mode, odd segments", ia32e: true, ...ODD3 },
  { name: "compatibility mode, 16-bit", ia32e: true, ...SHORT3 },
];

/** 64-bit code. */
export const LONG_MODES: readonly FuzzMode[] = [
  { name: "64-bit, level 0", kind: "protected", ia32e: true, codeSize: 8, level: 0, code: LONG_CODE0, stacks: [DATA0, 0], data: [DATA0, SMALL0, 0], codeOffset: FLAT_OFFSET },
  { name: "64-bit, level 3", kind: "protected", ia32e: true, codeSize: 8, level: 3, code: LONG_CODE3, stacks: [DATA3, LONG_DATA3], data: [DATA3, SMALL3, 0], codeOffset: FLAT_OFFSET },
];

/** Every mode that programs run in. */
export const FUZZ_MODES: readonly FuzzMode[] = [...LEGACY_MODES, ...COMPATIBILITY_MODES, ...LONG_MODES];
