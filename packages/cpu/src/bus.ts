/** What a vCPU asks of the machine around it while an instruction runs. */

/**
 * Ports and memory-mapped devices. Every call is synchronous and happens exactly once per access of the program; an address
 * nobody decodes reads as all ones and swallows writes. Values are unsigned; `size` is 1, 2 or 4 bytes.
 */
export interface Bus {
  readPort(port: number, size: number): number;
  writePort(port: number, size: number, value: number): void;
  readMmio(physical: number, size: number): number;
  writeMmio(physical: number, size: number, value: number): void;
}
