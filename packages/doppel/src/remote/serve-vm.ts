/** The worker's side: makes the machine that the other end asks for, and obeys. */
import type { Stop } from "@doppel/vmm";
import type { DebuggerSession } from "../any-vm.ts";
import { createVm, type Vm, type VmOptions } from "../create-vm.ts";
import { packError } from "./error-message.ts";
import { type Answer, type Call, type CalledMethod, type Endpoint, listen, type Request } from "./protocol.ts";

export type { Endpoint } from "./protocol.ts";

/**
 * Serves one machine to the other end of a line: in a worker, `serveVm(self)`.
 * @example
 * const { port1, port2 } = new MessageChannel();
 * serveVm(port2);
 * const vm = await RemoteVm.create(port1, { guest: "embedded" });
 */
export function serveVm(endpoint: Endpoint): void {
  const server = new Server((answer) => endpoint.postMessage(answer));
  listen<Request>(endpoint, (request) => server.hear(request));
}

class Server {
  private readonly send: (answer: Answer) => void;
  private vm: Vm | undefined;
  private session: DebuggerSession | undefined;

  constructor(send: (answer: Answer) => void) {
    this.send = send;
  }

  hear(request: Request): void {
    if ("serial" in request) this.vm?.serial[request.serial]?.write(request.data);
    else if ("debugger" in request) this.session?.receive(request.debugger);
    else this.obey(request).then((value) => this.send({ id: request.id, value }), (error: unknown) => this.send({ id: request.id, error: packError(error) }));
  }

  private async obey({ method, args }: Call): Promise<unknown> {
    if (method === "create") return this.create(args[0] as VmOptions);
    const vm = this.vm!;
    if (method === "attach") {
      this.session = vm.attachDebugger((bytes) => this.send({ debugger: bytes }));
      return undefined;
    }
    if (method === "detach") return this.session?.[Symbol.dispose]();
    if (method === "run") return portable(await vm.run());
    return (vm[method as CalledMethod] as (...args: readonly unknown[]) => unknown).call(vm, ...args);
  }

  private async create(options: VmOptions): Promise<void> {
    const vm = (this.vm = await createVm(options));
    for (const [serial, port] of vm.serial.entries()) port.onOutput((bytes) => this.send({ serial, bytes }));
    vm.debugOutput.onOutput((bytes) => this.send({ serial: "debug", bytes }));
  }
}

/** The error of a fault of our own goes as a message, too. */
function portable(stop: Stop): object {
  return stop.kind === "host-fault" ? { kind: stop.kind, error: packError(stop.error) } : stop;
}
