/**
 * The long-mode ROM under the interpreter, against what QEMU 7.2 (`-cpu max`, TCG) answered to the same image. Where QEMU and the
 * manual differ the manual decides, and the list below says so. `DOPPEL_RECORD_QEMU=1` asks QEMU again.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MODEL_MAX } from "./cpu-model.ts";
import { LONG_CASES } from "./long-rom-cases.ts";
import { longRom } from "./long-rom.ts";
import { answers, recordQemu, runHere } from "./rom.fixture.ts";

const RECORDED = new URL("long-rom.qemu.txt", import.meta.url);

/** What a case's line must have: its first fields, and registers by name. */
interface Expected {
  readonly code?: string;
  readonly rax?: string;
  readonly rcx?: string;
  readonly rbx?: string;
}

interface Ruling {
  readonly expected: Expected;
  readonly why: string;
}

const fields = (expected: Expected, why: string): Ruling => ({ expected, why });
const every = (code: string, why: string, names: readonly string[]): Record<string, Ruling> =>
  Object.fromEntries(names.map((name) => [name, { expected: { code }, why }]));

/** Whether a line has what the manual says; the registers stand behind the first bar as RAX RCX RDX RBX and more. */
function follows(line: string, { code, ...registers }: Expected): boolean {
  const values = (line.split("|")[1] ?? "").trim().split(" ");
  return line.startsWith(code ?? "") && (["rax", "rcx", "rbx"] as const).every((name, i) => registers[name] === undefined || values[[0, 1, 3][i]!] === registers[name]);
}

