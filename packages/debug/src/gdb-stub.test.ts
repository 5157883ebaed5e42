import { describe, expect, test } from "vitest";
import { createVm, type Vm } from "doppel";
import { packetBytes, PacketReader } from "./packet.ts";

// The protocol packet by packet (gdb manual, appendix E.2 to E.5), and streams that no debugger sends.

/** A machine at the first instruction of the embedded guest, and a client that speaks without acknowledgements. */
async function session(run = false): Promise<{ vm: Vm; ask: (body: string) => Promise<string>; raw: (bytes: Uint8Array) => void; sent: string[] }> {
  const vm = await createVm({ guest: "embedded", memory: 8 << 20, deterministic: true });
  const reader = new PacketReader();
  const sent: string[] = [];
  let waiting: ((body: string) => void) | undefined;
  const stub = vm.attachDebugger((bytes) => {
    for (const event of reader.read(bytes)) {
      if (event.kind !== "packet") continue;
      sent.push(event.body);
      const tell = waiting;
      waiting = undefined;
      tell?.(event.body);
    }
  });
  if (run) void vm.run();
  const ask = (body: string): Promise<string> => new Promise((resolve) => {
    waiting = resolve;
    stub.receive(packetBytes(body));
  });
  await ask("QStartNoAckMode");
  return { vm, ask, raw: (bytes) => stub.receive(bytes), sent };
}

describe("E.2 packets", () => {
  test("? g G p P", async () => {
    const { vm, ask } = await session();
    expect(await ask("?")).toBe("T05thread:01;");
    const all = await ask("g");
    expect(all.slice(0, 8)).toBe("02b0ad2b");
    expect(await ask("p8")).toBe("20001000");
    expect(await ask("P2=78563412")).toBe("OK");
    expect(vm.machine.cpu.state.gpr32(2)).toBe(0x12345678);
    expect(await ask(`G${all}`)).toBe("OK");
    expect(vm.machine.cpu.state.gpr32(2)).toBe(0);
    // No such register, too few bytes, and a selector in protected mode.
    expect(await ask("pffff")).toMatch(/^E/);
    expect(await ask("P2=78")).toMatch(/^E/);
    expect(await ask("Pa=00000000")).toMatch(/^E/);
    // ST(0) is where TOP says; the full tag word is worked out from the values (SDM volume 1, 8.1.7).
    const { state } = vm.machine.cpu;
    state.fpuStatus = 3 << 11;
    state.fpuTags = 1 << 3;
    expect(await ask("P10=0000000000000080ff3f")).toBe("OK");
    expect([...state.fpr(3)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f]);
    expect(await ask("p1a")).toBe("3fff0000");
  });

  test("m M X: linear addresses, without faults", async () => {
    const { vm, ask } = await session();
    expect(await ask("m100020,2")).toBe("fafc");
    expect(await ask("M3000,3:010203")).toBe("OK");
    expect(await ask("X3003,2:}#")).toBe("OK");
    expect(await ask("m3000,5")).toBe("0102037d23");
    // Device memory is not looked at, and neither is what is not there.
    expect(await ask("mfee00020,4")).toMatch(/^E/);
    expect(await ask("M7ffffe,4:01020304")).toMatch(/^E/);
    expect(vm.machine.cpu.cr2).toBe(0);
  });

  test("s c Z z: one instruction, to a breakpoint, with the reason", async () => {
    const { ask, raw } = await session(true);
    expect(await ask("s")).toBe("T05thread:01;");
    expect(await ask("p8")).toBe("21001000");
    expect(await ask("Z0,100029,1")).toBe("OK");
    expect(await ask("Z0,100029,1")).toBe("OK");
    expect(await ask("vCont;c:1")).toBe("T05thread:01;swbreak:;");
    expect(await ask("p8")).toBe("29001000");
    // The guest's own view of its code is unchanged.
    expect(await ask("m100029,1")).toBe("e8");
    expect(await ask("z0,100029,1")).toBe("OK");
    expect(await ask("Z2,108ffc,4")).toBe("OK");
    expect(await ask("c")).toBe("T05thread:01;watch:108ffc;");
    expect(await ask("z2,108ffc,4")).toBe("OK");
    // A range of addresses, the bytes of a jump to itself among them: an interrupt ends it.
    expect(await ask("vCont;r1000d4,1000e2:1")).toBe("T05thread:01;");
    expect(await ask("p8")).toBe("e2001000");
    expect(await ask("M3000,2:ebfe")).toBe("OK");
    expect(await ask("P8=00300000")).toBe("OK");
    setTimeout(() => raw(Uint8Array.of(3)), 50);
    expect(await ask("vCont;r3000,3002:1")).toBe("T02thread:01;");
    expect(await ask("Z2,0,0")).toMatch(/^E/);
    expect(await ask("Z7,0,1")).toBe("");
  });

  test("unknown packets are answered with nothing, known ones with nonsense in them with an error", async () => {
    const { ask } = await session();
    expect(await ask("!")).toBe("");
    expect(await ask("vMustReplyEmpty")).toBe("");
    expect(await ask("mx,y")).toMatch(/^E/);
    expect(await ask("qXfer:features:read:other.xml:0,100")).toBe("E00");
    expect(await ask("qXfer:features:read:target.xml:0,ffb")).toMatch(/^m<\?xml/);
    expect(await ask("qRcmd,7a7a")).toMatch(/^O/);
  });
});

