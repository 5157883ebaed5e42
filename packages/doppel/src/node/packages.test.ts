// Expectations: deb(5) for the package's form; the data members were made by GNU tar, xz and zlib.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { HostError } from "./index.ts";
import { whileNoOtherFetches } from "./cache.ts";
import { Apt } from "./apt.ts";
import { dataMember } from "./debian-package.ts";
import { cacheFolder, extractFromDeb, findRecipe, getGuest, getProgram, isCached, readInput, recipes, sha256, writeOutput } from "./index.ts";

/** An archive with boot/vmlinuz-1, which says "hello from xz". */
const XZ = "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4Cf/AIZdABcLyMfqmSTcUnKv46bKZHONS5U0ZKv9U277VZZDnqr6vJ3M9hoimfDeQ+WTZekkN+75oisQGDtByfwdR5XC8fgHK85N/+wjfWUaVSPfg+937ATjzYKMEIa7ujJZT71eSP5HlDeASyC6G2KaFv2Oawz6iGuK/eZ9aD/rHcsxJZL007UsiUgAAAAA5mLpS6dSm6gAAaIBgFAAAAPVBCuxxGf7AgAAAAAEWVo=";

function deb(...members: [string, Uint8Array][]): Uint8Array {
  const parts = [Buffer.from("!<arch>\n")];
  for (const [name, data] of members) {
    parts.push(Buffer.from(`${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${String(data.length).padEnd(10)}\x60\n`), Buffer.from(data));
    if (data.length % 2) parts.push(Buffer.from("\n"));
  }
  return Buffer.concat(parts);
}
const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => "none", (error: unknown) => (error as HostError).code);

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "doppel-node-"));
  vi.stubEnv("DOPPEL_CACHE", folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});
const write = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};

describe("Debian packages", () => {
  const xz = Buffer.from(XZ, "base64");
  const version: [string, Uint8Array] = ["debian-binary", Buffer.from("2.0\n")];
  it("are unpacked without dpkg, whether data.tar is compressed by xz, by gzip or not at all", async () => {
    const tar = await buffer(dataMember(deb(version, ["data.tar.xz", xz]), "x"));
    for (const [name, data] of [["data.tar.xz", xz], ["data.tar.gz", gzipSync(tar)], ["data.tar/", tar]] as [string, Uint8Array][]) {
      const file = write("a.deb", deb(version, ["control.tar.gz", Buffer.from("odd")], [name, data]));
      const { kernel } = await extractFromDeb(file, { kernel: /^boot\/vmlinuz-/ }, { dpkg: false });
      expect(Buffer.from(kernel!).toString()).toBe("hello from xz\n");
    }
    expect(gunzipSync(gzipSync(tar))).toEqual(tar);
  });
  it.each([
    ["no archive", Buffer.from("something else entirely, long enough to look at, and then some more of it to be sure")],
    ["no data member", deb(version)],
    ["an unknown compression", deb(version, ["data.tar.zoo", xz])],
    ["a truncated member", deb(version, ["data.tar.xz", xz]).subarray(0, -20)],
    ["broken compression", deb(version, ["data.tar.xz", Buffer.from(xz).fill(0x55, 30, 80)])],
    ["nothing that was wanted", deb(version, ["data.tar.xz", xz])],
  ])("with %s are refused", async (_, bytes) => {
    expect(await codeOf(extractFromDeb(write("b.deb", bytes), { absent: /^usr\/absent$/ }, { dpkg: false }))).toBe("HOST_BAD_PACKAGE");
  });
});

it.runIf(process.platform === "linux")("a package is the one of the guest's architecture, also beside that of another", async () => {
  // An apt of two scripts.
  const bin = join(folder, "bin");
  mkdirSync(bin);
  const script = (name: string, text: string): void => writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  script("apt-cache", "echo 'Version: 1:2'; echo 'Architecture: i386'; echo 'Size: 3'");
  script("apt-get", "echo 386 > busybox_1%3a2_i386.deb");
  mkdirSync(join(folder, "packages"));
  writeFileSync(join(folder, "packages/busybox_1%3a2_amd64.deb"), "64");
  vi.stubEnv("PATH", bin);
  expect((await new Apt(folder, "i386", () => {}).download("busybox")).file).toBe(join(folder, "packages/busybox_1%3a2_i386.deb"));
});

