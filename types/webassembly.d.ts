/**
 * The part of the WebAssembly JavaScript Interface (W3C, "WebAssembly JavaScript Interface", 2.0) that Doppel uses.
 * Neither the ECMAScript library nor Node's types declare it, and the DOM library would bring a whole browser with it.
 */
declare namespace WebAssembly {
  type ValueType = "i32" | "i64" | "f32" | "f64" | "v128" | "funcref" | "externref" | "anyfunc";
  type ImportExportKind = "function" | "table" | "memory" | "global" | "tag";
  type ExportValue = ((...args: never[]) => unknown) | Global | Memory | Table;
  /** Any host function, memory, table, global or number that a module may import. */
  type ImportValue = unknown;
  type Exports = Record<string, ExportValue>;
  type ModuleImports = Record<string, ImportValue>;
  type Imports = Record<string, ModuleImports>;

  interface ModuleExportDescriptor { name: string; kind: ImportExportKind }
  interface ModuleImportDescriptor { module: string; name: string; kind: ImportExportKind }

  class Module {
    constructor(bytes: ArrayBufferView<ArrayBufferLike> | ArrayBufferLike);
    static exports(module: Module): ModuleExportDescriptor[];
    static imports(module: Module): ModuleImportDescriptor[];
    static customSections(module: Module, name: string): ArrayBuffer[];
  }

  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Exports;
  }

  interface MemoryDescriptor { initial: number; maximum?: number; shared?: boolean }
  class Memory {
    constructor(descriptor: MemoryDescriptor);
    readonly buffer: ArrayBuffer;
    /** Grows by `pages` of 64 KiB, detaches `buffer`, and returns the size before in pages. */
    grow(pages: number): number;
  }

  interface TableDescriptor { element: "anyfunc" | "funcref" | "externref"; initial: number; maximum?: number }
  class Table {
    constructor(descriptor: TableDescriptor, value?: unknown);
    readonly length: number;
    // The functions of a table carry whatever signature their module gave them; only the caller knows it.
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    get(index: number): any;
    set(index: number, value?: unknown): void;
    grow(entries: number, value?: unknown): number;
  }

  interface GlobalDescriptor { value: ValueType; mutable?: boolean }
  class Global<T = number> {
    constructor(descriptor: GlobalDescriptor, value?: T);
    value: T;
    valueOf(): T;
  }

  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}

  interface WebAssemblyInstantiatedSource { instance: Instance; module: Module }

  function validate(bytes: ArrayBufferView<ArrayBufferLike> | ArrayBufferLike): boolean;
  function compile(bytes: ArrayBufferView<ArrayBufferLike> | ArrayBufferLike): Promise<Module>;
  function instantiate(module: Module, imports?: Imports): Promise<Instance>;
  function instantiate(
    bytes: ArrayBufferView<ArrayBufferLike> | ArrayBufferLike, imports?: Imports,
  ): Promise<WebAssemblyInstantiatedSource>;
}
