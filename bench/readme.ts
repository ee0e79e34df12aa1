/**
 * The tables of figures in bench/README.md and in the project's README: the rows that most readers look for, out of all
 * that a whole run has measured.
 *
 * @module
 */

import type { Figure } from "./harness.ts";
import type { Outcome, Results } from "./report.ts";

/** A row: what the tables call it and what it is compared with, and the figure's name and peer in the results. */
type Row = [what: string, against: string, name: string, peer?: string];

const RANDOM = "1000000 reads of 64 bytes by chance, 10 GiB sparse";
const IMPORT = "a program that imports the library";
const MAP = "a program that maps a file and reads a byte";

const FIRST = "10000 reads of 64 bytes from pages never touched, 1 GiB";

/** The logs whose lines are read as text. */
const TEXT = [
  { letters: "ASCII", log: "a log, ASCII, 128 MiB" },
  { letters: "non-ASCII", log: "a log, with other letters, 128 MiB" },
];

const ROWS: readonly Row[] = [
  ["open, read, close, 4 KiB", "CPython", "open, read a byte, close: 4 KiB", "CPython"],
  ["… with an `await` in between", "without it", "open, await, read a byte, close: 4 KiB", "without the await"],
  ["… 1 TiB", "CPython", "open, read a byte, close: 1 TiB", "CPython"],
  ["… 1 TiB", "4 KiB", "open, read a byte, close: 1 TiB", "the same of 4 KiB"],
  ["… 64 MiB", "mmap-io", "open, read a byte, close: 64 MiB", "mmap-io"],
  ["… 64 MiB", "`Bun.mmap`", "open, read a byte, close: 64 MiB", "Bun.mmap"],
  ["`find`, a rare letter", "libc `memchr`", "find absent, English, a rare letter", "libc memchr"],
  ["`find`, a rare letter", "CPython", "find absent, English, a rare letter", "CPython"],
  ["`find`, common letters", "CPython", "find absent, English, common letters", "CPython"],
  ["`find`, source code", "CPython", "find absent, source code", "CPython"],
  ["`find`, a log", "CPython", "find absent, a log", "CPython"],
  ["`find`, random bytes", "CPython", "find absent, random bytes", "CPython"],
  ["`find`, 16 bytes, DNA", "CPython", "find 16 bytes, absent, DNA", "CPython"],
  ["`find`, A…AB in A's", "CPython", "find A…AB (1,000 bytes) in A's", "CPython"],
  ["`find`, one byte", "CPython", "find 1 byte, absent, English", "CPython"],
  ["`rfind`, common letters", "CPython", "rfind absent, English, common letters", "CPython"],
  ["`rfind`, A…AB in A's", "CPython", "rfind A…AB (1,000 bytes) in A's", "CPython"],
  ["`find`, 16 GiB sparse", "CPython", "find absent, 16 GiB sparse", "CPython"],
  ["`find`, 4/3 of memory", "CPython", "find absent, sparse, a third larger than memory", "CPython"],
  ["`lines()`, a log of 1 GiB", "CPython", "lines of a log, 1 GiB", "CPython"],
  ...TEXT.flatMap(({ letters, log }): Row[] => [
    [`\`textLines()\`, ${letters}`, "node:readline", `text lines of ${log}`, "node:readline"],
    [`\`textLines()\`, ${letters}`, "read, `split`", `text lines of ${log}`, "readFileSync, split"],
    [`\`textLines()\`, ${letters}`, "`lines()`", `text lines of ${log}`, "lines() and TextDecoder"],
    [`\`lines()\`, decoded, ${letters}`, "node:readline", `lines() and TextDecoder of ${log}`, "node:readline"],
  ]),
  ["`matchAll`, one of two words", "CPython's `re`", "count of matches, levels, 256 MiB", "CPython"],
  ["`matchAll`, three groups", "CPython's `re`", "count of matches, fields, 256 MiB", "CPython"],
  ["`matchAll`, a rare match", "CPython's `re`", "count of matches, rare, 256 MiB", "CPython"],
  ...["dense", "absent"].flatMap((how): Row[] => {
    const name = `count of matches, literal text, ${how}, 128 MiB`;
    return [
      [`\`matchAll\`, literal, ${how}`, "a `find` loop", name, "a loop of find()"],
      [`\`matchAll\`, literal, ${how}`, "`rg -o`", name, "ripgrep -o"],
      [`\`matchAll\`, literal, ${how}`, "`grep -o`", name, "GNU grep -o"],
    ];
  }),
  ["loop over `bytes`", "a plain array", "loop over bytes", "a plain array"],
  ["loop over a `Float64Array`", "a plain array", "loop over view(Float64Array)", "a plain array"],
  ["`move` of 32 MiB", "libc `memmove`", "move of 32 MiB, apart", "libc memmove"],
  ["`read(64)`", "libc `memcpy`", "read(64 bytes)", "libc memcpy into a new Uint8Array"],
  ["`read(4096)`", "libc `memcpy`", "read(4 KiB)", "libc memcpy into a new Uint8Array"],
  ["`readByte()`", "CPython", "readByte()", "CPython"],
  ["`readline()`", "CPython", "readline() of 20 to 200 bytes", "CPython"],
  ["`mm[i]`", "CPython", "mm[i]", "CPython"],
  [
    "open, read all, close, 64 MiB",
    "`readFileSync`",
    "a byte of each 64 of 64 MiB, opened and closed",
    "fs.readFileSync",
  ],
  ["64 random bytes, in a view", "`fs.readSync`", `${RANDOM}, in a view`, "fs.readSync"],
  ["64 random bytes, `slice`", "`fs.readSync`", `${RANDOM}, slice`, "fs.readSync"],
  ["… of new pages, in a view", "`fs.readSync`", `${FIRST}, in a view`, "fs.readSync"],
  ["… of new pages, `slice`", "`fs.readSync`", `${FIRST}, slice`, "fs.readSync"],
  ["garbage, 12 GiB mapped", "nothing mapped", "garbage while 12 GiB are mapped", "nothing mapped"],
  ["garbage, 12 GiB viewed", "nothing mapped", "garbage while 12 GiB are viewed in 12 parts", "nothing mapped"],
  ...["Node", "Bun", "Deno"].flatMap((engine): Row[] => [
    [`import in ${engine}, ms`, "empty program", `${IMPORT}, over an empty one, in ${engine}`],
    [`first map in ${engine}, ms`, "empty program", `${MAP}, over an empty one, in ${engine}`],
  ]),
  ["a process that maps", "`readFileSync`", MAP, "the same by fs.readFileSync"],
  ["a process that maps", "CPython", MAP, "the same in CPython"],
  ["a process that maps", "`Bun.mmap`", MAP, "the same by Bun.mmap"],
  ["the hundredth map, µs", "", "the hundredth map of a process"],
  ["longest pause in prefaultAsync, ms", "", "longest pause of a 1 ms timer, 1024 MiB not in memory, prefaultAsync"],
  ["round trip, `wait`", "a Unix socket", "round trip between two processes, wait", "a Unix socket"],
  ["round trip, `wait`", "C", "round trip between two processes, wait", "futexes in C"],
  ["round trip, `waitAsync`", "`process.send`", "round trip between two processes, waitAsync", "process.send"],
  ["`queue.ts`, 64 bytes", "a Unix socket", "examples/queue.ts, messages of 64 bytes", "a Unix socket"],
  ["`queue.ts`, 64 bytes", "`process.send`", "examples/queue.ts, messages of 64 bytes", "process.send"],
  ["`queue.ts`, 64 KiB", "a Unix socket", "examples/queue.ts, messages of 64 KiB", "a Unix socket"],
  ["mutex, uncontended, ns", "", "tryAcquire and release, uncontended"],
  ["mutex, contended", "`flock`", "tryAcquire and release, contended by two processes", "flock"],
  ["`readFile` beside 100 waits", "without them", "fs.readFile beside 100 pending waitAsync calls", "without them"],
];

