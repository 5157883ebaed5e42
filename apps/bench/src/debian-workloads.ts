/**
 * The work that the Debian guest does at its shell prompt, as scripts for busybox and as programs of our own: what is prepared, what is timed, and how the answer
 * is found afterwards. The watch runs between two lines that the script prints; preparing and checking stand outside.
 */
import type { Workload } from "./workload.ts";
import { gzipSync } from "node:zlib";
import { programFiles } from "./programs/programs.ts";

/** Where the scripts and their data stand in the guest. */
export const FOLDER = "bench";
/** Lines of the corpus; with 21 bytes each it is a little over 1 MiB. */
const LINES = 50_000;
const WORDS = [
  "machine", "monitor", "kernel", "process", "segment", "page", "fault", "gate", "register", "interrupt", "timer", "device", "frame", "cache",
  "trap", "shadow",
];

interface Script {
  name: string;
  says: string;
  prepare?: string;
  work: string;
  /** Prints the answer; without it, what `work` left in `$answer`. */
  check?: string;
}

/** `scale` divides the work: 1 for the figures that are published, more for a quick look. */
function scripts(scale: number): Script[] {
  const part = (count: number): number => Math.max(1, Math.round(count / scale));
  const repeat = (count: number): string => `i=0; while [ $i -lt ${count} ]; do cat corpus; i=$((i+1)); done`;
  const size = (mebibytes: number): string => `${part(mebibytes)} MiB`;
  return [
    {
      name: "sha256sum", says: `sha256sum of ${size(8)}`,
      prepare: `${repeat(part(8))} > in`, work: "sha256sum in > out", check: "cut -c 1-64 out",
    },
    {
      name: "md5sum", says: `md5sum of ${size(32)}`,
      prepare: `${repeat(part(32))} > in`, work: "md5sum in > out", check: "cut -c 1-32 out",
    },
    {
      name: "gzip", says: `gzip -9 of ${size(4)}`,
      prepare: `${repeat(part(4))} > in`, work: "gzip -9 < in > out", check: "gunzip < out | md5sum | cut -c 1-32",
    },
    {
      name: "gunzip", says: `gunzip to ${part(4)} x 4 MiB`,
      prepare: "cat corpus.gz corpus.gz corpus.gz corpus.gz > in", work: `i=0; while [ $i -lt ${part(4)} ]; do gunzip < in > out; i=$((i+1)); done`,
      check: "md5sum out | cut -c 1-32",
    },
    {
      name: "bzip2", says: `bzip2 of ${Math.round(1024 / scale)} KiB`,
      prepare: `head -c ${Math.round(1048576 / scale)} corpus > in`, work: "bzip2 < in > out", check: "md5sum out | cut -c 1-32",
    },
    {
      name: "awk-integer", says: `awk, ${part(150_000)} rounds of integer arithmetic`,
      work: `answer=$(awk 'BEGIN { for (i = 0; i < ${part(150_000)}; i++) { s = (s * 31 + i) % 65521; t += s % 7 } print s, t }')`,
    },
    {
      // Debian's busybox has no sine or square root: dividing and multiplying is what is left.
      name: "awk-float", says: `awk, ${part(100_000)} rounds of floating point division and multiplication`,
      work: `answer=$(awk 'BEGIN { x = 0.5; for (i = 1; i <= ${part(100_000)}; i++) { x = 3.7 * x * (1 - x); s += x / (1 + i / 3.7) } printf "%.9f", s }')`,
    },
    {
      name: "sort", says: `sort of ${part(LINES)} lines`,
      prepare: `head -n ${part(LINES)} corpus > in`, work: "sort in > out", check: "md5sum out | cut -c 1-32",
    },
    {
      name: "fork-exec", says: `${part(200)} x fork and exec`,
      work: `i=0; while [ $i -lt ${part(200)} ]; do /bin/busybox true && i=$((i+1)); done; answer=$i`,
    },
    {
      name: "shell-loop", says: `${part(60_000)} rounds of shell arithmetic`,
      work: `i=0; s=0; while [ $i -lt ${part(60_000)} ]; do i=$((i+1)); s=$(((s*7+i)%9973)); done; answer=$s`,
    },
    {
      name: "dd", says: `dd of ${part(200_000)} bytes, one at a time: two system calls each`,
      work: `dd if=/dev/zero of=/dev/null bs=1 count=${part(200_000)} 2> out`, check: "sed -n 2p out",
    },
  ];
}

/** The marks differ from what the terminal echoes: the typed line has none. */
const mark = (what: string, name: string): string => `@@${what} ${name}@@`;

function text({ name, prepare, work, check }: Script): string {
  return `#!/bin/sh
cd /${FOLDER}
${prepare ?? ":"}
echo "${mark("begin", name)}"
${work}
echo "${mark("end", name)}"
${check === undefined ? "" : `answer=$(${check})`}
rm -f in out
echo "${mark("answer", name)} $answer @@"
`;
}

/** Lines of a key and words, the same in every run: sorting, compressing and hashing all have something to do. */
function corpus(): string {
  const lines: string[] = [];
  let state = 0x2545f491;
  for (let n = 0; n < LINES; n++) {
    // Marsaglia's xorshift32.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const key = (state >>> 0).toString(16).padStart(8, "0");
    lines.push(`${key} ${WORDS[state & 15]} ${WORDS[(state >>> 4) & 15]}`.padEnd(20).slice(0, 20));
  }
  return `${lines.join("\n")}\n`;
}

/** The workloads, and the files that the guest must hold for them; programs are for i386 or amd64. */
export function debianWorkloads(scale: number, bits: 32 | 64): { workloads: Workload[]; files: Record<string, Uint8Array | string> } {
  const data = corpus();
  const files: Record<string, Uint8Array | string> = {
    [`${FOLDER}/corpus`]: data,
    [`${FOLDER}/corpus.gz`]: gzipSync(data, { level: 9 }),
  };
  const programs = programFiles(bits, scale).map(({ name, says, file }): Script => {
    files[`${FOLDER}/programs/${name}`] = file;
    return { name, says, work: `./programs/${name} > out`, check: "cat out" };
  });
  const workloads = [...scripts(scale), ...programs].map((script): Workload => {
    const { name, says } = script;
    files[`${FOLDER}/${name}`] = text(script);
    const answer = new RegExp(`${mark("answer", name)} (\\S.*?) @@`);
    return { name, says, command: `/${FOLDER}/${name}`, begin: mark("begin", name), end: mark("end", name), answer };
  });
  return { workloads, files };
}