describe("guests", () => {
  const install = async (): Promise<string> => {
    const guest = join(folder, "guests/seabios");
    mkdirSync(guest, { recursive: true });
    const bios = Buffer.from("bios");
    writeFileSync(join(guest, "bios"), bios);
    writeFileSync(join(guest, "manifest.json"), JSON.stringify({
      guest: "seabios", packages: [{ name: "seabios", version: "1", architecture: "all", sha256: "0" }], files: { bios: await sha256(bios) },
    }));
    return join(guest, "bios");
  };
  it("come from the cache without a network once they are there", async () => {
    vi.stubEnv("PATH", "");
    await install();
    expect(cacheFolder()).toBe(folder);
    expect(isCached(findRecipe("seabios"))).toBe(true);
    const guest = await getGuest("seabios", () => expect.unreachable());
    expect(guest.boot).toMatchObject({ kind: "bios" });
    expect(guest.packages[0]!.version).toBe("1");
  });
  it("know how Xen starts: unpacked, with Debian's kernel and a RAM disk as modules, each with a name in front", () => {
    const { boot, architecture } = findRecipe("xen-4.17");
    const made = boot({ xen: gzipSync("hypervisor"), kernel: Buffer.from("kernel"), busybox: Buffer.from("busybox") });
    if (made.kind !== "multiboot") throw new Error("Xen starts by multiboot");
    expect([architecture, Buffer.from(made.image).toString(), made.append.split(" ")[0]]).toEqual(["amd64", "hypervisor", "xen"]);
    expect(made.modules.map(({ args }) => args)).toEqual(["vmlinuz console=hvc0", "initrd"]);
    expect(Buffer.from(made.modules[0]!.data).toString()).toBe("kernel");
  });
  it("are for one architecture each, and have names of their own", () => {
    expect(new Set(recipes.map(({ name }) => name)).size).toBe(recipes.length);
    expect(recipes.filter(({ architecture }) => architecture === "amd64").map(({ name }) => name))
      .toEqual(["debian-12-amd64", "debian-12-installer-amd64", "memtest86+x64", "xen-4.17"]);
  });
  it("are refused when a cached file has changed", async () => {
    writeFileSync(await install(), "another");
    expect(await codeOf(getGuest("seabios", () => {}))).toBe("HOST_HASH_MISMATCH");
  });
  it("need apt to be fetched, and a name that is known", async () => {
    vi.stubEnv("PATH", "");
    expect(await codeOf(getGuest("seabios", () => {}))).toBe("HOST_NO_APT");
    expect(await codeOf(getGuest("windows", () => {}))).toBe("HOST_UNKNOWN_GUEST");
  });
});

describe("programs", () => {
  const TRIPLE = "lib/x86_64-linux-gnu";
  it("are started from the cache by their own loader, with their own libraries", async () => {
    vi.stubEnv("PATH", "");
    const root = join(folder, "programs/gdb-minimal");
    mkdirSync(join(root, "usr", TRIPLE), { recursive: true });
    writeFileSync(join(root, "usr", TRIPLE, "ld-linux-x86-64.so.2"), "");
    expect(await getProgram("gdb-minimal", "usr/bin/gdb", () => expect.unreachable())).toEqual([
      join(root, "usr", TRIPLE, "ld-linux-x86-64.so.2"), "--library-path", `${join(root, TRIPLE)}:${join(root, "usr", TRIPLE)}`, join(root, "usr/bin/gdb"),
    ]);
  });
  it("need apt to be fetched", async () => {
    vi.stubEnv("PATH", "");
    expect(await codeOf(getProgram("gdb-minimal", "usr/bin/gdb", () => {}))).toBe("HOST_NO_APT");
  });
});

it.runIf(process.platform === "linux")("one fetches after the other, also when the first one failed", async () => {
  const order: string[] = [];
  const first = whileNoOtherFetches(async () => {
    order.push("first");
    await new Promise((resolve) => setTimeout(resolve, 300));
    order.push("its end");
    throw new Error("no network");
  });
  await Promise.all([expect(first).rejects.toThrow("no network"), whileNoOtherFetches(async () => void order.push("second"))]);
  expect(order).toEqual(["first", "its end", "second"]);
});

describe("files", () => {
  it("are read and written with sentences", async () => {
    await writeOutput(join(folder, "out"), "state", Uint8Array.of(7));
    expect([...(await readInput(join(folder, "out"), "state"))]).toEqual([7]);
    await expect(readInput(join(folder, "absent"), "kernel")).rejects.toThrow(/^The kernel .*absent cannot be read: there is no such file\.$/);
    await expect(writeOutput(join(folder, "no/such"), "state", Uint8Array.of())).rejects.toThrow(/cannot be written/);
  });
});
