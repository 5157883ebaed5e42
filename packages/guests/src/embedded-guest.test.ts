/**
 * The embedded guest. Where a test names no other source, the expectation is arithmetic, the manual's (exceptions, CPUID), the
 * Multiboot Specification's (header), or what the same image does under QEMU 7.2.
 */
import { loadMultiboot } from "@doppel/firmware";
import { beforeAll, describe, expect, test } from "vitest";
import { ConsoleMachine } from "./console-machine.fixture.ts";
import { embeddedGuest } from "./index.ts";

const { image, prompt, commands, labels } = embeddedGuest();

describe("the image", () => {
  test("begins with a multiboot header whose checksum is right (section 3.1.1)", () => {
    const view = new DataView(image.buffer, image.byteOffset);
    expect(view.getUint32(0, true)).toBe(0x1badb002);
    expect((view.getUint32(0, true) + view.getUint32(4, true) + view.getUint32(8, true)) >>> 0).toBe(0);
    expect(image.length).toBeLessThan(16384);
    expect(embeddedGuest().image).toBe(image);
  });

  test("is accepted by the loader, which zeroes the memory behind it", () => {
    const ram = new Uint8Array(8 << 20).fill(0xcc);
    const entry = loadMultiboot({ image, memorySize: ram.length, write: (at, bytes) => ram.set(bytes, at) });
    expect(entry.registers.eip).toBe(labels.get("entry"));
    expect(ram.subarray(0x100000, 0x100000 + image.length)).toEqual(image);
    expect(ram[labels.get("bss_end")! - 1]).toBe(0);
    expect(ram[labels.get("bss_end")!]).toBe(0xcc);
  });
});

test("boots: memory map, processor, time-stamp counter, paging, in less than 50 ms of its time", async () => {
  const machine = new ConsoleMachine();
  const banner = await machine.waitFor(prompt);
  expect(banner).toMatch(/^Doppel embedded guest\n0{16} - 0{11}9FBFF {2}usable\n/);
  expect(banner).toContain("GenuineIntel family 6 model 6 stepping 3, ");
  expect(banner).toMatch(/\n fpu .*tsc .*sse2 /);
  // one instruction is one nanosecond here, and the 8254 cannot make exactly 100 Hz
  expect(Number(/TSC (\d+) kHz/.exec(banner)![1])).toBeCloseTo(1e6, -3);
  expect(banner).toMatch(/paging is on: F0000000 shows [0-9A-F]{8}\n/);
  expect(Number(await machine.ask("ticks"))).toBeLessThanOrEqual(5);
});

