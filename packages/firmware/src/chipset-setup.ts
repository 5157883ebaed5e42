/**
 * What a BIOS programs into an i440FX/PIIX board before it starts a kernel, as a list of writes: shadow RAM (82441FX, PAM), PCI
 * interrupt routing (82371SB, PIRQRC and ELCR), the power-management block (82371AB, PMBA), the 8259 pair, the system timer, the
 * keyboard controller's translation, and the local APIC in virtual-wire mode. Whoever boots a kernel without a BIOS performs them in order.
 */
import { LOCAL_APIC, PM_BASE } from "./acpi-tables.ts";

/** One write of `size` bytes, to an I/O port or to a physical address. */
export interface SetupWrite { space: "port" | "memory"; address: number; size: 1 | 2 | 4; value: number }

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
const SMB_BASE = 0x700;
/** Interrupts of PIRQA to PIRQD. */
const ROUTES = [10, 10, 11, 11];

/** The writes, in order. */
export function chipsetSetup(): SetupWrite[] {
  const writes: SetupWrite[] = [];
  const port = (address: number, value: number, size: 1 | 2 | 4 = 1): unknown => writes.push({ space: "port", address, size, value });
  const apic = (register: number, value: number): unknown =>
    writes.push({ space: "memory", address: LOCAL_APIC + register, size: 4, value });
  const config = (slot: number, fn: number, register: number, size: 1 | 2 | 4, value: number): void => {
    port(CONFIG_ADDRESS, 2 ** 31 + slot * 0x800 + fn * 0x100 + (register & 0xfc), 4);
    port(CONFIG_DATA + (register & 3), value, size);
  };

  // C0000-FFFFF reads and writes RAM.
  config(0, 0, 0x59, 1, 0x30);
  for (let pam = 0x5a; pam <= 0x5f; pam++) config(0, 0, pam, 1, 0x33);
  ROUTES.forEach((irq, pirq) => config(1, 0, 0x60 + pirq, 1, irq));
  const level = ROUTES.reduce((mask, irq) => mask | (1 << irq), 0);
  port(0x4d0, level & 0xff);
  port(0x4d1, level >> 8);

  config(1, 3, 0x40, 4, PM_BASE | 1);
  config(1, 3, 0x80, 1, 1);
  config(1, 3, 0x90, 4, SMB_BASE | 1);
  config(1, 3, 0xd2, 1, 0x09);
  config(1, 3, 0x3c, 1, 9);
  config(1, 3, 0x04, 2, 1);

  // ICW1 to ICW4 of both controllers, everything masked but the cascade.
  for (const [command, data, base, wiring, mask] of [[0x20, 0x21, 0x08, 0x04, 0xfb], [0xa0, 0xa1, 0x70, 0x02, 0xff]] as const) {
    port(command, 0x11);
    port(data, base);
    port(data, wiring);
    port(data, 0x01);
    port(data, mask);
  }
  // Counter 0: mode 2 at its longest period, 18.2 Hz.
  port(0x43, 0x34);
  port(0x40, 0);
  port(0x40, 0);
  // Keyboard: interrupts on, translation to scan code set 1.
  port(0x64, 0x60);
  port(0x60, 0x61);

  // Software enable with vector FFh; LINT0 takes the 8259 pair, LINT1 is NMI.
  apic(0x0f0, 0x1ff);
  apic(0x350, 0x8700);
  apic(0x360, 0x8400);
  return writes;
}
