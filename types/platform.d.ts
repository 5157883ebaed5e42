/**
 * What Node 22 and every current browser both have, beside ECMAScript and WebAssembly: the whole of the host that a portable
 * package may touch. It stands in for Node's types and the DOM library, which portable packages compile without, so that a
 * `process` or a `document` in one of them is a type error. Node-side code and tests use Node's own types instead.
 */
declare class TextEncoder {
  readonly encoding: string;
  encode(input?: string): Uint8Array<ArrayBuffer>;
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number };
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly encoding: string;
  decode(input?: ArrayBufferView<ArrayBufferLike> | ArrayBufferLike, options?: { stream?: boolean }): string;
}

declare function atob(data: string): string;
declare function btoa(data: string): string;

/** Milliseconds since the process or page started, monotonic; `timeOrigin` is that start in Unix time. */
declare const performance: { now(): number; readonly timeOrigin: number };

/** Opaque in Node (an object) and in browsers (a number). */
type TimeoutHandle = { readonly __timeout: unique symbol };
declare function setTimeout(callback: () => void, milliseconds?: number): TimeoutHandle;
declare function clearTimeout(handle: TimeoutHandle | undefined): void;
declare function setInterval(callback: () => void, milliseconds?: number): TimeoutHandle;
declare function clearInterval(handle: TimeoutHandle | undefined): void;
declare function queueMicrotask(callback: () => void): void;
declare function structuredClone<T>(value: T): T;

declare class MessagePort {
  /** The listener's event carries `data`; it is an `object` here because Node's types know it as a plain event. */
  addEventListener(type: "message", listener: (event: object) => void): void;
  postMessage(message: unknown, transfer?: readonly never[]): void;
  start(): void;
  close(): void;
}

declare class MessageChannel {
  constructor();
  readonly port1: MessagePort;
  readonly port2: MessagePort;
}

declare class URL {
  constructor(url: string, base?: string | URL);
  readonly href: string;
  readonly protocol: string;
  readonly pathname: string;
  toString(): string;
}

interface ImportMeta { readonly url: string }

/** Cryptographic randomness and digests (Web Crypto). */
declare const crypto: {
  getRandomValues<T extends ArrayBufferView>(array: T): T;
  readonly subtle: { digest(algorithm: string, data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> };
};
