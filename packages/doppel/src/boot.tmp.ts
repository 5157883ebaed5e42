import { VirtualMachine } from "@doppel/vmm";
import { getGuest } from "./node/guests.ts";
const g: any = await getGuest(process.argv[2] ?? "debian-12-i386", () => {});
const secs = Number(process.argv[3] ?? 60);
const boot = g.boot;
console.error(Object.keys(boot), boot.append);
let text = "";
const vm = new VirtualMachine({ memory: 256 << 20, kernel: { kernel: boot.kernel, initrd: boot.initrd, append: (process.argv[4] ?? boot.append ?? "console=ttyS0") },
  serial: [{ output: (b) => { text += String.fromCharCode(b); process.stdout.write(String.fromCharCode(b)); if (text.includes("/ # ") ) { console.error("\nPROMPT at", performance.now()-t0); text=""; vm.requestStop(); } } }], noReboot: true,
  debugOutput: (b) => process.stderr.write(String.fromCharCode(b)) });
const t0 = performance.now();
const timer = setTimeout(() => vm.requestStop(), secs*1000);
const stop = await vm.run();
clearTimeout(timer);
console.error(stop);
console.error(JSON.stringify(vm.stats()));
const s = vm.cpu.state;
console.error("eip", s.rip.toString(16), [0,1,2,3,4,5,6,7].map((n) => (s.gpr32(n)>>>0).toString(16)).join(" "), "cr0", (vm.cpu.cr0>>>0).toString(16), "cr2", vm.cpu.cr2.toString(16), "cr3", vm.cpu.cr3.toString(16), "fault", s.faultVector, s.faultCode, "act", vm.cpu.activity, "fl", s.eflags.toString(16));