describe("the monitor", () => {
  const machine = new ConsoleMachine();
  beforeAll(() => machine.waitFor(prompt));

  test.each([
    ["sum 1000", "500500\n"],
    ["sum 0", "0\n"],
    ["sum 200000", "20000100000\n"],
    ["primes 100", "25\n"],
    ["primes 10000", "1229\n"],
    ["primes 0xffffffff", "there is no memory for so many numbers\n"],
    ["echo two  words", "two  words\n"],
    ["peek 0x100000", "00100000: 1BADB002\n"],
    ["poke 0x300000 0x12345678", ""],
    ["peek 0x300000 1", "00300000: 12345678\n"],
    ["out 0xe0 0xabcd 2", ""],
    ["in 0xe0 2", "0000ABCD\n"],
    ["in 0xe1", "000000AB\n"],
    ["in 0x999 4", "FFFFFFFF\n"],
    ["sum", "usage: sum N\n"],
    ["sum 4294967296", "usage: sum N\n"],
    ["sum 12x", "usage: sum N\n"],
    ["in 0x10000", "usage: in PORT [SIZE]\n"],
    ["summ 5", "there is no such command; help lists them\n"],
    ["", ""],
    ["   sum   3  ", "6\n"],
  ])("%j", async (line, answer) => expect(await machine.ask(line)).toBe(answer));

  test("backspace and delete take back a character, Ctrl-U the line", async () => {
    machine.type("rubbish\x15sun\b\bum 3\x7f4\r\n");
    const rubout = "\b \b";
    expect(await machine.waitFor(prompt)).toBe(`rubbish${rubout.repeat(7)}sun${rubout.repeat(2)}um 3${rubout}4\n10\n`);
  });

  test.each([
    ["de", 0, "#DE", 0], ["ud", 6, "#UD", 0], ["gp", 13, "#GP", 0x1230],
  ])("fault %s is reported with its address and code", async (kind, vector, name, code) => {
    const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, "0");
    const answer = await machine.ask(`fault ${kind}`);
    expect(answer).toMatch(new RegExp(`^exception ${vector} ${name} at EIP [0-9A-F]{8}, code ${hex(code)}\n$`));
    const address = Number.parseInt(/EIP (\w+)/.exec(answer)![1]!, 16);
    expect(address - labels.get(`fault_${kind}`)!).toBeLessThan(8);
  });

  test("a page fault says the address, and a write that it was one", async () => {
    expect(await machine.ask("fault pf")).toMatch(/^exception 14 #PF at EIP [0-9A-F]{8}, code 00000000, address F0001000\n$/);
    expect(await machine.ask("poke 0xe0000000 1")).toMatch(/^exception 14 #PF at EIP [0-9A-F]{8}, code 00000002, address E0000000\n$/);
  });

  test("time is that of the clock, over the end of a leap February", async () => {
    await machine.runFor(2000);
    expect(await machine.ask("time")).toMatch(/^2024-03-01 00:00:0\d\n$/);
    expect(Number(/^(\d+\.\d\d) s\n$/.exec(await machine.ask("uptime"))![1])).toBeGreaterThan(2);
  });

  test("help lists every command", async () => {
    const help = (await machine.ask("help")).split("\n");
    expect(help.slice(0, -1).map((line) => line.trim().split(" ")[0])).toEqual(commands.map(({ name }) => name));
  });

  test("the screen shows what the serial line shows, and scrolls", async () => {
    await machine.ask("clear");
    await machine.ask("help");
    await machine.ask("echo one");
    await machine.ask("echo two");
    await machine.ask("echo three");
    await machine.runFor(1);
    const { rows, cursor } = machine.vm.chipset.screen();
    expect(rows.slice(-4).map((row) => row.trimEnd())).toEqual(["two", "doppel> echo three", "three", "doppel>"]);
    expect([cursor.row, cursor.column]).toEqual([24, 8]);
  });

  test("keys are characters, with shift", async () => {
    const keys = ["KeyE", "KeyC", "KeyH", "KeyO", "Space", "+ShiftLeft", "KeyA", "Digit1", "-ShiftLeft", "KeyA", "Slash", "Enter"];
    for (const key of keys) {
      if (!key.startsWith("-")) machine.vm.chipset.keyboard.key(key.replace("+", ""), true);
      if (!key.startsWith("+")) machine.vm.chipset.keyboard.key(key.replace("-", ""), false);
      await machine.runFor(10);
    }
    expect(await machine.waitFor(prompt)).toBe("echo A!a/\nA!a/\n");
  });

  test("a pasted page is not lost, however long", async () => {
    const lines = Array.from({ length: 40 }, (_, n) => `echo line number ${n}`);
    machine.type(`${lines.join("\n")}\n`);
    for (const n of lines.keys()) expect(await machine.waitFor(prompt)).toBe(`echo line number ${n}\nline number ${n}\n`);
  });
});

test("commands on the kernel's command line come before what is typed", async () => {
  const machine = new ConsoleMachine("guest -- sum 1000;echo a b ; fault ud;uptime now");
  await machine.waitFor(prompt);
  expect(await machine.waitFor(prompt)).toBe("sum 1000\n500500\n");
  expect(await machine.waitFor(prompt)).toBe("echo a b \na b \n");
  expect(await machine.waitFor(prompt)).toMatch(/^fault ud\nexception 6/);
  expect(await machine.waitFor(prompt)).toMatch(/^uptime now\n0\.\d\d s\n$/);
  expect(await machine.ask("sum 2")).toBe("3\n");
});

test("goes on in another machine from a save in the middle of a command", async () => {
  const one = new ConsoleMachine("guest -- primes 100000");
  await one.waitFor("primes 100000\n");
  one.vm.runExactly(50_000);
  const other = new ConsoleMachine();
  other.vm.restore(one.vm.save());
  expect([await one.waitFor(prompt), await other.waitFor(prompt)]).toEqual(["9592\n", "9592\n"]);
  expect(other.vm.stateHash()).toBe(one.vm.stateHash());
});

describe("ends", () => {
  test.each([
    ["poweroff", { kind: "power-off" }], ["reboot", { kind: "reset" }], ["exit 21", { kind: "debug-exit", value: 21 }],
    ["fault triple", { kind: "triple-fault" }], ["halt", undefined],
  ])("%s", async (line, end) => {
    const machine = new ConsoleMachine();
    await machine.waitFor(prompt);
    machine.type(`${line}\r`);
    await machine.runFor(1000);
    expect(machine.end).toEqual(end);
    expect(machine.vm.isHalted).toBe(line === "halt");
  });
});
