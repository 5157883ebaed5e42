/** A guest that the server has, as `guests/index.json` lists it. */
export interface GuestEntry {
  readonly name: string;
  /** One line on what it is. */
  readonly says: string;
  readonly architecture: "i386" | "amd64";
  /** Bytes of memory that it is usually given. */
  readonly memory: number;
  readonly kind: "linux" | "multiboot" | "bios";
  /** The kernel's command line. */
  readonly append: string;
  /** Its files, each at `guests/NAME/FILE`. */
  readonly files: readonly string[];
  /** Command lines of the files `module0`, `module1`... */
  readonly moduleArguments: readonly string[];
}
