/**
 * Saved machines in the browser: as files of the origin (OPFS), or in IndexedDB where a page cannot write those. What describes a machine is
 * written after its bytes, so that one that was cut off is never listed.
 */
import { DoppelError } from "@doppel/persist";

/** The browser's storage cannot be used. */
export class StoreError extends DoppelError {}

/** A saved machine, without its bytes. */
export interface SavedMachine {
  readonly id: string;
  readonly title: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly bytes: number;
  /** What the guest had last said on its serial line. */
  readonly tail: string;
}

/** A place for saved machines. */
export interface MachineStore {
  readonly kind: "opfs" | "indexeddb";
  /** The newest first. */
  list(): Promise<SavedMachine[]>;
  /** @throws {StoreError} `STORE_MISSING` */
  read(id: string): Promise<Uint8Array>;
  /** @throws {StoreError} `STORE_FULL` when the browser gives no more room */
  write(machine: SavedMachine, bytes: Uint8Array): Promise<void>;
  remove(id: string): Promise<void>;
}

const newestFirst = (machines: SavedMachine[]): SavedMachine[] => machines.sort((a, b) => b.time - a.time);
const missing = (id: string): StoreError => new StoreError("STORE_MISSING", `there is no saved machine ${id} in this browser; it may have been removed`);

async function whileThereIsRoom<T>(bytes: number, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof DOMException && error.name === "QuotaExceededError") {
      const size = Math.ceil(bytes / 2 ** 20);
      throw new StoreError("STORE_FULL", `the browser has no room for ${size} MiB; remove another saved machine, or save this one to a file`, { cause: error });
    }
    throw error;
  }
}

class FileStore implements MachineStore {
  readonly kind = "opfs";
  private readonly folder: FileSystemDirectoryHandle;

  constructor(folder: FileSystemDirectoryHandle) {
    this.folder = folder;
  }

  async list(): Promise<SavedMachine[]> {
    const machines: SavedMachine[] = [];
    for await (const [name, handle] of this.folder.entries()) {
      if (!name.endsWith(".json") || handle.kind !== "file") continue;
      const text = await (await (handle as FileSystemFileHandle).getFile()).text();
      if (text !== "") machines.push(JSON.parse(text) as SavedMachine);
    }
    return newestFirst(machines);
  }

  async read(id: string): Promise<Uint8Array> {
    const handle = await this.folder.getFileHandle(`${id}.machine`).catch(() => {
      throw missing(id);
    });
    return new Uint8Array(await (await handle.getFile()).arrayBuffer());
  }

  async write(machine: SavedMachine, bytes: Uint8Array): Promise<void> {
    await whileThereIsRoom(bytes.length, async () => {
      await this.put(`${machine.id}.machine`, bytes as Uint8Array<ArrayBuffer>);
      await this.put(`${machine.id}.json`, JSON.stringify(machine));
    }).catch(async (error: unknown) => {
      await this.remove(machine.id);
      throw error;
    });
  }

  private async put(name: string, content: Uint8Array<ArrayBuffer> | string): Promise<void> {
    const file = await (await this.folder.getFileHandle(name, { create: true })).createWritable();
    await file.write(content);
    await file.close();
  }

  async remove(id: string): Promise<void> {
    for (const name of [`${id}.json`, `${id}.machine`]) await this.folder.removeEntry(name).catch(() => {});
  }
}

const settled = <T>(request: IDBRequest<T>): Promise<T> => new Promise((resolve, reject) => {
  request.addEventListener("success", () => resolve(request.result));
  request.addEventListener("error", () => reject(request.error));
});

class DatabaseStore implements MachineStore {
  readonly kind = "indexeddb";
  private readonly database: IDBDatabase;

  constructor(database: IDBDatabase) {
    this.database = database;
  }

  private store(name: "machines" | "bytes", mode: IDBTransactionMode = "readonly"): IDBObjectStore {
    return this.database.transaction(name, mode).objectStore(name);
  }

  async list(): Promise<SavedMachine[]> {
    return newestFirst((await settled(this.store("machines").getAll())) as SavedMachine[]);
  }

  async read(id: string): Promise<Uint8Array> {
    const bytes = (await settled(this.store("bytes").get(id))) as Uint8Array | undefined;
    if (bytes === undefined) throw missing(id);
    return bytes;
  }

  async write(machine: SavedMachine, bytes: Uint8Array): Promise<void> {
    await whileThereIsRoom(bytes.length, async () => {
      await settled(this.store("bytes", "readwrite").put(bytes, machine.id));
      await settled(this.store("machines", "readwrite").put(machine, machine.id));
    });
  }

  async remove(id: string): Promise<void> {
    await settled(this.store("machines", "readwrite").delete(id));
    await settled(this.store("bytes", "readwrite").delete(id));
  }
}

/**
 * Opens the place for saved machines; undefined where the browser has none, as in some private windows.
 * @example
 * const store = await openStore(browserFeatures());
 * for (const { id, title } of (await store?.list()) ?? []) console.log(id, title);
 */
export async function openStore({ opfs, indexedDb }: { readonly opfs: boolean; readonly indexedDb: boolean }): Promise<MachineStore | undefined> {
  try {
    if (opfs) return new FileStore(await (await navigator.storage.getDirectory()).getDirectoryHandle("doppel-machines", { create: true }));
  } catch {
    // A browser may have the functions and refuse their use.
  }
  if (!indexedDb) return undefined;
  try {
    const request = indexedDB.open("doppel-machines", 1);
    request.addEventListener("upgradeneeded", () => {
      request.result.createObjectStore("machines");
      request.result.createObjectStore("bytes");
    });
    return new DatabaseStore(await settled(request));
  } catch {
    return undefined;
  }
}
