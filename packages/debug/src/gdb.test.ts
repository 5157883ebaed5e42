import { expect, test } from "vitest";
import { createVm } from "doppel";
import { HostError, getGuest } from "doppel/node";
import { findGdb, runGdb } from "./gdb.fixture.ts";

// The client is the reference: what gdb itself shows and where it stops, attached to a machine that boots.

// The first test to want gdb, or the kernel, may have to fetch it.
const MINUTES = 600_000;

const half = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 500));

test("gdb attaches to the embedded guest before its first instruction: registers, memory, breakpoints, watchpoints, steps", async ({ skip }) => {
  const gdb = await findGdb(skip);
  const vm = await createVm({ guest: "embedded", memory: 16 << 20 });
  const pause = vm.pause();
  const end = vm.run();
  await pause;
  const { output } = await runGdb(gdb, vm, [
    "info registers eip eax cs cr0", "x/2i $pc", "stepi", "stepi", "info registers eip",
    // The first instructions set the stack and call.
    "hbreak *0x100029", "continue", "delete", "watch *(int*)0x108ffc", "continue", "x/wx 0x108ffc", "info registers esp", "delete",
    "set $esi = 0x1234", "info registers esi", "set var *(int*)0x108000 = 0x55aa", "x/wx 0x108000",
    "p $st0", "p $fctrl", "p $xmm1.uint128", "info registers eflags", "p sizeof($xmm0)", "info threads", "monitor info registers",
    "tbreak *0x1000db", "continue", "info registers gdtr_base", "x/wx 0xfffff000", "detach",
  ]);
  expect(output).toMatch(/eax +0x2badb002/);
  expect(output).toMatch(/cr0 +0x11 /);
  expect(output).toMatch(/=> 0x100020:\s+cli/);
  expect(output).toMatch(/eip +0x100022/);
  expect(output).toMatch(/Breakpoint 1, 0x00100029/);
  expect(output).toMatch(/Hardware watchpoint 2: \*\(int\*\)0x108ffc\s+Old value = 0\s+New value = 1048622/);
  expect(output).toMatch(/0x108ffc:\s+0x0010002e/);
  expect(output).toMatch(/esp +0x108ffc/);
  expect(output).toMatch(/esi +0x1234/);
  expect(output).toMatch(/0x108000:\s+0x000055aa/);
  expect(output).toMatch(/= 64\n/);
  expect(output).toMatch(/Temporary breakpoint 3, 0x001000db/);
  expect(output).toMatch(/EAX=2BADB002/i);
  expect(output).toMatch(/Inferior 1 .* detached/);
  // The machine goes on by itself.
  await vm.console.waitFor("doppel> ");
  vm.stop();
  await end;
}, MINUTES);

test("Ctrl-C stops a sleeping guest, and one that ends says so", async ({ skip }) => {
  const gdb = await findGdb(skip);
  const vm = await createVm({ guest: "embedded", memory: 16 << 20 });
  const end = vm.run();
  await vm.console.waitFor("doppel> ");
  const { output } = await runGdb(gdb, vm, ["continue", "info registers eip", "stepi", "info registers eip", "detach"], [half]);
  expect(output).toContain("SIGINT");
  expect(output.match(/eip +0x/g)).toHaveLength(2);
  expect(output).toContain("detached");
  vm.console.type("echo alive\n");
  await vm.console.waitFor(/alive\r?\n/);
  setTimeout(() => vm.console.type("poweroff\n"), 2000);
  const last = await runGdb(gdb, vm, ["continue"]);
  expect(last.output).toMatch(/exited normally/);
  expect((await end).kind).toBe("power-off");
}, MINUTES);

test("gdb attaches to a booting Debian kernel", async ({ skip }) => {
  const gdb = await findGdb(skip);
  const { boot } = await getGuest("debian-12-i386", () => {}).catch((error: unknown) => {
    if (error instanceof HostError) return skip(error.message);
    throw error;
  });
  if (boot.kind !== "linux") throw new Error("the recipe boots Linux");
  const vm = await createVm({
    memory: 256 << 20,
    kernel: { kernel: boot.kernel, ...(boot.initrd === undefined ? {} : { initrd: boot.initrd }), append: `${boot.append} nokaslr` },
  });
  const pause = vm.pause();
  const end = vm.run();
  await pause;
  const { output } = await runGdb(gdb, vm, [
    // The kernel proper, after it has unpacked itself.
    "hbreak *0x1000000", "continue", "delete", "info registers eip", "continue", "info registers eip cr0 cr3",
    // The page-fault gate of its IDT, and what its entry pushes first.
    "set $low = *(unsigned int*)($idtr_base + 14 * 8)", "set $high = *(unsigned int*)($idtr_base + 14 * 8 + 4)",
    "set $handler = ($high & 0xffff0000) | ($low & 0xffff)", "break *$handler", "continue", "p/x $pc == $handler", "info registers cr2",
    "x/3i $pc", "stepi", "stepi", "p/x $pc != $handler", "delete", "watch -l *(int*)($esp - 4)", "continue", "delete", "continue", "detach",
  ], [undefined, () => vm.console.waitFor("Linux version"), undefined, undefined, half]);
  expect(output).toMatch(/Breakpoint 1, 0x01000000/);
  expect(output).toMatch(/cr0 +0x80/);
  expect(output).toMatch(/Breakpoint 2, 0x[c-f]/);
  expect(output).toMatch(/= 0x1[\s\S]*= 0x1/);
  expect(output).toMatch(/Hardware watchpoint 3[\s\S]*New value/);
  expect(output.match(/SIGINT/g)).toHaveLength(2);
  expect(output).toContain("detached");
  vm.stop();
  await end;
}, MINUTES);
