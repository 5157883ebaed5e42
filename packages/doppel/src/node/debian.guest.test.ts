// Debian's own kernels, unmodified, to a shell. What a command prints was seen under QEMU with the same kernel (scripts/transcript.ts).
import { expect, it } from "vitest";
import { type Vm, createVm } from "../index.ts";
import { HostError, getGuest } from "./index.ts";

const PROMPT = "# \x1b[6n";
const MINUTES = 60_000;
const memory = 256 << 20;

/** The guest, or the reason why it cannot be had here: a machine without apt, or without a network. */
async function guestOrReason(name: string): Promise<Awaited<ReturnType<typeof getGuest>> | string> {
  try {
    return await getGuest(name, () => {});
  } catch (error) {
    if (error instanceof HostError) return error.message;
    throw error;
  }
}

async function kernelOf(name: string, skip: (why: string) => never): Promise<{ kernel: Uint8Array; initrd: Uint8Array; append: string }> {
  const guest = await guestOrReason(name);
  if (typeof guest === "string") return skip(guest);
  if (guest.boot.kind !== "linux" || !guest.boot.initrd) throw new Error(`${name} is no Linux with a RAM disk`);
  return { kernel: guest.boot.kernel, initrd: guest.boot.initrd, append: guest.boot.append };
}

/** What a command of one line of the terminal prints, without its echo and the next prompt. */
async function shell(vm: Vm, command: string): Promise<string> {
  vm.console.type(`${command}\n`);
  const answer = await vm.console.waitFor(PROMPT, 2 * MINUTES);
  return answer.replaceAll("\r", "").split("\n").slice(1, -1).join("\n");
}

it("the 686 kernel is saved in the middle of its boot, goes on in another machine, and works", async ({ skip }) => {
  const kernel = await kernelOf("debian-12-i386", skip);
  const first = await createVm({ memory, cpu: "i686", kernel });
  const firstEnd = first.run();
  await first.console.waitFor("Trying to unpack rootfs image", 5 * MINUTES);
  const state = await first.save();
  first.stop();
  expect((await firstEnd).kind).toBe("stopped");

  const vm = await createVm({ restore: state });
  const end = vm.run();
  await vm.console.waitFor("Run /init as init process", 5 * MINUTES);
  await vm.console.waitFor(PROMPT, 2 * MINUTES);
  expect(await shell(vm, "uname -sm")).toBe("Linux i686");
  expect(await shell(vm, "grep -c 'model name.*: Doppel Virtual CPU i686' /proc/cpuinfo")).toBe("1");
  expect(await shell(vm, "seq 1 20000 | sha256sum")).toBe("f6351f5ead9a700e34275480b3856ea738122a7c57bdeb744a631251c069587a  -");
  expect(await shell(vm, "awk 'BEGIN{for(i=1;i<20001;i++)s+=1/(i*i);printf\"%.15f\\n\",s}'")).toBe("1.644884068098209");
  expect(await shell(vm, "dmesg -r | grep -c '^<[0-3]>'")).toBe("0");
  // A key is echoed by the kernel while another program keeps the processor busy.
  expect(await shell(vm, "while :; do :; done &")).toBe("");
  vm.console.type("sh -c 'echo listening; exec cat'\n");
  await vm.console.waitFor("\nlistening\r\n");
  vm.console.type("k");
  await vm.console.waitFor("k");
  vm.console.type("\x03");
  await vm.console.waitFor(PROMPT);
  expect(await shell(vm, "kill -9 %1; sleep 1; jobs")).toMatch(/\[1\]\+ +Killed/);
  // Keys mean something once the job has the terminal, which the job itself says.
  vm.console.type("sh -c 'echo up; exec sleep 100'\n");
  await vm.console.waitFor("\nup\r\n");
  vm.console.type("\x1a");
  expect(await vm.console.waitFor(PROMPT)).toMatch(/\[1\]\+ +Stopped/);
  expect(await shell(vm, "kill -9 %1; sleep 1; jobs")).toMatch(/\[1\]\+ +Killed/);
  vm.console.type("poweroff\n");
  expect((await end).kind).toBe("power-off");
}, 15 * MINUTES);

