/**
 * Builds a WebAssembly module (core specification, section 5.5): types, imports, functions, one exported or imported
 * memory and table, and the branch-hint custom section. Imports and functions may be added in any order.
 */
import { Bytes } from "./bytes.ts";
import { DEFINED, FunctionBuilder, type Signature } from "./function-builder.ts";
import { VALUE_TYPE, type ValueType } from "./opcodes.ts";

const SECTION = { custom: 0, type: 1, import: 2, function: 3, export: 7, code: 10 } as const;

/** Collects the parts of a module and encodes them. */
export class ModuleBuilder {
  private readonly types: string[] = [];
  private readonly typeBytes = new Bytes();
  private readonly imports = new Bytes();
  private importCount = 0;
  private importedFunctions = 0;
  private readonly functions: FunctionBuilder[] = [];
  private readonly exports: { name: string; index: number }[] = [];

  /** Index of a function type, added once. */
  type(signature: Signature): number {
    const key = `${signature.parameters.join()}:${signature.results.join()}`;
    const known = this.types.indexOf(key);
    if (known >= 0) return known;
    this.types.push(key);
    this.typeBytes.u8(0x60);
    for (const list of [signature.parameters, signature.results]) {
      this.typeBytes.u32(list.length);
      for (const type of list) this.typeBytes.u8(VALUE_TYPE[type]);
    }
    return this.types.length - 1;
  }

  private importHead(module: string, name: string): void {
    this.importCount++;
    this.imports.name(module);
    this.imports.name(name);
  }

  /** Imports a function and returns its index. */
  importFunction(module: string, name: string, signature: Signature): number {
    const type = this.type(signature);
    this.importHead(module, name);
    this.imports.u8(0x00);
    this.imports.u32(type);
    return this.importedFunctions++;
  }

  /** Imports a 32-bit memory of at least so many pages of 64 KiB. */
  importMemory(module: string, name: string, minimumPages: number): void {
    this.importHead(module, name);
    this.imports.u8(0x02);
    this.imports.u8(0x00);
    this.imports.u32(minimumPages);
  }

  /** Imports a table of function references. */
  importTable(module: string, name: string, minimum: number): void {
    this.importHead(module, name);
    this.imports.u8(0x01);
    this.imports.u8(0x70);
    this.imports.u8(0x00);
    this.imports.u32(minimum);
  }

  /** Imports an immutable global. */
  importGlobal(module: string, name: string, type: ValueType): void {
    this.importHead(module, name);
    this.imports.u8(0x03);
    this.imports.u8(VALUE_TYPE[type]);
    this.imports.u8(0x00);
  }

  /** Adds a function, exported when a name is given, and returns its builder and index. */
  function(signature: Signature, exportName?: string): { builder: FunctionBuilder; index: number } {
    const builder = new FunctionBuilder(signature);
    const index = DEFINED + this.functions.push(builder) - 1;
    if (exportName !== undefined) this.export(exportName, index);
    return { builder, index };
  }

  /** Exports a function by its index. */
  export(name: string, index: number): void {
    this.exports.push({ name, index });
  }

  /**
   * The module in binary form.
   * @param names with the names for people, in a name section (core specification, appendix "Custom Sections")
   */
  encode(names = false): Uint8Array<ArrayBuffer> {
    const declarations = new Bytes();
    const code = new Bytes();
    const hintSection = new Bytes();
    let hinted = 0;
    declarations.u32(this.functions.length);
    code.u32(this.functions.length);
    for (const [i, builder] of this.functions.entries()) {
      declarations.u32(this.type(builder.signature));
      const { body, hints } = builder.finish(this.importedFunctions);
      code.sized(body);
      if (hints.length === 0) continue;
      hinted++;
      hintSection.u32(this.importedFunctions + i);
      hintSection.u32(hints.length);
      for (const hint of hints) {
        hintSection.u32(hint.offset);
        hintSection.u8(1);
        hintSection.u8(hint.taken ? 1 : 0);
      }
    }
    const out = new Bytes();
    out.append(new Uint8Array([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]));
    const section = (id: number, count: number | undefined, content: Bytes): void => {
      const bytes = new Bytes();
      if (count !== undefined) bytes.u32(count);
      bytes.append(content.take());
      out.u8(id);
      out.sized(bytes);
    };
    section(SECTION.type, this.types.length, this.typeBytes);
    if (this.importCount > 0) section(SECTION.import, this.importCount, this.imports);
    section(SECTION.function, undefined, declarations);
    const exported = new Bytes();
    for (const { name, index } of this.exports) {
      exported.name(name);
      exported.u8(0x00);
      exported.u32(index < DEFINED ? index : this.importedFunctions + index - DEFINED);
    }
    section(SECTION.export, this.exports.length, exported);
    if (hinted > 0) {
      const custom = new Bytes();
      custom.name("metadata.code.branch_hint");
      custom.u32(hinted);
      custom.append(hintSection.take());
      section(SECTION.custom, undefined, custom);
    }
    section(SECTION.code, undefined, code);
    if (names) section(SECTION.custom, undefined, this.nameSection());
    return out.take();
  }

  private nameSection(): Bytes {
    const all = this.functions.map(({ name, localNames }, n) => ({ name, localNames, index: this.importedFunctions + n }));
    const out = new Bytes();
    out.name("name");
    const part = (id: number, count: number, content: Bytes): void => {
      const bytes = new Bytes();
      bytes.u32(count);
      bytes.append(content.take());
      out.u8(id);
      out.sized(bytes);
    };
    const named = all.filter(({ name }) => name !== undefined);
    const functions = new Bytes();
    for (const { index, name } of named) {
      functions.u32(index);
      functions.name(name!);
    }
    part(1, named.length, functions);
    const withLocals = all.filter(({ localNames }) => localNames.size > 0);
    const locals = new Bytes();
    for (const { index, localNames } of withLocals) {
      locals.u32(index);
      locals.u32(localNames.size);
      for (const [local, name] of [...localNames].sort(([a], [b]) => a - b)) {
        locals.u32(local);
        locals.name(name);
      }
    }
    part(2, withLocals.length, locals);
    return out;
  }
}
