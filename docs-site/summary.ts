/**
 * The two pictures at the top of the page of charts: what this library's operations take beside what people use today, and
 * what a map takes by the size of its file.
 *
 * @module
 */

import type { Figure, Missing } from "../bench/harness.ts";

type Measured = Figure & { readonly topic: string; readonly commit?: string };

/** The figures of `bench/results/results.json`, by runtime. */
export type Results = Readonly<Record<string, readonly (Measured | ({ readonly topic: string } & Missing))[]>>;

/** The runtimes that the pictures show. */
export const SHOWN = ["node24", "bun", "deno"];

/** A row of the first picture. A ratio is our time divided by the other's. */
export interface Headline {
  readonly what: string;
  readonly instead: string;
  readonly ratios: readonly { readonly runtime: string; readonly value: number }[];
}

/** A line of the second picture: microseconds by bytes. */
export interface Growth {
  readonly name: string;
  readonly points: readonly { readonly at: number; readonly value: number }[];
}

export interface Summary {
  readonly headlines: readonly Headline[];
  readonly growth: readonly Growth[];
  /** The commits that the figures were taken at. */
  readonly commits: readonly string[];
}

type Choice = readonly [what: string, instead: string, name: string, peer?: string];

const OPEN = "open, read a byte, close";

/** What the first picture shows: also what takes longer here. The last two name the figure in the results. */
export const CHOICES: readonly Choice[] = [
  ["lines of a log as strings, 128 MiB", "node:readline", "text lines of a log, ASCII, 128 MiB"],
  ["lines of a log as strings, 128 MiB", "readFileSync, split", "text lines of a log, ASCII, 128 MiB"],
  [
    "open 64 MiB, look at a byte in 64, close",
    "readFileSync",
    "a byte of each 64 of 64 MiB, opened and closed",
    "fs.readFileSync",
  ],
  [
    "64 bytes at random offsets, cached pages",
    "fs.readSync",
    "1000000 reads of 64 bytes by chance, 10 GiB sparse, in a view",
  ],
  [
    "64 bytes at random offsets, each page for the first time",
    "fs.readSync",
    "10000 reads of 64 bytes from pages never touched, 1 GiB, in a view",
  ],
  ["find, English text", "CPython's mmap", "find absent, English, common letters", "CPython"],
  ["regular expression with groups, 256 MiB", "CPython's re", "count of matches, fields, 256 MiB", "CPython"],
  ["matches of literal text, 128 MiB", "GNU grep -o", "count of matches, literal text, dense, 128 MiB"],
  ["matches of literal text, 128 MiB", "ripgrep -o", "count of matches, literal text, dense, 128 MiB"],
  ["lines of a log as bytes, 1 GiB", "CPython's mmap", "lines of a log, 1 GiB", "CPython"],
  ["messages of 64 bytes to a process, queue.ts", "process.send", "examples/queue.ts, messages of 64 bytes"],
  ["messages of 64 bytes to a process, queue.ts", "a Unix socket", "examples/queue.ts, messages of 64 bytes"],
  [`${OPEN}, 64 MiB`, "Bun.mmap", `${OPEN}: 64 MiB`],
  [`${OPEN}, 4 KiB`, "fs.openSync, readSync", `${OPEN}: 4 KiB`, "fs open, read, close"],
  [
    "a whole process that reads a byte",
    "readFileSync",
    "a program that maps a file and reads a byte",
    "the same by fs.readFileSync",
  ],
];

function figuresOf(results: Results, runtime: string): Measured[] {
  return (results[runtime] ?? []).filter((figure): figure is Measured => !("missing" in figure));
}

/** The figure of a choice in each runtime that has one; the fastest choices first. */
function headlinesOf(results: Results): { headlines: Headline[]; commits: string[] } {
  const commits = new Set<string>();
  const headlines = CHOICES.map(([what, instead, name, peer = instead]) => ({
    what,
    instead,
    ratios: SHOWN.flatMap((runtime) => {
      const figure = figuresOf(results, runtime).find((one) => one.name === name && one.peer === peer);
      if (figure === undefined) return [];
      commits.add(figure.commit ?? "");
      return [{ runtime, value: figure.value }];
    }),
  })).filter(({ ratios }) => ratios.length > 0);
  const middle = ({ ratios }: Headline) => ratios.reduce((sum, { value }) => sum + Math.log(value), 0) / ratios.length;
  return { headlines: headlines.sort((one, other) => middle(one) - middle(other)), commits: [...commits].sort() };
}

/** How one side's time depends on the size of the file, where both were measured. */
function growthOf(results: Results, name: string, runtime: string, peer: string, side: "ours" | "theirs"): Growth {
  const points = figuresOf(results, runtime).flatMap(({ growth, peer: other, [side]: time }) =>
    growth?.with === "bytes" && other === peer && time !== undefined ? [{ at: growth.to, value: time / 1000 }] : [],
  );
  return { name, points };
}

export function summaryOf(results: Results, labels: ReadonlyMap<string, string>): Summary {
  const growth = [
    ...SHOWN.map((runtime) => growthOf(results, `here, ${labels.get(runtime)}`, runtime, "CPython", "ours")),
    growthOf(results, "CPython's mmap", "node24", "CPython", "theirs"),
    growthOf(results, "Bun.mmap", "bun", "Bun.mmap", "theirs"),
    growthOf(results, "mmap-io, Node 20", "node20", "mmap-io", "theirs"),
    growthOf(results, "no map: fs.openSync, readSync", "node24", "fs open, read, close", "theirs"),
  ];
  return { ...headlinesOf(results), growth: growth.filter(({ points }) => points.length > 0) };
}