test("a deterministic run is the same with a debugger in it", async () => {
  const { vm, ask } = await session();
  for (let n = 0; n < 3000; n++) await ask("s");
  const { retired } = vm.machine.engine;
  const plain = await createVm({ guest: "embedded", memory: 8 << 20, deterministic: true });
  plain.machine.runExactly(retired);
  vm.machine.clock.resume();
  expect(vm.stateHash()).toBe(plain.stateHash());
});

test("any stream of bytes is taken, the machine stays whole, and a packet behind it is answered", async () => {
  const { vm, raw, ask, sent } = await session(true);
  let seed = 12345;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const alphabet = "?gGpPmMXZzcsCSHqvQDTk!,:;=#$}*+-\u0003 0123456789abcdef";
  const words = ["qSupported", "qXfer:features:read:target.xml:", "vCont;", "qRcmd,", "Z0,", "Z2,", "z0,", "m", "M", "P", "G", "X", "s", "p"];
  for (let round = 0; round < 400; round++) {
    const length = random(40);
    let body = words[random(words.length)]!;
    for (let n = 0; n < length; n++) body += alphabet[random(alphabet.length)];
    // What lets the guest run freely or ends the session has its own tests.
    if (/^(k|D|vKill)/.test(body)) continue;
    raw(random(2) === 0 ? packetBytes(body) : Uint8Array.from(body, (letter) => letter.charCodeAt(0)));
    if (random(3) === 0) raw(Uint8Array.from({ length: 20 }, () => random(256)));
  }
  // Whatever the reader is in the middle of ends with these; an interrupt stops a guest that was let go.
  raw(Uint8Array.from("#00#00", (letter) => letter.charCodeAt(0)));
  raw(Uint8Array.of(3));
  await ask("qC").then((first) => expect(typeof first).toBe("string"));
  const before = sent.length;
  while (!sent.includes("QC01", before)) await ask("qC");
  expect(vm.machine.cpu.state.cpl).toBeLessThanOrEqual(3);
}, 60_000);

test("detach lets the guest run, kill ends it, and only one debugger is served", async () => {
  const { vm, ask, sent } = await session();
  expect(() => vm.attachDebugger(() => {})).toThrow(/already/);
  const end = vm.run();
  expect(await ask("Z0,100029,1")).toBe("OK");
  expect(await ask("D")).toBe("OK");
  await vm.console.waitFor("doppel> ");
  // The packet stops the guest, which is reported first.
  expect(await ask("vKill;1")).toMatch(/^T02/);
  expect((await end).kind).toBe("stopped");
  expect(sent.at(-1)).toBe("OK");
});
