import { describe, expect, test } from "vitest";
import type { AccessSize, BusDevice } from "./bus-device.ts";
import { MmioBus } from "./mmio-bus.ts";
import { PortBus } from "./port-bus.ts";
import { SharedLine } from "./shared-line.ts";

/** Remembers its accesses and reads as its tag. */
function recorder(tag: number) {
  const log: string[] = [];
  const device: BusDevice = {
    read: (offset: number, size: AccessSize) => (log.push(`r${offset}.${size}`), tag + offset),
    write: (offset, size, value) => void log.push(`w${offset}.${size}=${value.toString(16)}`),
  };
  return { log, device };
}

describe("PortBus", () => {
  test("an unclaimed port reads all ones at every width", () => {
    const bus = new PortBus();
    expect([bus.read(0x999, 1), bus.read(0x999, 2), bus.read(0x999, 4)]).toEqual([0xff, 0xffff, 0xffff_ffff]);
    bus.write(0xffff, 4, 1);
    expect(bus.read(0xffff, 4)).toBe(0xffff_ffff);
  });

  test("a word on two 8-bit devices side by side is two accesses", () => {
    const bus = new PortBus();
    const a = recorder(0x10);
    const b = recorder(0x20);
    bus.register(0x60, 1, a.device, "a");
    bus.register(0x61, 1, b.device, "b");
    bus.write(0x60, 2, 0xabcd);
    expect(bus.read(0x60, 2)).toBe(0x2010);
    expect(bus.read(0x60, 4)).toBe(0xffff_2010);
    expect(a.log).toEqual(["w0.1=cd", "r0.1", "r0.1"]);
    expect(b.log).toEqual(["w0.1=ab", "r0.1", "r0.1"]);
  });

  test("a wide device gets its accesses whole, but not across its end", () => {
    const bus = new PortBus();
    const a = recorder(0);
    bus.register(0xcf8, 8, a.device, "pci", 4);
    bus.write(0xcf8, 4, 0x8000_0000);
    bus.write(0xcfe, 4, 0x1234_5678);
    expect(a.log).toEqual(["w0.4=80000000", "w6.2=5678"]);
  });

  test("overlap is refused, and disposal gives ports back", () => {
    const bus = new PortBus();
    const claim = bus.register(0x60, 5, recorder(0).device, "8042");
    expect(() => bus.register(0x64, 1, recorder(0).device, "x")).toThrow("8042");
    expect(bus.isFree(0x64, 1)).toBe(false);
    claim[Symbol.dispose]();
    bus.register(0x64, 1, recorder(7).device, "x");
    claim[Symbol.dispose]();
    expect(bus.read(0x64, 1)).toBe(7);
    expect(bus.ranges()).toEqual([{ first: 0x64, size: 1, name: "x" }]);
    expect(() => bus.register(0xffff, 2, recorder(0).device, "y")).toThrow("65535");
  });
});

describe("MmioBus", () => {
  test("finds devices beyond 4 GiB, splits at their ends, reads all ones elsewhere", () => {
    const bus = new MmioBus();
    const a = recorder(0x40);
    const b = recorder(0x80);
    bus.register(0x10_0000_0000, 0x10, a.device, "a");
    bus.register(0x10_0000_0010, 0x10, b.device, "b");
    expect(bus.read(0x10_0000_000f, 2)).toBe(0x804f);
    bus.write(0x10_0000_000e, 4, 0x1122_3344);
    expect(a.log).toEqual(["r15.1", "w14.2=3344"]);
    expect(b.log).toEqual(["r0.1", "w0.2=1122"]);
    expect(bus.read(0x10_0000_0020, 4)).toBe(0xffff_ffff);
    expect(bus.read(0, 1)).toBe(0xff);
    expect(bus.covers(0x10_0000_0000)).toBe(true);
    expect(() => bus.register(0x10_0000_0008, 1, a.device, "c")).toThrow("a is");
  });

  test("disposal takes effect at once", () => {
    const bus = new MmioBus();
    const claim = bus.register(0xfee0_0000, 0x1000, recorder(1).device, "apic");
    expect(bus.read(0xfee0_0000, 4)).toBe(1);
    claim[Symbol.dispose]();
    expect(bus.read(0xfee0_0000, 4)).toBe(0xffff_ffff);
  });
});

test("a shared line is asserted while any source asserts it", () => {
  const levels: boolean[] = [];
  const shared = new SharedLine({ set: (level) => void levels.push(level) });
  const [a, b] = [shared.source(), shared.source()];
  a.set(true);
  b.set(true);
  a.set(false);
  b.set(false);
  b.set(false);
  expect(levels).toEqual([true, false]);
});
