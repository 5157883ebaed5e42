/**
 * What goes into the assembler and comes out of it: options, program, error.
 */
import { DoppelError } from "@doppel/persist";

/** A source line that cannot be assembled. */
export class AssemblyError extends DoppelError {
  /** Line in the source, from 1. */
  readonly line: number;

  constructor(line: number, message: string) {
    super("X86_ASSEMBLY", `line ${line}: ${message}`);
    this.line = line;
  }
}

/** Where and how to assemble. */
export interface AssemblyOptions {
  /** Address of the first byte; 0 by default. */
  readonly origin?: number | bigint;
  /** Code size until a `bits` directive; 32 by default. */
  readonly bits?: 16 | 32 | 64;
  /** Names with values given from outside. */
  readonly symbols?: Readonly<Record<string, number | bigint>>;
}

/** A source line that made bytes. */
export interface AssembledLine {
  /** Line in the source, from 1. */
  readonly line: number;
  /** Offset of its first byte. */
  readonly offset: number;
  /** Number of its bytes. */
  readonly length: number;
}

/** An assembled program. */
export interface AssembledProgram {
  /** The bytes, from the origin on. */
  readonly bytes: Uint8Array;
  /** Addresses of labels (a local one as `label.local`) and values of `equ` names, as numbers. */
  readonly labels: Map<string, number>;
  /** The lines that made bytes, in order. */
  readonly lines: readonly AssembledLine[];
}
