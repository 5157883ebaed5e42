/**
 * Quick ways, as WebAssembly, in front of helpers that operating systems call all the time: they do what nearly every call asks for, with everything
 * in the TLB and nothing that traps, steps or watches. Whatever is not so is the helper's, with nothing done: it finds the faults as well.
 */
import { type PageImage, type Tlb, VIEW_SUPERVISOR, VIEW_USER } from "@doppel/mmu";
import { OP } from "@doppel/wasm";
import { GeneratedModule, type Helpers, instantiate } from "./handler.ts";
import { MODE_LONG } from "./mode.ts";
import { writeSwapgs, writeSyscall, writeSysenter, writeSysexit, writeSysret } from "./quick-calls.ts";
import { EVENT, SOFT_INTERRUPT, writeDelivery, writeLongDelivery } from "./quick-delivery.ts";
import { QuickAccess } from "./quick-fill.ts";
import { writeCheckPort, writeCli, writePopFlags, writePushFlags, writeSti } from "./quick-flags.ts";
import { writeFxrstor, writeFxsave } from "./quick-images.ts";
import { writeForget } from "./quick-forget.ts";
import { writeLongReturn } from "./quick-long-return.ts";
import { writeLoadSegment, writeReturn } from "./quick-transfers.ts";
import { QuickWriter } from "./quick-writer.ts";
import { ATTENTION, MODE, STATUS_OK } from "./state-layout.ts";

/** Names of the helpers that have a quick way in front of them. */
export const QUICK = ["loadSegment", "softInterrupt", "iret", "fxsave", "fxrstor", "sysenter", "sysexit", "syscall", "sysret", "swapgs", "cli", "sti", "pushFlags", "popFlags", "checkPort", "enterEvent"] as const;
/** ... and those that generated code calls for memory. */
export const QUICK_ACCESSES = ["loadSlow", "storeSlow", "probeWrite"] as const;

/** Where a machine's memory is. */
export interface QuickPlaces {
  readonly memory: WebAssembly.Memory;
  readonly tlb: Tlb;
  /** Without it accesses have no quick way. */
  readonly image: PageImage | undefined;
}

/** Helpers with the quick ways in front of `helpers`; `forgetLocal` and `forgetPage`, which the TLB may take; `fillCode`, for what looks code up. @param returned is told of every return that was quick and may have set IF while `ATTENTION` is set, and whether it was IRET */
export function quickHelpers({ memory, tlb, image }: QuickPlaces, helpers: Helpers, returned: (isIret: boolean) => void): Helpers {
  const generated = new GeneratedModule();
  const views = { user: tlb.viewAddress(VIEW_USER), supervisor: tlb.viewAddress(VIEW_SUPERVISOR) };
  const write = (name: (typeof QUICK | typeof QUICK_ACCESSES)[number], parameters: number, body: (q: QuickWriter) => void): void => {
    const slow = generated.helper(name, parameters);
    const { builder: f } = generated.module.function({ parameters: Array.from({ length: parameters }, () => "i32" as const), results: ["i32"] }, name);
    const unusual = f.block();
    body(new QuickWriter(f, unusual, views));
    f.i32(STATUS_OK).op(OP.return).end();
    for (let n = 0; n < parameters; n++) f.get(n);
    f.call(slow);
  };
  const attend = generated.helper("returned", 1);
  write("loadSegment", 2, writeLoadSegment);
  write("fxsave", 3, writeFxsave);
  write("fxrstor", 3, writeFxrstor);
  write("sysenter", 0, writeSysenter);
  write("sysexit", 1, writeSysexit);
  write("syscall", 2, writeSyscall);
  write("swapgs", 0, writeSwapgs);
  write("cli", 0, writeCli);
  write("sti", 0, writeSti);
  write("pushFlags", 1, writePushFlags);
  write("popFlags", 2, writePopFlags);
  write("checkPort", 2, writeCheckPort);
  for (const [name, parameters, event] of [["enterEvent", 3, EVENT], ["softInterrupt", 4, SOFT_INTERRUPT]] as const) {
    write(name, parameters, (q) => {
      q.load(MODE).i32(MODE_LONG).op(OP.i32_and).if();
      writeLongDelivery(q, event);
      q.f.else();
      writeDelivery(q, event);
      q.f.end();
    });
  }
  if (image !== undefined) {
    const access = new QuickAccess(generated, { tlb, image, views });
    write("loadSlow", 3, access.load);
    write("storeSlow", 3, access.store);
    write("probeWrite", 3, access.probe);
    access.writeFetch(generated.module.function({ parameters: ["i32", "i32"], results: ["i32"] }, "fillCode").builder);
  }
  const attentive = (body: (q: QuickWriter) => void, isIret: boolean) => (q: QuickWriter): void => {
    body(q);
    q.load(ATTENTION).if();
    q.f.i32(Number(isIret)).call(attend).op(OP.drop).end();
  };
  write("iret", 3, attentive((q) => {
    q.load(MODE).i32(MODE_LONG).op(OP.i32_and).if();
    writeLongReturn(q);
    q.f.else();
    writeReturn(q);
    q.f.end();
  }, true));
  write("sysret", 1, attentive(writeSysret, false));
  writeForget(generated, tlb.base);
  const all = { ...helpers, returned: (isIret: number) => (returned(isIret !== 0), STATUS_OK) };
  return instantiate(new WebAssembly.Module(generated.module.encode()), memory, all).exports as Helpers;
}
