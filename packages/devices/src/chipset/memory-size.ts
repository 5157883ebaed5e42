/**
 * Where firmware and kernels of a PC look for the size of memory: bytes of CMOS memory (the assignment of QEMU's PC machines) and the
 * fw_cfg items `RAM_SIZE` and `etc/e820`.
 */

import type { FwCfg } from "../firmware-config/fw-cfg.ts";
import { FW_CFG, littleEndian } from "../firmware-config/fw-cfg.ts";
import type { Rtc } from "../timer/rtc.ts";

/** RAM of the machine in bytes: from address 0, and from 4 GiB on. */
export type MemorySize = { readonly below4G: number; readonly above4G: number };

const KIB = 1024;
const MIB = 1024 * KIB;
const UNIT = 64 * KIB;
const E820_RAM = 1;

/** Tells the CMOS memory. */
export function describeMemoryInCmos(rtc: Rtc, size: MemorySize, cpus: number): void {
  const word = (index: number, value: number) => {
    rtc.setMemory(index, value & 0xff);
    rtc.setMemory(index + 1, (value >> 8) & 0xff);
  };
  const extended = Math.min(0xffff, Math.max(0, Math.floor(size.below4G / KIB) - 1024));
  const above16M = Math.min(0xffff, Math.max(0, Math.floor((size.below4G - 16 * MIB) / UNIT)));
  const above4G = Math.floor(size.above4G / UNIT);
  word(0x15, 640);
  word(0x17, extended);
  word(0x30, extended);
  word(0x34, above16M);
  word(0x5b, above4G & 0xffff);
  rtc.setMemory(0x5d, Math.floor(above4G / 0x10000) & 0xff);
  rtc.setMemory(0x5f, cpus - 1);
  // Equipment: a coprocessor and a PS/2 mouse.
  rtc.setMemory(0x14, 0x06);
}

/** Tells fw_cfg. */
export function describeMemoryInFwCfg(fwCfg: FwCfg, size: MemorySize, cpus: number): void {
  fwCfg.setItem(FW_CFG.RAM_SIZE, littleEndian(size.below4G + size.above4G, 8));
  fwCfg.setItem(FW_CFG.NB_CPUS, littleEndian(cpus, 2));
  fwCfg.setItem(FW_CFG.MAX_CPUS, littleEndian(cpus, 2));
  const ranges = [[0, size.below4G], [4096 * MIB, size.above4G]].filter(([, length]) => length > 0);
  const map = new Uint8Array(20 * ranges.length);
  ranges.forEach(([start, length], i) => {
    map.set(littleEndian(start, 8), 20 * i);
    map.set(littleEndian(length, 8), 20 * i + 8);
    map[20 * i + 16] = E820_RAM;
  });
  fwCfg.addFile("etc/e820", map);
}
