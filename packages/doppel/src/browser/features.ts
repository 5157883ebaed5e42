/** What this browser has of what Doppel can use, and what happens without it. */
import { hostFeatures, type WasmFeatures } from "@doppel/wasm";

/** Features of a browser. */
export interface BrowserFeatures extends WasmFeatures {
  /** Without: the machine runs in the page and takes turns with it. */
  readonly worker: boolean;
  /** Files of the origin (OPFS) that a page can write. Without: IndexedDB. */
  readonly opfs: boolean;
  /** Without: machines are saved to files only. */
  readonly indexedDb: boolean;
  /** Memory shared between threads. Nothing of Doppel needs it, nor the COOP and COEP headers that it takes. */
  readonly sharedMemory: boolean;
}

/** One feature in plain words. */
export interface FeatureText { readonly name: keyof BrowserFeatures; readonly title: string; readonly without: string }

/** What each feature is called, and what happens without it. */
export const FEATURE_TEXTS: readonly FeatureText[] = [
  { name: "tailCalls", title: "WebAssembly tail calls", without: "Translated code returns to the dispatcher between regions: the guest runs somewhat slower." },
  { name: "simd", title: "WebAssembly SIMD", without: "The processor is a Pentium Pro without SSE: 32-bit guests run, 64-bit guests do not." },
  { name: "worker", title: "Web workers", without: "The machine runs in the page, which is less responsive." },
  { name: "opfs", title: "Origin private files", without: "Saved machines are kept in IndexedDB." },
  { name: "indexedDb", title: "IndexedDB", without: "Without origin private files as well, machines are saved to files only." },
  { name: "sharedMemory", title: "Shared memory", without: "Nothing changes: no part of Doppel needs it." },
];

/**
 * What this browser has.
 * @param off features to do without, for tests
 * @example
 * const { tailCalls } = browserFeatures();
 */
export function browserFeatures(off: readonly string[] = []): BrowserFeatures {
  const found: BrowserFeatures = {
    ...hostFeatures(),
    worker: typeof Worker !== "undefined",
    opfs: typeof FileSystemFileHandle !== "undefined" && "createWritable" in FileSystemFileHandle.prototype && navigator.storage?.getDirectory !== undefined,
    indexedDb: typeof indexedDB !== "undefined",
    sharedMemory: typeof SharedArrayBuffer !== "undefined",
  };
  return Object.fromEntries(Object.entries(found).map(([name, has]) => [name, has && !off.includes(name)])) as unknown as BrowserFeatures;
}
