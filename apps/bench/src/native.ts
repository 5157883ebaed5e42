/**
 * No machine at all: the guest's own user space on the host's kernel and processor, which is what a machine loses against. It gets a user and a
 * mount namespace of its own (unshare(1)), so that the scripts find their paths, in memory as in the guest, and need no privilege.
 */
import type { BenchEngine } from "./engines.ts";
import { spawnSync } from "node:child_process";
import process from "node:process";

// Arguments: a folder, the archive, and what stands for the end of the boot. Only the host can make device nodes: its own
// are borrowed, and its /proc, through which busybox finds itself. The shell is told that it is interactive, and then prompts on standard error.
const SCRIPT = `mkdir -p "$1" && mount -t tmpfs none "$1" && cd "$1" || exit
cpio -i < "$2" 2> /dev/null
mount -o rbind /dev dev && mount -o rbind /proc proc && echo "$3" && exec chroot . /bin/busybox env -i /bin/sh -l -i 2>&1`;

const UNSHARE = ["unshare", "--map-root-user", "--mount"];

/** The host itself, for Linux guests. */
export const native: BenchEngine = {
  name: "native",
  isHost: true,
  availability: ({ architecture, busybox }) => {
    if (busybox === undefined) return { lacks: "runs programs, not kernels" };
    if (process.platform !== "linux" || !(process.arch === "x64" || (process.arch === "ia32" && architecture === "i386")))
      return { lacks: `needs a host that is a Linux for ${architecture}` };
    const { status } = spawnSync(UNSHARE[0]!, [...UNSHARE.slice(1), "true"], { stdio: "ignore" });
    return status === 0 ? { version: "the guest's programs on the host's kernel" } : { lacks: "needs user namespaces, which this host does not give" };
  },
  command: ({ banner }, { busybox, initrd }) => [...UNSHARE, busybox!, "sh", "-c", SCRIPT, "native", `${busybox}.root`, initrd!, banner],
};
