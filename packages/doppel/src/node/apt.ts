/**
 * Fetches Debian packages for any architecture with the host's apt, without root and without touching the host's own package
 * state: lists, cache and status live in a folder of ours (apt.conf(5), `Dir::State` and `Dir::Cache`).
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HostError } from "./errors.ts";

/** A package as apt resolved it. */
export interface FetchedPackage { name: string; version: string; architecture: string; file: string }

/** One line of progress, and how much of the present download is there (0 to 1) where that is known. */
export type Progress = (line: string, fraction?: number) => void;

const DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const RELEASE = "bookworm";

interface Result { status: number; stdout: string; stderr: string }

/** An apt of our own for one architecture. */
export class Apt {
  readonly #folder: string;
  readonly #architecture: string;
  readonly #progress: Progress;
  #options: string[];

  /** @param folder where lists and packages are kept. @param architecture Debian's name, such as `i386`. */
  constructor(folder: string, architecture: string, progress: Progress) {
    this.#folder = folder;
    this.#architecture = architecture;
    this.#progress = progress;
    this.#options = [
      `APT::Architecture=${architecture}`,
      `APT::Architectures=${architecture}`,
      `Dir::State::Lists=${this.#lists}`,
      `Dir::Cache=${join(folder, "apt")}`,
      "Dir::State::status=/dev/null",
      "APT::Sandbox::User=",
    ].flatMap((option) => ["-o", option]);
  }

  get #lists(): string {
    return join(this.#folder, `lists-${this.#architecture}`);
  }

  /**
   * What `look` finds in the lists of the sources that the host is set up for, or else in Debian's own, for hosts that run a relative of Debian.
   * @throws {HostError} `HOST_NO_APT` when this machine has no apt.
   */
  async find<T>(look: () => Promise<T | undefined>): Promise<T | undefined> {
    await this.#update();
    const found = await look();
    if (found !== undefined || !existsSync(DEBIAN_KEYRING)) return found;
    const sources = join(this.#folder, "debian.list");
    await writeFile(sources, `deb [signed-by=${DEBIAN_KEYRING}] http://deb.debian.org/debian ${RELEASE} main\n`);
    this.#options = [...this.#options, "-o", `Dir::Etc::sourcelist=${sources}`, "-o", "Dir::Etc::sourceparts=-"];
    await this.#update();
    return look();
  }

  /** Brings the package lists up to date. A mirror in the middle of a change makes this fail in part, so that only what then cannot be found is an error. */
  async #update(): Promise<void> {
    await mkdir(join(this.#lists, "partial"), { recursive: true });
    await mkdir(join(this.#folder, "apt/archives/partial"), { recursive: true });
    this.#progress(`reading Debian's package lists for ${this.#architecture}`);
    await this.#run("apt-get", ["update"]);
  }

  /** The package that a meta package stands for: its first dependency that matches, or nothing. */
  async resolve(meta: string, pattern: RegExp): Promise<string | undefined> {
    const { stdout } = await this.#run("apt-cache", ["depends", meta]);
    return [...stdout.matchAll(/Depends: (\S+)/g)].map((match) => match[1]!).find((dependency) => pattern.test(dependency));
  }

  /** A package and all that it depends on, as apt would install them where nothing is installed, or nothing when the lists do not know it. */
  async closure(name: string): Promise<string[] | undefined> {
    const { status, stdout } = await this.#run("apt-get", ["install", "--simulate", "--no-install-recommends", name]);
    return status === 0 ? [...stdout.matchAll(/^Inst (\S+)/gm)].map((match) => match[1]!) : undefined;
  }

  /** Whether the lists know a package. */
  async knows(name: string): Promise<boolean> {
    return (await this.#run("apt-cache", ["show", name])).status === 0;
  }

  /**
   * Downloads a package; apt itself checks it against the signed lists.
   * @throws {HostError} `HOST_DOWNLOAD` when it does not arrive.
   */
  async download(name: string): Promise<FetchedPackage> {
    const into = join(this.#folder, "packages");
    await mkdir(into, { recursive: true });
    const show = (await this.#run("apt-cache", ["show", "--no-all-versions", name])).stdout;
    const field = (key: string): string => new RegExp(`^${key}: (.*)$`, "m").exec(show)?.[1] ?? "";
    const size = Number(field("Size"));
    // With its architecture: the same package of another one may stand beside it.
    const own = `${name}_${field("Version").replaceAll(":", "%3a")}_${field("Architecture")}.deb`;
    const line = `fetching ${name} ${field("Version")} (${(size / 1e6).toFixed(1)} MB)`;
    this.#progress(line, 0);
    const find = async (): Promise<string | undefined> => (await readdir(into)).find((file) => file === own);
    const timer = setInterval(() => {
      void find()
        .then(async (file) => file && this.#progress(line, Math.min((await stat(join(into, file))).size / size, 1)))
        .catch(() => {});
    }, 250);
    await this.downloadInto(into, [name]).finally(() => clearInterval(timer));
    const file = await find();
    if (file === undefined) throw new HostError("HOST_DOWNLOAD", `apt downloaded ${name} under a name that is not the package's.`);
    this.#progress(line, 1);
    return { name, version: field("Version"), architecture: field("Architecture"), file: join(into, file) };
  }

  /**
   * Downloads packages into a folder, all in one visit.
   * @throws {HostError} `HOST_DOWNLOAD` when one does not arrive.
   */
  async downloadInto(folder: string, names: readonly string[]): Promise<void> {
    const { status, stderr } = await this.#run("apt-get", ["download", ...names], folder);
    if (status !== 0) throw new HostError("HOST_DOWNLOAD", `apt could not download ${names.join(", ")}: ${lastError(stderr)}`);
  }

  #run(command: string, args: readonly string[], cwd = this.#folder): Promise<Result> {
    return new Promise((resolve, reject) => {
      const env = { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
      const child = spawn(command, [...this.#options, ...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
      let stdout = "";
      let stderr = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
      child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
      child.on("error", (error) =>
        reject(new HostError("HOST_NO_APT", `This machine has no ${command}, which fetches Debian's packages.`, { cause: error })));
      child.on("close", (status) => resolve({ status: status ?? 1, stdout, stderr }));
    });
  }
}

function lastError(stderr: string): string {
  const errors = stderr.split("\n").filter((line) => line.startsWith("E: "));
  return errors.at(-1)?.slice(3) ?? "it gave no reason; is there a network?";
}
