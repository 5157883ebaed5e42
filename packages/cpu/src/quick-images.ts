/** FXSAVE and FXRSTOR (SDM volume 1, 10.5.1): what a kernel does at every switch of processes. */
import { TLB_READ_TAG, TLB_WRITE_TAG } from "@doppel/mmu";
import { type FunctionBuilder, OP } from "@doppel/wasm";
import { FSW_B, FSW_ES, MXCSR_WRITABLE } from "@doppel/x86";
import { MODE_LONG } from "./mode.ts";
import type { QuickWriter } from "./quick-writer.ts";
import {
  FPR, FPR_STRIDE, FPU_CONTROL, FPU_CS, FPU_DP, FPU_DS, FPU_IP, FPU_OPCODE, FPU_STATUS, FPU_TAGS, FPU_TRAP, MODE, MXCSR, STATE, XMM, XMM_STRIDE,
} from "./state-layout.ts";

const [LOW, HIGH, SIZE] = [0, 1, 2] as const;
/** Where registers stand in the image. */
const ST0 = 32;
const XMM0 = 160;
/** Bytes of an image, and what FXSAVE writes of it with eight XMM registers. */
const IMAGE = 512;
/** FPU_TRAP: CR0.EM or CR0.TS; and CR4.OSFXSR is clear. */
const NO_FPU = 1;
const NO_SSE = 8;
const EXCEPTIONS = 0x3f;

/** The image's host address, once it is the usual one: aligned, in one page, and the FPU may be used. */
function lookImage(q: QuickWriter, tag: number, traps: number): number {
  const { f } = q;
  q.load(FPU_TRAP).i32(traps).op(OP.i32_and);
  f.get(LOW).i32(15).op(OP.i32_and).op(OP.i32_or);
  // Outside of 64-bit mode an address has 32 bits.
  f.get(HIGH).i32(0).op(OP.i32_ne);
  isLong(q).op(OP.i32_eqz).op(OP.i32_and).op(OP.i32_or);
  q.leaveIf();
  return q.lookAsProgram(LOW, HIGH, IMAGE, tag);
}

function isLong(q: QuickWriter): FunctionBuilder {
  return q.load(MODE).i32(MODE_LONG).op(OP.i32_and);
}

/** Host address of physical register TOP + n, in linear memory less `STATE + FPR`, from the status word on the stack. */
function physicalRegister(f: FunctionBuilder, n: number): FunctionBuilder {
  return f.i32(11).op(OP.i32_shr_u).i32(n).op(OP.i32_add).i32(7).op(OP.i32_and).i32(FPR_STRIDE).op(OP.i32_mul);
}

/** Copies the XMM registers in halves, which a host without SIMD can as well; `copy` is given a distance from the first. */
function xmmRegisters(q: QuickWriter, copy: (distance: number) => void): void {
  const bytes = 8 * XMM_STRIDE;
  for (let at = 0; at < bytes; at += 8) copy(at);
  isLong(q).if();
  for (let at = bytes; at < 2 * bytes; at += 8) copy(at);
  q.f.end();
}