/** The rows of the project's README, by the name of their figure and the peer. */
const SUMMARY: readonly [name: string, peer: string][] = [
  ["open, read a byte, close: 4 KiB", "CPython"],
  ["a byte of each 64 of 64 MiB, opened and closed", "fs.readFileSync"],
  ["find absent, English, common letters", "CPython"],
  ["count of matches, fields, 256 MiB", "CPython"],
  ["lines of a log, 1 GiB", "CPython"],
  ["loop over bytes", "a plain array"],
];

/** The columns of the tables. Each shows the lowest and the highest figure of the set-ups whose names begin with it. */
const ENGINES = [
  { title: "Node", prefix: "node" },
  { title: "Bun", prefix: "bun" },
  { title: "Deno", prefix: "deno" },
];

/** Where a table begins and ends in its document. */
const [BEGIN, END] = ["<!-- figures -->", "<!-- end of figures -->"];

type Found = Figure & { readonly commit: string };

function find(outcomes: readonly Outcome[], name: string, peer: string | undefined): Found | undefined {
  return outcomes.find((one) => one.name === name && one.peer === peer && "value" in one) as Found | undefined;
}

/** The figures of an engine's set-ups, "0.94 – 1.2"; bold if the highest misses its target. */
function cell(figures: readonly Figure[]): string {
  if (figures.length === 0) return "";
  const values = figures.map(({ value }) => value);
  const [lowest, highest] = [Math.min(...values), Math.max(...values)];
  const target = figures[0]?.target ?? Number.POSITIVE_INFINITY;
  if (highest <= target) return range(digits(lowest, 2), digits(highest, 2));
  // With as many digits as it takes to see that it is more than the target.
  const missed = [2, 3, 4, 5].map((count) => digits(highest, count)).find((text) => Number(text) > target);
  const said = missed ?? `${highest}`;
  return `**${lowest === highest ? said : range(digits(lowest, 2), said)}**`;
}