it("the 686-pae kernel reaches its shell on two processors, with NX", async ({ skip }) => {
  const kernel = await kernelOf("debian-12-i386-pae", skip);
  // The kernel's tests of its own cryptography are half of its boot, and the other kernel has run them.
  const vm = await createVm({ memory, cpus: 2, kernel: { ...kernel, append: `${kernel.append} cryptomgr.notests` } });
  const end = vm.run();
  expect(await vm.console.waitFor(PROMPT, 5 * MINUTES)).toContain("NX (Execute Disable) protection: active");
  expect(await shell(vm, "uname -r; nproc")).toMatch(/-686-pae\n2$/);
  vm.console.type("poweroff\n");
  expect((await end).kind).toBe("power-off");
}, 10 * MINUTES);

it("the amd64 kernel on two processors, entered in 64-bit mode, is one machine however it is sliced, saved, restored and executed", async ({ skip }) => {
  const kernel = await kernelOf("debian-12-amd64", skip);
  const first = await createVm({ memory, cpus: 2, deterministic: true, kernel: { ...kernel, entry: "long", append: `${kernel.append} cryptomgr.notests` } });
  // Past the start of the second processor.
  const { machine } = first;
  while (!first.console.text.includes("smp: Brought up 1 node, 2 CPUs")) {
    machine.runExactly(50_000_000);
    // The console's text arrives between two turns of the host.
    await new Promise((resolve) => setTimeout(resolve));
  }
  const state = await first.save();
  // The other machine translates hot code as well.
  const vm = await createVm({ restore: state, engine: "auto" });
  const MORE = 200_000_000;
  machine.runExactly(MORE);
  for (let left = MORE, slice = 1; left > 0; left -= slice, slice = Math.min(left, slice < 1e7 ? slice * 3 + 1 : 1e7)) vm.machine.runExactly(slice);
  expect(vm.stateHash()).toBe(first.stateHash());
  expect(vm.stats().translator.regions).toBeGreaterThan(10);

  const end = vm.run();
  await vm.console.waitFor(PROMPT, 5 * MINUTES);
  expect(await shell(vm, "uname -m; nproc; ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l")).toBe("x86_64\n2\n2");
  expect(await shell(vm, "cat /sys/devices/system/clocksource/*0/current_clocksource")).toBe("tsc");
  expect(await shell(vm, "dmesg | grep -c 'kvm-clock: Using msrs'")).toBe("1");
  expect(await shell(vm, "awk '/LOC:/ { print ($2 > 0), ($3 > 0) }' /proc/interrupts")).toBe("1 1");
  expect(await shell(vm, "seq 1 20000 | sha256sum")).toBe("f6351f5ead9a700e34275480b3856ea738122a7c57bdeb744a631251c069587a  -");
  expect(await shell(vm, "dmesg -r | grep -c '^<[0-3]>'")).toBe("0");
  vm.console.type("poweroff\n");
  expect((await end).kind).toBe("power-off");
}, 15 * MINUTES);

it("SeaBIOS runs from the reset vector to its last words, on the screen and on the debug port", async ({ skip }) => {
  const guest = await guestOrReason("seabios");
  if (typeof guest === "string") return skip(guest);
  if (guest.boot.kind !== "bios") throw new Error("SeaBIOS is no BIOS");
  const { bios, vgaBios } = guest.boot;
  const vm = await createVm({ memory: 64 << 20, bios, ...(vgaBios ? { vgaBios } : {}) });
  let debug = "";
  const said = new Promise<void>((resolve) => {
    vm.debugOutput.onOutput((bytes) => {
      debug += new TextDecoder().decode(bytes);
      if (debug.includes("No bootable device")) resolve();
    });
  });
  const end = vm.run();
  await said;
  expect(vm.screen()).toMatch(/^SeaBIOS \(version /m);
  expect(vm.screen()).toContain("No bootable device");
  vm.stop();
  await end;
}, 3 * MINUTES);
