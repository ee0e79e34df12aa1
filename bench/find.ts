/**
 * Searching for bytes: `find` and `rfind`, against CPython's and libc's own.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import process from "node:process";
import { MMap } from "../lib/mod.ts";
import { type Data, GiB, type Kind, MiB } from "./data.ts";
import { type Bench, here, type Peer } from "./harness.ts";
import { index, libc, mapped } from "./libc.ts";
import { literal, python } from "./python.ts";

/** The case that is as fast as the memory: the needle has a byte that does not occur in the text. */
const RARE = "absent, English, a rare letter";

/** What is searched for in which text: 10 bytes unless the name says otherwise. None of it occurs. */
const CASES: [name: string, kind: Kind, needle: (size: number) => string | Uint8Array][] = [
  [RARE, "text", () => "zebra\x01quux"],
  ["absent, random bytes", "random", () => "\0needle\xff\0!"],
  ["absent, English, common letters", "text", () => "ethatinone"],
  ["absent, source code", "source", () => "returconst"],
  ["absent, a log", "log", () => " INFO WARN"],
  ["16 bytes, absent, DNA", "dna", () => "ACGTTGCAACGTNGCA"],
  ["1 byte, absent, English", "text", () => "\x01"],
  ["A…AB (1,000 bytes) in A's", "same", () => `${"A".repeat(999)}B`],
  ["BA…A (1,000 bytes) in A's", "same", () => `B${"A".repeat(999)}`],
  ["periodic (AAAB × 250) in A's", "same", () => "AAAB".repeat(250)],
  ["half of the file, B at its end, in A's", "same", (size) => Buffer.alloc(size / 2, "A").fill("B", size / 2 - 1)],
];

/** The peers of a search in a file. From the end, libc can search only for a byte. */
function peers(path: string, needle: Uint8Array, method: "find" | "rfind", rare: boolean): Peer[] {
  const { address, length } = mapped(path);
  // A long needle is A's like its file, and one other byte.
  const given =
    needle.length <= 4096 ? literal(needle) : `b"A" * ${needle.length - 1} + ${literal(needle.subarray(-1))}`;
  const all = [python(`m = map_file(${JSON.stringify(path)}); n = ${given}`, `m.${method}(n)`, rare ? 0.25 : 1)];
  const byte = rare ? 1 : (needle[0] as number);
  if (needle.length === 1 || rare) {
    const search = method === "find" ? libc.memchr : libc.memrchr;
    all.push({
      name: `libc mem${method === "find" ? "" : "r"}chr`,
      target: rare ? 1.43 : 1.1,
      time: here(() => index(address, search(address, byte, length))),
    });
  } else if (method === "find") {
    const search = () => index(address, libc.memmem(address, length, needle, needle.length));
    all.push({ name: "libc memmem", target: 1.1, time: here(search) });
  }
  return all;
}

/** Searches a sparse file. `once`: in one round, because reading it takes long. */
async function sparse(bench: Bench, data: Data, size: number, title: string, once: boolean): Promise<void> {
  const path = data.sparse(size);
  using mm = MMap.open(path);
  const needle = Buffer.from("0123456789");
  const before = anonymousMemory();
  let most = 0;
  const run = () => {
    const found = mm.find(needle);
    most = Math.max(most, anonymousMemory() - before);
    return found;
  };
  const name = `find absent, ${title}`;
  await bench.compare(name, here(run), peers(path, needle, "find", false).slice(0, 1), { long: true, once });
  bench.tell(`${name}: anonymous memory`, most / MiB, "MiB", 16);
}

/** The anonymous memory of this process, in bytes. */
function anonymousMemory(): number {
  const status = process.platform === "linux" ? readFileSync("/proc/self/status", "latin1") : "";
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

export default async function (bench: Bench, data: Data): Promise<void> {
  const size = bench.quick ? MiB : 64 * MiB;
  for (const method of ["find", "rfind"] as const) {
    for (const [name, kind, make] of CASES) {
      const path = data.file(kind, size);
      const needle = Buffer.from(make(size) as string, "latin1");
      using mm = MMap.open(path);
      if (mm.find(needle) !== -1) throw new Error(`${name}: it is there`);
      await bench.compare(
        `${method} ${name}`,
        here(() => mm[method](needle)),
        peers(path, needle, method, name === RARE),
        { long: kind === "same" && !bench.quick },
      );
    }
  }
  const unit = bench.quick ? MiB : GiB;
  await sparse(bench, data, 16 * unit, `16 ${bench.quick ? "MiB" : "GiB"} sparse`, false);
  // A third more than the machine has, so that each page that is read evicts another one.
  const most = bench.quick ? 32 * MiB : Math.ceil((totalmem() * 1.34) / GiB) * GiB;
  await sparse(bench, data, most, "sparse, a third larger than memory", true);
}