/** What the manual says where QEMU says something else. */
const MANUAL: Record<string, Ruling> = {
  ...every("d 0", "volume 1, 3.3.7.1: a reference of which one byte is not canonical; QEMU looks at the first", ["canonical: read across the end"]),
  ...every("c 0", "volume 3, 6.15, interrupt 12: a stack reference that is not canonical; QEMU raises #GP", [
    "canonical: through RBP", "canonical: through RSP", "canonical: PUSH", "canonical: POP", "canonical: CALL with a stack that is not",
    "canonical: RET with a stack that is not", "canonical: SS of a stack that is not, at delivery",
  ]),
  ...every("d 0 1", "volume 2, JMP, CALL, RET, IRET, SYSRET, SYSEXIT: the target is checked before it is loaded, so that the fault is the instruction's", [
    "canonical: JMP", "canonical: CALL", "canonical: RET", "far: JMP m16:64 that is not canonical", "RETF to an address that is not canonical",
    "IRETQ to an address that is not canonical", "SYSRET to an address that is not canonical", "SYSEXIT to an address that is not canonical",
    "SYSEXIT to a stack that is not canonical", "INT to an offset that is not canonical",
  ]),
  ...every("d 0", "volume 2: #GP(0), which QEMU does not look for", [
    "segment: SS null with another RPL", "segment: an FS base that is not canonical", "segment: a GS base that is not canonical",
    "segment: WRFSBASE that is not canonical", "LTR: null", "LGDT: a base that is not canonical", "IRETQ to compatibility mode, SS null",
    ...["0xc0000082", "0xc0000083", "0xc0000102", "0x175", "0x176"].map((register) => `WRMSR ${register} that is not canonical`),
    "CR0: paging cannot end in 64-bit mode", "CR0: upper half", "CR0: NW without CD", "CR4: PAE cannot end", "CR4: reserved", "CR4: upper half",
    "CR8: reserved", "CR3: reserved", "CR3: bit 63 without PCIDE", "EFER: LME cannot change while paging", "EFER: reserved", "TSC_AUX: upper half",
    "PCIDE: CR3 has a context", "PCIDE: paging cannot end",
  ]),
  ...every("d 0", "volume 2, INVPCID; QEMU has none", [
    "INVPCID of an unknown type", "INVPCID with reserved bits", "INVPCID of an address that is not canonical", "INVPCID at level 3",
  ]),
  ...Object.fromEntries([0, 1, 2, 3].map((type) => [`INVPCID ${type}`, fields({ code: "60 ffffffffffffffff", rbx: "22" }, "volume 2, INVPCID; QEMU has none")])),
  "segment: base of DS does not count": fields({ code: "60 ffffffffffffffff", rbx: "77" }, "volume 3, 3.4.4; QEMU adds the base behind an override"),
  "LTR: a 16-bit TSS": fields({ code: "d 128" }, "volume 3, table 3-2: type 1 is reserved in IA-32e mode"),
  "LTR: a base that is not canonical": fields({ code: "d 148" }, "volume 2, LTR"),
  ...Object.fromEntries(["CODE0", "CODE32"].map((selector) => [
    `LAR, LSL, VERR, VERW ${selector}`, fields({ rax: selector === "CODE0" ? "a09b00" : "c09b00" }, "volume 3, 3.4.5.1: gates and far jumps set the accessed bit; QEMU's do not"),
  ])),
  ...Object.fromEntries(["GATE16", "TASKGATE", "TASK16"].map((selector) => [
    `LAR, LSL, VERR, VERW ${selector}`, fields({ rax: "ffffffffffffffff", rbx: "ffffffffffffffff" }, "volume 2, LAR, table 3-54: 16-bit types and task gates are not valid in IA-32e mode"),
  ])),
  "RETF: L and D": fields({ code: "d 68" }, "volume 2, RET"),
  "IRETQ: L and D": fields({ code: "d 68" }, "volume 2, IRET"),
  ...Object.fromEntries(Object.entries({
    "INT past the table": "d 482", "INT to an empty gate": "d 22a", "INT at level 3: gate of level 0": "d 18a", "INT to an absent gate": "b 19a",
    "INT to a task gate": "d 1aa", "INT to a 16-bit gate": "d 1d2", "#GP while delivering #UD": "d 33",
  }).map(([name, code]) => [name, fields({ code }, "volume 3, 6.13: the error code has the vector in bits 15:3; QEMU doubles it, and does not set EXT")])),
  ...every("d 0", "volume 3, 6.14.4: SS becomes null with a change of privilege only; in QEMU also with an interrupt stack", [
    "canonical: PUSH from memory beside a stack that is not", "canonical: CALL through memory beside a stack that is not",
  ]),
  ...every("32 ffffffffffffffff", "volume 3, 6.14.4: SS becomes null with a change of privilege only; in QEMU also with an interrupt stack", ["INT with an interrupt stack"]),
  "SMAP: stack in a user page": fields({ code: "e 1" }, "the same"),
  "IRETD in compatibility mode, VM in the image": fields({ code: "60 ffffffffffffffff", rax: "2" }, "volume 3, 20.2: there is no virtual-8086 mode in IA-32e mode"),
  "SYSCALL": fields({ code: "30 ffffffffffffffff", rax: "8d7" }, "volume 2, SYSCALL: RFLAGS and not FMASK; QEMU loses the arithmetic flags"),
  "SYSRET to 64-bit mode": fields({ code: "60 ffffffffffffffff", rax: "244ed7" }, "volume 2, SYSRET: VM and RF are not taken from R11; QEMU takes VM"),
  "SYSCALL in compatibility mode": fields({ code: "6 ffffffffffffffff" }, "volume 2, SYSCALL: #UD outside 64-bit mode"),
  "SYSEXIT to compatibility mode": fields({ code: "60 ffffffffffffffff", rax: "23" }, "volume 2, SYSEXIT: ESP is ECX; QEMU keeps the upper half"),
  ...every("e 9", "volume 3, 4.7: RSVD comes with P; QEMU gives RSVD alone", [
    "page: reserved address bit", "page: XD without EFER.NXE", "page: 2 MiB with a reserved bit", "page: 1 GiB with a reserved bit", "page: PS in the PML4",
  ]),
  "PCIDE: contexts": fields({ code: "60 ffffffffffffffff", rbx: "8fff", rcx: "8fff" }, "volume 3, 4.10.4.1; QEMU has no process contexts"),
  "XSAVE with CR0.TS": fields({ code: "7 ffffffffffffffff" }, "volume 1, 13.5.2"),
  "RDTSCP, RDPID": fields({ code: "60 ffffffffffffffff", rcx: "1234", rbx: "1234" }, "volume 2, RDPID; QEMU 7.2 has none"),
};
/** Cases that QEMU does not come back from, because it lets pass what the manual forbids. */
const LOST = new Set([
  "CR0: paging cannot end in 64-bit mode", "CR4: PAE cannot end", "CR4: reserved", "CR4: upper half", "CR3: reserved",
  "CR3: bit 63 without PCIDE", "PCIDE: paging cannot end", "PCIDE: contexts", "LGDT: a base that is not canonical",
]);

test("every case answers as QEMU does, or as the manual says", () => {
  if (process.env["DOPPEL_RECORD_QEMU"]) recordQemu(RECORDED, longRom(LOST), "qemu-system-x86_64", "max,vendor=GenuineIntel");
  const ours = answers(runHere(longRom(), MODEL_MAX));
  const theirs = answers(readFileSync(RECORDED, "utf8"));
  const wrong: string[] = [];
  for (const { name } of LONG_CASES) {
    const manual = MANUAL[name];
    if (manual === undefined ? ours.get(name) !== theirs.get(name) : !follows(ours.get(name) ?? "", manual.expected)) {
      wrong.push(`${name}\n  here   ${ours.get(name)}\n  there  ${theirs.get(name)}\n  manual ${manual === undefined ? "" : `${JSON.stringify(manual.expected)} ${manual.why}`}`);
    }
  }
  expect(wrong.join("\n")).toBe("");
  expect(ours.size).toBe(LONG_CASES.length);
});

test.each([0, 1, 20])("the translator, with threshold %i, answers as the interpreter does", (threshold) => {
  expect(runHere(longRom(), MODEL_MAX, threshold)).toBe(runHere(longRom(), MODEL_MAX));
});
