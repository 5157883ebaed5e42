import { expect, test } from "vitest";
import { Arena, Frames, PhysicalMap, PAGE_SIZE } from "./index.ts";

function machine(): PhysicalMap {
  const map = new PhysicalMap(new Frames(new Arena(1 << 20), 16));
  map.addRam(0, 4 * PAGE_SIZE);
  return map;
}

test("words that lie in two pages, and in memory and nothing", () => {
  const map = machine();
  map.write32(PAGE_SIZE - 2, 0x11223344);
  expect(map.read32(PAGE_SIZE - 2)).toBe(0x11223344);
  expect(map.read16(PAGE_SIZE)).toBe(0x1122);
  expect(map.read32(4 * PAGE_SIZE - 2)).toBe(0xffff0000);
  map.write32(4 * PAGE_SIZE - 2, 0xaabbccdd);
  expect(map.read32(4 * PAGE_SIZE - 2)).toBe(0xffffccdd);
  expect(map.read32(0xffff_fff0)).toBe(0xffff_ffff);
});

test("ROM ignores the guest's writes and takes the host's", () => {
  const map = machine();
  map.map(0x100, map.frames.allocate(), "rom");
  map.load(0x100000, new Uint8Array([1, 2, 3, 4]));
  map.write8(0x100000, 9);
  expect(map.read32(0x100000)).toBe(0x04030201);
  expect(map.writable(0x100)).toBe(false);
});

test("an observer hears of a DMA write before the bytes change", () => {
  const map = machine();
  const heard: number[][] = [];
  const bit = map.frames.addObserver({ written: (frame, offset, length) => heard.push([frame, offset, length, map.read8(PAGE_SIZE * 2)]) });
  map.frames.watch(map.frameOf(2), bit);
  expect(map.writable(2)).toBe(false);
  map.writeBytes(PAGE_SIZE * 2 - 1, new Uint8Array([7, 8]));
  expect(heard).toEqual([[map.frameOf(2), 0, 1, 0]]);
  expect(map.read16(PAGE_SIZE * 2 - 1)).toBe(0x0807);
});

test("a released frame comes back empty", () => {
  const frames = new Frames(new Arena(1 << 20), 1);
  const frame = frames.allocate();
  frames.arena.u8[frames.address(frame)] = 5;
  expect(() => frames.allocate()).toThrow(/every machine frame/);
  frames.release(frame);
  expect(frames.arena.u8[frames.address(frames.allocate())]).toBe(0);
});
