/** Our machine in a lockstep run: takes over QEMU's state, steps, and shows the same registers. */
import type { CpuImage } from "./qemu.ts";
import { VirtualMachine } from "@doppel/vmm";
import { IA32_SYSENTER_CS, IA32_SYSENTER_EIP, IA32_SYSENTER_ESP } from "@doppel/x86";

/** Order of the general registers in gdb's description and in ours. */
const SEGMENTS = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5, LDT: 6, TR: 7 } as const;

/** A machine without interrupts: QEMU's stub holds them back while it steps, and so do we. */
export class Doppel {
  readonly vm: VirtualMachine;

  /** @param memory bytes of RAM. @param bios a BIOS image that both machines have. */
  constructor(memory: number, bios?: Uint8Array) {
    this.vm = new VirtualMachine({ memory, ...(bios ? { bios } : {}), noReboot: true, deterministic: true });
    this.vm.chipset.presetAsFirmware();
    this.vm.engine.interrupts = undefined;
  }

  /** Goes on from another machine's state. */
  adopt(image: CpuImage, ram: Uint8Array): void {
    const { cpu, memory } = this.vm;
    const { state } = cpu;
    // What the PC keeps between 640 KiB and 1 MiB is no RAM for QEMU's dump either, except for the shadow of the BIOS.
    memory.map.load(0, ram.subarray(0, 0xa0000));
    memory.map.load(0xc0000, ram.subarray(0xc0000));
    for (const [name, index] of Object.entries(SEGMENTS)) {
      const segment = image.segments[name as keyof typeof SEGMENTS];
      state.setSelector(index, segment.selector);
      state.setSegmentBase(index, segment.base);
      state.setSegmentLimit(index, segment.limit);
      // Bit 0 stands for "unusable": a null selector in protected mode leaves a segment that is not present.
      state.setSegmentAttributes(index, (segment.attributes & 0x00f0ff00) | ((segment.attributes & 0x8000) === 0 ? 1 : 0));
    }
    Object.assign(cpu.gdtr, image.gdt);
    Object.assign(cpu.idtr, image.idt);
    const { values } = image;
    cpu.cr0 = values["CR0"]! | 0;
    cpu.cr2 = values["CR2"]! | 0;
    cpu.cr3 = values["CR3"]! | 0;
    cpu.cr4 = values["CR4"]! | 0;
    cpu.efer = values["EFER"] ?? 0;
    state.fpuControl = values["FCW"]!;
    state.fpuStatus = values["FSW"]!;
    // Both sides keep the abridged tag word of FXSAVE, and the registers by their physical number.
    state.fpuTags = values["FTW"]!;
    image.st.forEach(({ significand, exponent }, i) => {
      const bytes = new DataView(new ArrayBuffer(16));
      bytes.setBigUint64(0, significand, true);
      bytes.setUint16(8, exponent, true);
      state.fpr(i).set(new Uint8Array(bytes.buffer).subarray(0, state.fpr(i).length));
    });
    state.mxcsr = values["MXCSR"]!;
    image.xmm.slice(0, 8).forEach((value, i) => {
      const bytes = new DataView(new ArrayBuffer(16));
      bytes.setBigUint64(0, value & 0xffff_ffff_ffff_ffffn, true);
      bytes.setBigUint64(8, value >> 64n, true);
      state.xmm(i).set(new Uint8Array(bytes.buffer));
    });
    ["EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"].forEach((name, i) => state.setGpr32(i, values[name]!));
    state.rip = values["EIP"]!;
    state.eflags = values["EFL"]!;
    state.cpl = values["CPL"]!;
    cpu.applyPaging();
    cpu.mmu.setRoot(cpu.cr3);
    cpu.deriveSegments();
    this.vm.cpu.mmu.setA20((values["A20"] ?? 1) !== 0);
    this.vm.cpu.mmu.tlb.flush();
  }

  /** Values in gdb's order. */
  registers(): Uint32Array {
    const { state } = this.vm.cpu;
    const selectors = [1, 2, 3, 0, 4, 5].map((segment) => state.selector(segment));
    return Uint32Array.from([...[0, 1, 2, 3, 4, 5, 6, 7].map((register) => state.gpr32(register)), state.rip, state.eflags, ...selectors]);
  }

  /** Takes over general registers and flags, after an instruction whose result is the other machine's own. */
  take(registers: Uint32Array): void {
    const { state } = this.vm.cpu;
    for (let i = 0; i < 8; i++) state.setGpr32(i, registers[i]!);
    state.eflags = registers[9]!;
  }

  /** Sets the SYSENTER registers to what led another machine to these values. */
  learnSysenter(registers: Uint32Array): void {
    const { msr } = this.vm.cpu;
    msr.set(IA32_SYSENTER_CS, registers[10]!, 0);
    msr.set(IA32_SYSENTER_ESP, registers[4]!, 0);
    msr.set(IA32_SYSENTER_EIP, registers[8]!, 0);
  }

  /** Linear address of the next instruction. */
  linearRip(): number {
    const { state } = this.vm.cpu;
    return (state.segmentBase(1) + state.rip) >>> 0;
  }

  /** Up to 15 bytes at CS:EIP; fewer where a page is missing. */
  code(): Uint8Array {
    const bytes: number[] = [];
    for (let i = 0; i < 15; i++) {
      const linear = (this.linearRip() + i) >>> 0;
      const physical = this.physical(linear);
      if (physical === undefined) break;
      bytes.push(this.vm.memory.map.read8(physical as never));
    }
    return Uint8Array.from(bytes);
  }

  /** Physical address by the guest's own tables, without any trace in them. */
  physical(linear: number): number | undefined {
    const { cpu } = this.vm;
    const read = (at: number): number => this.vm.memory.map.read32(at as never);
    if ((cpu.cr0 & 0x80000000) === 0) return linear;
    if ((cpu.cr4 & 0x20) !== 0) {
      const pointer = read((cpu.cr3 & 0xffffffe0) + (linear >>> 30) * 8);
      const directory = read((pointer & 0xfffff000) + ((linear >>> 21) & 0x1ff) * 8);
      if ((pointer & directory & 1) === 0) return undefined;
      if ((directory & 0x80) !== 0) return ((directory & 0xffe00000) | (linear & 0x1fffff)) >>> 0;
      const page = read((directory & 0xfffff000) + ((linear >>> 12) & 0x1ff) * 8);
      return (page & 1) === 0 ? undefined : ((page & 0xfffff000) | (linear & 0xfff)) >>> 0;
    }
    const directory = read(((cpu.cr3 & 0xfffff000) >>> 0) + (linear >>> 22) * 4);
    if ((directory & 1) === 0) return undefined;
    if ((directory & 0x80) !== 0 && (cpu.cr4 & 0x10) !== 0) return ((directory & 0xffc00000) | (linear & 0x3fffff)) >>> 0;
    const page = read(((directory & 0xfffff000) >>> 0) + ((linear >>> 12) & 0x3ff) * 4);
    return (page & 1) === 0 ? undefined : ((page & 0xfffff000) | (linear & 0xfff)) >>> 0;
  }
}