/** (both halves of the linear address, operand size) */
export function writeFxsave(q: QuickWriter): void {
  const { f } = q;
  const image = lookImage(q, TLB_WRITE_TAG, NO_FPU);
  const put = (at: number, push: () => void, op: number = OP.i32_store): void => {
    f.get(image);
    push();
    f.memory(op, at);
  };
  const masked = (offset: number, mask: number) => (): void => void q.load(offset).i32(mask).op(OP.i32_and);
  put(0, () => {
    masked(FPU_CONTROL, 0xffff)();
    q.load(FPU_STATUS).i32(16).op(OP.i32_shl).op(OP.i32_or);
  });
  put(4, () => {
    masked(FPU_TAGS, 0xff)();
    masked(FPU_OPCODE, 0x7ff)();
    f.i32(16).op(OP.i32_shl).op(OP.i32_or);
  });
  for (const [at, pointer, selector] of [[8, FPU_IP, FPU_CS], [16, FPU_DP, FPU_DS]] as const) {
    put(at, () => q.load(pointer));
    put(at + 4, () => {
      q.load(pointer + 4);
      masked(selector, 0xffff)();
      f.get(SIZE).i32(8).op(OP.i32_eq).op(OP.select);
    });
  }
  put(24, () => q.load(MXCSR));
  put(28, () => f.i32(MXCSR_WRITABLE));
  for (let n = 0; n < 8; n++) {
    const register = (): FunctionBuilder => physicalRegister(q.load(FPU_STATUS), n);
    put(ST0 + 16 * n, () => register().memory(OP.i64_load, STATE + FPR), OP.i64_store);
    put(ST0 + 16 * n + 8, () => register().memory(OP.i32_load16_u, STATE + FPR + 8).op(OP.i64_extend_i32_u), OP.i64_store);
  }
  xmmRegisters(q, (at) => put(XMM0 + at, () => f.i32(0).memory(OP.i64_load, STATE + XMM + at), OP.i64_store));
}

/** (both halves of the linear address, operand size) */
export function writeFxrstor(q: QuickWriter): void {
  const { f } = q;
  const image = lookImage(q, TLB_READ_TAG, NO_FPU | NO_SSE);
  const [control, status] = [f.local("i32"), f.local("i32")];
  const get = (at: number, op: number = OP.i32_load): FunctionBuilder => f.get(image).memory(op, at);
  const put = (offset: number, push: () => void, op: number = OP.i32_store): void => {
    f.i32(0);
    push();
    f.memory(op, STATE + offset);
  };
  get(24).i32(~MXCSR_WRITABLE).op(OP.i32_and);
  q.leaveIf();
  get(0, OP.i32_load16_u).i32(0x1f3f).op(OP.i32_and).i32(0x40).op(OP.i32_or).set(control);
  // ES and B follow from the unmasked exceptions.
  get(2, OP.i32_load16_u).set(status);
  f.get(status).i32(FSW_ES | FSW_B).op(OP.i32_or);
  f.get(status).i32(0xffff & ~(FSW_ES | FSW_B)).op(OP.i32_and);
  f.get(control).i32(-1).op(OP.i32_xor).get(status).op(OP.i32_and).i32(EXCEPTIONS).op(OP.i32_and).op(OP.select).set(status);
  put(FPU_CONTROL, () => f.get(control));
  put(FPU_STATUS, () => f.get(status));
  put(FPU_TAGS, () => get(4, OP.i32_load8_u));
  put(FPU_OPCODE, () => get(6, OP.i32_load16_u).i32(0x7ff).op(OP.i32_and));
  for (const [at, pointer, selector] of [[8, FPU_IP, FPU_CS], [16, FPU_DP, FPU_DS]] as const) {
    const isWide = (): FunctionBuilder => f.get(SIZE).i32(8).op(OP.i32_eq);
    put(pointer, () => get(at));
    put(pointer + 4, () => {
      get(at + 4);
      f.i32(0);
      isWide().op(OP.select);
    });
    put(selector, () => {
      f.i32(0);
      get(at + 4, OP.i32_load16_u);
      isWide().op(OP.select);
    });
  }
  for (let n = 0; n < 8; n++) {
    const register = (): FunctionBuilder => physicalRegister(f.get(status), n);
    register();
    get(ST0 + 16 * n, OP.i64_load).memory(OP.i64_store, STATE + FPR);
    register();
    get(ST0 + 16 * n + 8, OP.i32_load16_u).memory(OP.i32_store16, STATE + FPR + 8);
  }
  put(MXCSR, () => get(24));
  xmmRegisters(q, (at) => put(XMM + at, () => get(XMM0 + at, OP.i64_load), OP.i64_store));
}