const range = (lowest: string, highest: string) => (lowest === highest ? lowest : `${lowest} – ${highest}`);

function digits(value: number, count: number): string {
  return value >= 10 ? value.toFixed(0) : `${Number(value.toPrecision(count))}`;
}

/** A row's cells, with the target in the whole table, and with the commits in the summary. */
function rowOf([what, against, name, peer]: Row, results: Results, isWhole: boolean): string[] {
  const columns = ENGINES.map(({ prefix }) => {
    const own = [...results].filter(([runtime]) => runtime.startsWith(prefix));
    return own.flatMap(([, outcomes]) => find(outcomes, name, peer) ?? []);
  });
  const figures = columns.flat();
  const [figure] = figures;
  if (figure === undefined) throw new Error(`nothing was measured of ${name} / ${peer}`);
  if (isWhole) return [what, against, `${figure.target ?? ""}`, ...columns.map(cell)];
  const commits = [...new Set(figures.map(({ commit }) => commit))];
  return [what, against, ...columns.map(cell), commits.join(" ")];
}

/** A document's text with a table in place of the one that it has. */
function replaceTable(document: string, rows: readonly (readonly string[])[]): string {
  const [head = []] = rows;
  const widths = head.map((_, at) => Math.max(...rows.map((cells) => (cells[at] as string).length)));
  const ruled = [head, widths.map((width) => "-".repeat(width)), ...rows.slice(1)];
  const line = (cells: readonly string[]) => cells.map((text, at) => text.padEnd(widths[at] as number)).join(" | ");
  const table = ruled.map((cells) => `| ${line(cells)} |`).join("\n");
  const [before, rest = ""] = document.split(BEGIN);
  const [, after] = rest.split(END);
  if (after === undefined) throw new Error(`the document has no ${BEGIN} and ${END}`);
  return `${before}${BEGIN}\n\n${table}\n\n${END}${after}`;
}

const TITLES = ENGINES.map(({ title }) => title);

/** The text of bench/README.md with all rows of these results. */
export function withFigures(document: string, results: Results): string {
  // The results may be of a run before the row was added.
  const measured = ROWS.filter(([, , name, peer]) => [...results.values()].some((own) => find(own, name, peer)));
  const rows = measured.map((row) => rowOf(row, results, true));
  return replaceTable(document, [["what", "against", "at most", ...TITLES], ...rows]);
}

/** The text of the project's README with the rows of its summary. */
export function withSummary(document: string, results: Results): string {
  const rows = SUMMARY.map(([name, peer]) => {
    const row = ROWS.find((one) => one[2] === name && one[3] === peer);
    if (row === undefined) throw new Error(`no row of ${name} / ${peer}`);
    return rowOf(row, results, false);
  });
  return replaceTable(document, [["what", "compared with", ...TITLES, "commit"], ...rows]);
}
