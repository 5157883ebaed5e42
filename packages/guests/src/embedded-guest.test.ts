/**
 * The embedded guest. Where a test names no other source, the expectation is arithmetic, the manual's (exceptions, CPUID), the
 * Multiboot Specification's (header), or what the same image does under QEMU 7.2.
 */
import { loadMultiboot } from "@doppel/firmware";
import { describe, expect, test } from "vitest";
import { consoleMachine } from "./console-machine.fixture.ts";
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

test("boots: memory map, processor, time-stamp counter, paging, in less than 50 ms of its time", () => {
  const machine = consoleMachine();
  const banner = machine.waitFor(prompt);
  expect(banner).toMatch(/^Doppel embedded guest\n0{16} - 0{11}9FBFF {2}usable\n/);
  expect(banner).toContain("GenuineIntel family 6 model 6 stepping 3, ");
  expect(banner).toMatch(/\n fpu .*tsc .*sse2 /);
  // one instruction is one nanosecond here, and the 8254 cannot make exactly 100 Hz
  expect(Number(/TSC (\d+) kHz/.exec(banner)![1])).toBeCloseTo(1e6, -3);
  expect(banner).toMatch(/paging is on: F0000000 shows [0-9A-F]{8}\n/);
  expect(Number(machine.ask("ticks"))).toBeLessThanOrEqual(5);
});

describe("the monitor", () => {
  const machine = consoleMachine();
  machine.waitFor(prompt);

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
  ])("%j", (line, answer) => expect(machine.ask(line)).toBe(answer));

  test("backspace and delete take back a character, Ctrl-U the line", () => {
    machine.type("rubbish\x15sun\b\bum 3\x7f4\r\n");
    const rubout = "\b \b";
    expect(machine.waitFor(prompt)).toBe(`rubbish${rubout.repeat(7)}sun${rubout.repeat(2)}um 3${rubout}4\n10\n`);
  });

  test.each([
    ["de", 0, "#DE", 0], ["ud", 6, "#UD", 0], ["gp", 13, "#GP", 0x1230],
  ])("fault %s is reported with its address and code", (kind, vector, name, code) => {
    const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, "0");
    const answer = machine.ask(`fault ${kind}`);
    expect(answer).toMatch(new RegExp(`^exception ${vector} ${name} at EIP [0-9A-F]{8}, code ${hex(code)}\n$`));
    const address = Number.parseInt(/EIP (\w+)/.exec(answer)![1]!, 16);
    expect(address - labels.get(`fault_${kind}`)!).toBeLessThan(8);
  });

  test("a page fault says the address, and a write that it was one", () => {
    expect(machine.ask("fault pf")).toMatch(/^exception 14 #PF at EIP [0-9A-F]{8}, code 00000000, address F0001000\n$/);
    expect(machine.ask("poke 0xe0000000 1")).toMatch(/^exception 14 #PF at EIP [0-9A-F]{8}, code 00000002, address E0000000\n$/);
  });

  test("time is that of the clock, over the end of a leap February", () => {
    machine.runFor(2000);
    expect(machine.ask("time")).toMatch(/^2024-03-01 00:00:0\d\n$/);
    expect(Number(/^(\d+\.\d\d) s\n$/.exec(machine.ask("uptime"))![1])).toBeGreaterThan(2);
  });

  test("help lists every command", () => {
    const help = machine.ask("help").split("\n");
    expect(help.slice(0, -1).map((line) => line.trim().split(" ")[0])).toEqual(commands.map(({ name }) => name));
  });

  test("the screen shows what the serial line shows, and scrolls", () => {
    machine.ask("clear");
    machine.ask("help");
    machine.ask("echo one");
    machine.ask("echo two");
    machine.ask("echo three");
    machine.runFor(1);
    const { rows, cursor } = machine.chipset.screen();
    expect(rows.slice(-4).map((row) => row.trimEnd())).toEqual(["two", "doppel> echo three", "three", "doppel>"]);
    expect([cursor.row, cursor.column]).toEqual([24, 8]);
  });

  test("keys are characters, with shift", () => {
    const keys = ["KeyE", "KeyC", "KeyH", "KeyO", "Space", "+ShiftLeft", "KeyA", "Digit1", "-ShiftLeft", "KeyA", "Slash", "Enter"];
    for (const key of keys) {
      if (!key.startsWith("-")) machine.chipset.keyboard.key(key.replace("+", ""), true);
      if (!key.startsWith("+")) machine.chipset.keyboard.key(key.replace("-", ""), false);
      machine.runFor(10);
    }
    expect(machine.waitFor(prompt)).toBe("echo A!a/\nA!a/\n");
  });

  test("a pasted page is not lost, however long", () => {
    const lines = Array.from({ length: 40 }, (_, n) => `echo line number ${n}`);
    machine.type(`${lines.join("\n")}\n`);
    for (const n of lines.keys()) expect(machine.waitFor(prompt)).toBe(`echo line number ${n}\nline number ${n}\n`);
  });
});

test("commands on the kernel's command line come before what is typed", () => {
  const machine = consoleMachine("guest -- sum 1000;echo a b ; fault ud;uptime now");
  machine.waitFor(prompt);
  expect(machine.waitFor(prompt)).toBe("sum 1000\n500500\n");
  expect(machine.waitFor(prompt)).toBe("echo a b \na b \n");
  expect(machine.waitFor(prompt)).toMatch(/^fault ud\nexception 6/);
  expect(machine.waitFor(prompt)).toMatch(/^uptime now\n0\.\d\d s\n$/);
  expect(machine.ask("sum 2")).toBe("3\n");
});

describe("ends", () => {
  test.each([
    ["poweroff", "power-off"], ["reboot", "reset"], ["exit 21", "exit 21"], ["fault triple", "shutdown"], ["halt", ""],
  ])("%s", (line, how) => {
    const machine = consoleMachine();
    machine.waitFor(prompt);
    expect(() => machine.ask(line)).toThrow("did not come");
    expect(machine.untilEnd()).toBe(how);
  });
});
