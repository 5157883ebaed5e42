/** Expectations from QEMU's specification "QEMU Firmware Configuration (fw_cfg) Device". */
import { describe, expect, test } from "vitest";
import { PortBus } from "../bus/port-bus.ts";
import { FW_CFG, FwCfg, littleEndian } from "./fw-cfg.ts";

function machine() {
  const ram = new Uint8Array(0x10000);
  const device = new FwCfg({
    readBytes: (physical, into) => into.forEach((_, i) => (into[i] = ram[physical + i] ?? 0xff)),
    writeBytes: (physical, from) => from.forEach((byte, i) => { if (physical + i < ram.length) ram[physical + i] = byte; }),
  });
  const ports = new PortBus();
  device.attach(ports);
  const take = (count: number) => Array.from({ length: count }, () => ports.read(0x511, 1));
  const select = (key: number) => ports.write(0x510, 2, key);
  const swap = (value: number) => new DataView(Uint8Array.from([value >>> 24, value >>> 16, value >>> 8, value]).buffer).getUint32(0, true);
  /** Runs a DMA descriptor at 100h and gives its control word afterwards. */
  const dma = (control: number, length: number, address: number) => {
    const view = new DataView(ram.buffer);
    view.setUint32(0x100, control);
    view.setUint32(0x104, length);
    view.setUint32(0x108, 0);
    view.setUint32(0x10c, address);
    ports.write(0x514, 4, 0);
    ports.write(0x518, 4, swap(0x100));
    return view.getUint32(0x100);
  };
  return { device, ports, ram, take, select, dma };
}
const ascii = (bytes: number[]) => String.fromCharCode(...bytes);

describe("fw_cfg", () => {
  test("signature, and an ID that says that there is DMA", () => {
    const m = machine();
    m.select(FW_CFG.SIGNATURE);
    expect(ascii(m.take(4))).toBe("QEMU");
    expect(m.take(2)).toEqual([0, 0]);
    m.select(FW_CFG.SIGNATURE | 0x8000);
    expect(m.take(2)).toEqual([0, 0]);
    m.select(FW_CFG.SIGNATURE | 0x4000);
    expect(m.take(2)).toEqual([0x51, 0x45]);
    m.select(FW_CFG.ID);
    expect(m.take(4)).toEqual([3, 0, 0, 0]);
    expect([m.ports.read(0x514, 4), m.ports.read(0x518, 4)]).toEqual([0x554d_4551, 0x4746_4320]);
  });

  test("directory: big-endian count, size, key and the name", () => {
    const m = machine();
    m.device.addFile("etc/a", new Uint8Array(0x123));
    m.device.addFile("opt/b", Uint8Array.from([7, 8, 9]));
    m.select(FW_CFG.FILE_DIR);
    expect(m.take(4)).toEqual([0, 0, 0, 2]);
    expect(m.take(8)).toEqual([0, 0, 1, 0x23, 0, 0x20, 0, 0]);
    expect(ascii(m.take(56)).replaceAll("\0", "")).toBe("etc/a");
    m.select(0x21);
    expect(m.take(4)).toEqual([7, 8, 9, 0]);
    m.device.addFile("opt/b", Uint8Array.from([1]));
    m.select(0x21);
    expect(m.take(2)).toEqual([1, 0]);
    expect(m.device.files()).toEqual(["etc/a", "opt/b"]);
    expect(() => m.device.addFile("x".repeat(56), new Uint8Array())).toThrow("55");
  });

  test("DMA selects and reads; beyond the end come zeros", () => {
    const m = machine();
    m.device.setItem(FW_CFG.RAM_SIZE, littleEndian(2 ** 33 + 5, 8));
    m.ram.fill(0xee, 0x200, 0x220);
    expect(m.dma((FW_CFG.RAM_SIZE << 16) | 0x0a, 10, 0x200)).toBe(0);
    expect([...m.ram.subarray(0x200, 0x20b)]).toEqual([5, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0xee]);
  });

  test("DMA skips, and refuses writes and reads far beyond the end", () => {
    const m = machine();
    m.device.addFile("f", Uint8Array.from([1, 2, 3, 4]));
    expect(m.dma((0x20 << 16) | 0x0c, 2, 0)).toBe(0);
    expect(m.dma(0x02, 1, 0x200)).toBe(0);
    expect(m.ram[0x200]).toBe(3);
    expect(m.take(1)).toEqual([4]);
    expect(m.dma((0x20 << 16) | 0x18, 1, 0x200)).toBe(1);
    expect(m.dma((0x20 << 16) | 0x0a, 0xffff_ffff, 0)).toBe(1);
    expect(m.dma(0, 5, 0)).toBe(0);
  });

  test("goes on from a saved state", () => {
    const a = machine();
    a.select(0);
    a.take(2);
    const b = machine();
    b.device.restore(a.device.save());
    expect(ascii(b.take(2))).toBe("MU");
  });
});
