/**
 * A root file system of one program: busybox, statically linked, with a link for each of its applets, and an `/init` that
 * mounts what a shell expects and gives it a terminal with job control.
 */
import { CpioArchive } from "./cpio.ts";

/** What goes into the archive. */
export interface InitramfsOptions {
  /** The busybox program, for the guest's processor. */
  busybox: Uint8Array;
  /** First line that the guest prints from user space. */
  banner?: string;
  /** Lines that run before the shell starts, with `/bin/sh`. */
  script?: string;
  /** Further files by absolute path. */
  files?: Readonly<Record<string, Uint8Array | string>>;
}

/** The line that shows that user space runs. */
export const BANNER = "Doppel: Linux is up; this is a root shell. Try `cat /proc/cpuinfo`; `poweroff` ends the machine.";
const DIRECTORIES = ["bin", "dev", "etc", "mnt", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "usr/bin", "usr/sbin"];
/** Used when a busybox does not show its applets. */
const USUAL_APPLETS = ["[", "ash", "awk", "cat", "cttyhack", "dmesg", "echo", "free", "grep", "init", "ls", "mount", "poweroff", "ps", "reboot", "sed", "setsid", "sh"];

/**
 * Makes the archive, uncompressed: a machine without hardware decompression boots faster so.
 * @example
 * ```ts
 * const initrd = makeInitramfs({ busybox: await readFile("busybox"), script: "uname -a" });
 * ```
 */
export function makeInitramfs(options: InitramfsOptions): Uint8Array {
  const archive = new CpioArchive();
  for (const directory of DIRECTORIES) archive.directory(directory, directory === "tmp" ? 0o1777 : 0o755);
  // The kernel opens these two before anything mounts /dev.
  archive.device("dev/console", 5, 1).device("dev/null", 1, 3, 0o666);
  archive.file("bin/busybox", options.busybox, 0o755);
  for (const applet of applets(options.busybox)) archive.link(`bin/${applet}`, "busybox");
  archive.link("sbin/init", "../bin/busybox");
  archive.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n").file("etc/group", "root:x:0:\n").file("etc/hostname", "doppel\n");
  archive.file("etc/profile", "export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=${TERM:-linux} PS1='\\w # '\ncd /root\n");
  // init gives the shell a session and a controlling terminal (cttyhack), starts it again when it ends, and serves `poweroff`.
  archive.file("etc/inittab", "::respawn:/bin/cttyhack /bin/sh -l\n::ctrlaltdel:/bin/reboot\n");
  archive.file("init", init(options.banner ?? BANNER, options.script ?? ""), 0o755);
  const made = new Set(DIRECTORIES);
  for (const [path, data] of Object.entries(options.files ?? {})) {
    const parts = path.replace(/^\/+/, "").split("/");
    for (let i = 1; i < parts.length; i++) {
      const parent = parts.slice(0, i).join("/");
      if (!made.has(parent)) archive.directory(parent);
      made.add(parent);
    }
    archive.file(path, data, 0o755);
  }
  return archive.finish();
}

function init(banner: string, script: string): string {
  return `#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts && mount -t devpts devpts /dev/pts 2>/dev/null
hostname doppel
echo
echo '${banner.replaceAll("'", `'\\''`)}'
${script}
exec /sbin/init
`;
}

/** The applet names stand in the program one after the other, the brackets first, and end with an empty one. */
function applets(busybox: Uint8Array): string[] {
  const text = Buffer.from(busybox.buffer, busybox.byteOffset, busybox.byteLength);
  const start = text.indexOf("\0[\0[[\0", 0, "latin1");
  if (start < 0) return USUAL_APPLETS;
  const end = text.indexOf("\0\0", start + 1, "latin1");
  const names = text.toString("latin1", start + 1, end).split("\0");
  return names.length > 20 && names.every((name) => /^[\w[.-]+$/.test(name)) ? names.filter((name) => name !== "busybox") : USUAL_APPLETS;
}
