/**
 * The state in which a PC's firmware leaves the chipset, for kernels that are started without any. Everything is done through ports and
 * addresses, as firmware does it; values are those that SeaBIOS 1.16 leaves on QEMU's `pc` machine.
 */

import type { MmioBus } from "../bus/mmio-bus.ts";
import type { PortBus } from "../bus/port-bus.ts";
import { APIC_DEFAULT_BASE } from "../interrupt/local-apic.ts";

/** Where the ACPI ports stand: PM1a event, control and timer are at +0, +4 and +8. */
export const ACPI_PM_BASE = 0x600;
const SMBUS_BASE = 0x700;

function configure(ports: PortBus, device: number, number: number, register: number, size: 1 | 2 | 4, value: number): void {
  ports.write(0xcf8, 4, (0x8000_0000 + (device << 11) + (number << 8) + (register & 0xfc)) >>> 0);
  ports.write(0xcfc + (register & 3), size, value);
}

/** Programs interrupt controllers, timer, PCI bridges, power management and keyboard controller. */
export function presetAsFirmware(ports: PortBus, memory: MmioBus, hasApic: boolean): void {
  // Counter 0: the 18.2 Hz tick. It comes first, because its control word makes an edge on IRQ0 that nobody is to see.
  ports.write(0x43, 1, 0x34);
  ports.write(0x40, 1, 0);
  ports.write(0x40, 1, 0);
  // 8259s: vectors 08h and 70h; timer, keyboard, cascade and diskette, clock and mouse unmasked.
  for (const [port, base, icw3, mask] of [[0x20, 0x08, 0x04, 0xb8], [0xa0, 0x70, 0x02, 0x8e]] as const) {
    ports.write(port, 1, 0x11);
    for (const value of [base, icw3, 0x01, mask]) ports.write(port + 1, 1, value);
  }
  // Level-triggered: IRQ10 and IRQ11, to which the PCI interrupts are routed.
  ports.write(0x4d0, 2, 0x0c00);
  // Host bridge: RAM behind all of C0000h to FFFFFh.
  configure(ports, 0, 0, 0x59, 1, 0x30);
  for (let pam = 0x5a; pam <= 0x5f; pam++) configure(ports, 0, 0, pam, 1, 0x33);
  // ISA bridge: PIRQA to PIRQD.
  [10, 10, 11, 11].forEach((irq, pirq) => configure(ports, 1, 0, 0x60 + pirq, 1, irq));
  // Power management.
  configure(ports, 1, 3, 0x3c, 1, 9);
  configure(ports, 1, 3, 0x40, 4, ACPI_PM_BASE | 1);
  configure(ports, 1, 3, 0x80, 1, 0x01);
  configure(ports, 1, 3, 0x90, 4, SMBUS_BASE | 1);
  configure(ports, 1, 3, 0xd2, 1, 0x09);
  for (const [device, number] of [[0, 0], [1, 0], [1, 3]]) configure(ports, device, number, 0x04, 2, 0x0103);
  // Keyboard controller: interrupt on, mouse off, translation to set 1, "system" flag.
  ports.write(0x64, 1, 0x60);
  ports.write(0x60, 1, 0x65);
  if (!hasApic) return;
  // Local APIC: enabled, 8259 at LINT0, NMI at LINT1.
  memory.write(APIC_DEFAULT_BASE + 0xf0, 4, 0x1ff);
  memory.write(APIC_DEFAULT_BASE + 0x350, 4, 0x8700);
  memory.write(APIC_DEFAULT_BASE + 0x360, 4, 0x8400);
}
