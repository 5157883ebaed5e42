/** A byte stream behind a TCP port: one peer at a time, on the loopback address unless the user says otherwise. */
import type { Server, Socket } from "node:net";
import type { Address } from "./values.ts";
import { createServer } from "node:net";
import { HostError } from "doppel/node";

/** What happens on a port. */
export interface TcpEvents {
  connected?(): void;
  received(bytes: Uint8Array): void;
  closed?(): void;
}

/** A listening port. */
export class TcpPort implements Disposable {
  readonly #server: Server;
  #peer: Socket | undefined;

  constructor(server: Server, events: TcpEvents) {
    this.#server = server;
    server.on("connection", (socket) => {
      if (this.#peer) {
        socket.destroy();
        return;
      }
      this.#peer = socket;
      socket.setNoDelay(true);
      socket.on("data", (bytes) => events.received(bytes as Buffer));
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#peer = undefined;
        events.closed?.();
      });
      events.connected?.();
    });
  }

  /** The port's number, also where the system chose it. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address ? address.port : 0;
  }

  /** Sends to the peer, if there is one. */
  send(bytes: Uint8Array): void {
    this.#peer?.write(bytes);
  }

  [Symbol.dispose](): void {
    this.#peer?.destroy();
    this.#server.close();
  }
}

/**
 * Listens.
 * @throws {HostError} `HOST_PORT` when the address cannot be used.
 */
export function listen({ host, port }: Address, what: string, events: TcpEvents): Promise<TcpPort> {
  const server = createServer();
  const tcp = new TcpPort(server, events);
  return new Promise((resolve, reject) => {
    server.on("error", (error: NodeJS.ErrnoException) => {
      const reason = error.code === "EADDRINUSE" ? "it is in use" : error.code === "EACCES" ? "permission is denied" : error.message;
      reject(new HostError("HOST_PORT", `The ${what} cannot listen on ${host}:${port}: ${reason}.`, { cause: error }));
    });
    server.listen(port, host, () => resolve(tcp));
  });
}
