/** Our machine in a lockstep run: takes over QEMU's state, steps, and shows the same registers. */
import type { CpuImage } from "./qemu.ts";
import { I386_REGISTERS, readLinear } from "@doppel/debug";
import { VirtualMachine } from "@doppel/vmm";
import { IA32_SYSENTER_CS, IA32_SYSENTER_EIP, IA32_SYSENTER_ESP } from "@doppel/x86";
import { LAYOUT, type RegisterBytes, word } from "./gdb-client.ts";

/** Bytes that an instruction wrote. */
export interface Store {
  readonly linear: number;
  readonly length: number;
}

/** What of QEMU's registers we have, but for those that QEMU does not keep. */
const SHOWN = I386_REGISTERS.filter(({ name }) => LAYOUT.some(([theirs]) => theirs === name) && !/^(ftag|fi|fo)/.test(name));

/** Segment registers by QEMU's names, and ours. */
const SEGMENTS = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5, LDT: 6, TR: 7 } as const;

/** A machine without interrupts: QEMU's stub holds them back while it steps, and so do we. */
export class Doppel {
  readonly vm: VirtualMachine;
  private stores: Store[] = [];

  /** @param memory bytes of RAM. @param bios a BIOS image that both machines have. */
  constructor(memory: number, bios?: Uint8Array) {
    this.vm = new VirtualMachine({ memory, ...(bios ? { bios } : {}), noReboot: true, deterministic: true });
    this.vm.chipset.presetAsFirmware();
    this.vm.engine.interrupts = undefined;
    const { cpu } = this.vm;
    // Every store is seen: all of memory is one watchpoint, and no page gets a data tag.
    cpu.watchpoints = [{ linear: 0, length: 2 ** 32, on: "write" }];
    cpu.onWatch = (_, linear, length) => void this.stores.push({ linear, length });
    cpu.dataBreakpoints = true;
    const everywhere: number[] = Object.assign([], { includes: () => true });
    cpu.mmu.watch(everywhere);
  }

  /** Goes on from another machine's state. */
  adopt(image: CpuImage, ram: Uint8Array): void {
    const { cpu } = this.vm;
    const { state } = cpu;
    this.adoptRam(ram);
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

  /** Takes over RAM alone. */
  adoptRam(ram: Uint8Array): void {
    const { map } = this.vm.memory;
    // What the PC keeps between 640 KiB and 1 MiB is no RAM for QEMU's dump either, except for the shadow of the BIOS.
    map.load(0, ram.subarray(0, 0xa0000));
    map.load(0xc0000, ram.subarray(0xc0000));
  }

  /** The registers that both machines show, by QEMU's names. */
  registers(): RegisterBytes {
    const { cpu } = this.vm;
    const all: RegisterBytes = {};
    for (const { name, read } of SHOWN) all[name] = read(cpu);
    for (let n = 0; n < 8; n++) all[`fpr${n}`] = cpu.state.fpr(n).slice();
    return all;
  }

  /** Takes over one register: the result is the other machine's own, or not defined. */
  take(name: string, bytes: Uint8Array): boolean {
    const { cpu } = this.vm;
    if (/^fpr\d$/.test(name)) cpu.state.fpr(Number(name[3])).set(bytes);
    else if (name === "cr2") cpu.cr2 = new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true);
    else return I386_REGISTERS.find((register) => register.name === name)!.write(cpu, bytes);
    return true;
  }

  /** Sets the SYSENTER registers to what led another machine to these values. */
  learnSysenter(registers: RegisterBytes): void {
    const { msr } = this.vm.cpu;
    msr.set(IA32_SYSENTER_CS, word(registers, "cs"), 0);
    msr.set(IA32_SYSENTER_ESP, word(registers, "esp"), 0);
    msr.set(IA32_SYSENTER_EIP, word(registers, "eip"), 0);
  }

  /** Executes one instruction, or delivers a fault, and gives the stores that it did. */
  step(): readonly Store[] {
    this.stores = [];
    this.vm.engine.step();
    return this.stores;
  }

  /** Delivers an interrupt that the other machine has taken. */
  interrupt(vector: number): readonly Store[] {
    this.stores = [];
    this.vm.cpu.activity = 0;
    this.vm.cpu.interrupt(vector);
    return this.stores;
  }

  /** The vector whose gate leads to an address, or -1. */
  vectorOf(eip: number): number {
    const { cpu } = this.vm;
    const long = cpu.protectedMode || (cpu.cr0 & 1) !== 0;
    const size = long ? 8 : 4;
    const gates = readLinear(this.vm, cpu.idtr.base, Math.min(256 * size, cpu.idtr.limit + 1));
    const half = (at: number): number => gates[at]! | (gates[at + 1]! << 8);
    for (let vector = 0; (vector + 1) * size <= gates.length; vector++) {
      const target = long ? (half(8 * vector) | (half(8 * vector + 6) << 16)) >>> 0 : half(4 * vector);
      if (target === eip && vector >= 8) return vector;
    }
    return -1;
  }

  /** Linear address of the next instruction. */
  linearRip(): number {
    const { state } = this.vm.cpu;
    return (state.segmentBase(1) + state.rip) >>> 0;
  }
}
