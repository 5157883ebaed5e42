/** What is to be booted, with all its files: enough to start it again. */
import { type BrowserFeatures, fetchBytes, type FetchProgress, type VmOptions } from "doppel/browser";
import type { GuestEntry } from "./guest-entry.ts";
import { guestTitle } from "./guest-title.ts";
import type { LinkOptions } from "./link.ts";

/** A machine to make. */
export interface Plan {
  readonly title: string;
  readonly options: VmOptions;
  /** The link that makes the same; undefined where files of the visitor's are in it. */
  readonly link?: LinkOptions;
  /** What its console said before it was saved. */
  readonly tail?: string;
}

const MIB = 1 << 20;
/** The guest that needs no file. */
export const EMBEDDED: GuestEntry = {
  name: "embedded", says: "A small 32-bit kernel of Doppel's own: a prompt on the serial line and the screen. Boots at once.",
  architecture: "i386", memory: 16 * MIB, kind: "multiboot", append: "", files: [], moduleArguments: [],
};

/** The guests that this server has beside the embedded one; none where it has no list. */
export async function fetchGuests(): Promise<GuestEntry[]> {
  try {
    const response = await fetch("guests/index.json");
    const list: unknown = response.ok ? await response.json() : [];
    return Array.isArray(list) ? (list as GuestEntry[]) : [];
  } catch {
    return [];
  }
}

/** What all machines of this page have in common. */
export function common(link: LinkOptions, features: BrowserFeatures): Pick<VmOptions, "engine" | "features" | "noReboot" | "memory" | "cpus" | "cpu"> {
  const { tailCalls, simd } = features;
  return {
    engine: "auto", noReboot: true, features: { tailCalls, simd }, ...(link.memory === undefined ? {} : { memory: link.memory }),
    ...(link.cpus === undefined ? {} : { cpus: link.cpus }), ...(link.cpu === undefined ? {} : { cpu: link.cpu as NonNullable<VmOptions["cpu"]> }),
  };
}

/**
 * Loads a guest's files.
 * @throws {FetchError} when one cannot be had
 */
export async function planGuest(guest: GuestEntry, link: LinkOptions, features: BrowserFeatures, progress: FetchProgress): Promise<Plan> {
  const shared = { ...common(link, features), memory: link.memory ?? guest.memory };
  const title = guestTitle(guest.name);
  if (guest.name === EMBEDDED.name) return { title, link, options: { ...shared, guest: "embedded" } };
  const files = new Map<string, Uint8Array>();
  for (const file of guest.files) files.set(file, await fetchBytes(`guests/${encodeURIComponent(guest.name)}/${file}`, `${file} of ${guest.name}`, progress));
  const append = link.cmdline ?? guest.append;
  const initrd = files.get("initrd");
  const vgaBios = files.get("vgaBios");
  const boot: Partial<VmOptions> = guest.kind === "linux" ? { kernel: { kernel: files.get("kernel")!, append, ...(initrd ? { initrd } : {}) } }
    : guest.kind === "bios" ? { bios: files.get("bios")!, ...(vgaBios ? { vgaBios } : {}) }
      : { multiboot: { image: files.get("image")!, append, modules: guest.moduleArguments.map((args, n) => ({ data: files.get(`module${n}`)!, args })) } };
  // A 32-bit system finds a 32-bit processor, as on the command line; without SIMD, the machine chooses.
  const cpu = guest.architecture === "i386" && features.simd && shared.cpu === undefined ? { cpu: "i686" as const } : {};
  return { title, link, options: { ...shared, ...cpu, ...boot } };
}
