/** The guests that can be measured: Debian's kernel with busybox, and our own kernels, which need no network. */
import type { Progress } from "doppel/node";
import type { GuestName } from "./options.ts";
import type { BenchGuest } from "./workload.ts";
import { BANNER, cacheFolder, getGuest, makeInitramfs } from "doppel/node";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { embeddedGuest } from "@doppel/guests";
import { debianWorkloads } from "./debian-workloads.ts";
import { microGuest } from "./micro/kernels.ts";

/** One of Debian 12's kernels with busybox and the benchmark's scripts. `scale` divides the work. */
export async function debianGuest(name: string, scale: number, progress: Progress): Promise<BenchGuest> {
  const guest = await getGuest(name, progress);
  if (guest.boot.kind !== "linux") throw new Error(`${name} is no Linux`);
  const busybox = await readFile(join(cacheFolder(), "guests", name, "busybox"));
  const { workloads, files } = debianWorkloads(scale, guest.recipe.architecture === "amd64" ? 64 : 32);
  return {
    name, architecture: guest.recipe.architecture,
    versions: Object.fromEntries(guest.packages.map(({ name, version }) => [name, version])),
    kernel: guest.boot.kernel, protocol: "linux", append: guest.boot.append,
    initrd: makeInitramfs({ busybox, files }), busybox,
    memory: 256, banner: BANNER, prompt: "# ", workloads,
  };
}

/** Our own kernel and its two commands that compute. */
function ownGuest(scale: number): BenchGuest {
  const { image, prompt } = embeddedGuest();
  const sum = Math.round(20_000_000 / scale);
  const primes = Math.round(100_000 / scale);
  return {
    name: "embedded", architecture: "i386", versions: {}, kernel: image, protocol: "multiboot", memory: 16, banner: prompt, prompt,
    workloads: [
      { name: "sum", says: `sum of 1 to ${sum}`, command: `sum ${sum}`, answer: /\n(\d+)\r?\n/ },
      { name: "primes", says: `primes up to ${primes}`, command: `primes ${primes}`, answer: /\n(\d+)\r?\n/ },
    ],
  };
}

/** The guest of a name. `scale` divides the work. */
export async function benchGuest(name: GuestName, scale: number, progress: Progress): Promise<BenchGuest> {
  switch (name) {
    case "embedded": return ownGuest(scale);
    case "micro": return microGuest(32, scale);
    case "micro-64": return microGuest(64, scale);
    default: return debianGuest(name, scale, progress);
  }
}
