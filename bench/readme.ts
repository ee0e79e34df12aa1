/**
 * The table in the project's README: the rows that most readers look for, of all that a whole run has measured.
 *
 * @module
 */

import type { Figure } from "./harness.ts";
import type { Outcome, Results } from "./report.ts";

/** A row: what the README calls it and what it is compared with, and the figure's name and peer. */
type Row = [what: string, against: string, name: string, peer?: string];

const RANDOM = "1000000 reads of 64 bytes by chance, 10 GiB sparse";
const IMPORT = "a program that imports the library, over an empty one, in";

const ROWS: readonly Row[] = [
  ["open, read a byte, close, 4 KiB", "CPython", "open, read a byte, close: 4 KiB", "CPython"],
  ["… 1 TiB", "CPython", "open, read a byte, close: 1 TiB", "CPython"],
  ["… 1 TiB", "the same of 4 KiB", "open, read a byte, close: 1 TiB", "the same of 4 KiB"],
  ["… 64 MiB", "mmap-io's `map`", "open, read a byte, close: 64 MiB", "mmap-io"],
  ["… 64 MiB", "`Bun.mmap`", "open, read a byte, close: 64 MiB", "Bun.mmap"],
  ["`find`, a rare letter", "libc's `memchr`", "find absent, English, a rare letter", "libc memchr"],
  ["`find`, a rare letter", "CPython", "find absent, English, a rare letter", "CPython"],
  ["`find`, English, common letters", "CPython", "find absent, English, common letters", "CPython"],
  ["`find`, source code", "CPython", "find absent, source code", "CPython"],
  ["`find`, a log", "CPython", "find absent, a log", "CPython"],
  ["`find`, random bytes", "CPython", "find absent, random bytes", "CPython"],
  ["`find`, 16 bytes, DNA", "CPython", "find 16 bytes, absent, DNA", "CPython"],
  ["`find`, A…AB in A's", "CPython", "find A…AB (1,000 bytes) in A's", "CPython"],
  ["`find`, one byte", "CPython", "find 1 byte, absent, English", "CPython"],
  ["`rfind`, English, common letters", "CPython", "rfind absent, English, common letters", "CPython"],
  ["`rfind`, A…AB in A's", "CPython", "rfind A…AB (1,000 bytes) in A's", "CPython"],
  ["`find`, 16 GiB sparse", "CPython", "find absent, 16 GiB sparse", "CPython"],
  ["`find`, a third more than memory", "CPython", "find absent, sparse, a third larger than memory", "CPython"],
  ["`lines()`, a log of 1 GiB", "CPython", "lines of a log, 1 GiB", "CPython"],
  ["`lines()`, a log of 256 MiB", "`node:readline`", "lines of a log, 256 MiB", "node:readline"],
  ["`lines()`, a log of 256 MiB", "`readFileSync`, `split`", "lines of a log, 256 MiB", "readFileSync, split"],
  ["`matchAll`, one of two words", "CPython's `re`", "count of matches, levels, 256 MiB", "CPython"],
  ["`matchAll`, three groups", "CPython's `re`", "count of matches, fields, 256 MiB", "CPython"],
  ["`matchAll`, a rare match", "CPython's `re`", "count of matches, rare, 256 MiB", "CPython"],
  ["loop over `bytes`", "a plain array", "loop over bytes", "a plain array"],
  ["loop over `view(Float64Array)`", "a plain array", "loop over view(Float64Array)", "a plain array"],
  ["`move` of 32 MiB", "libc's `memmove`", "move of 32 MiB, apart", "libc memmove"],
  ["`read(64)`", "libc's `memcpy`", "read(64 bytes)", "libc memcpy into a new Uint8Array"],
  ["`read(4096)`", "libc's `memcpy`", "read(4 KiB)", "libc memcpy into a new Uint8Array"],
  ["`readByte()`", "CPython", "readByte()", "CPython"],
  ["`readline()`", "CPython", "readline() of 20 to 200 bytes", "CPython"],
  ["`mm[i]`", "CPython", "mm[i]", "CPython"],
  [
    "64 MiB opened, looked through, closed",
    "`fs.readFileSync`",
    "a byte of each 64 of 64 MiB, opened and closed",
    "fs.readFileSync",
  ],
  ["64 bytes at a place by chance, in a view", "`fs.readSync`", `${RANDOM}, in a view`, "fs.readSync"],
  ["64 bytes at a place by chance, `slice`", "`fs.readSync`", `${RANDOM}, slice`, "fs.readSync"],
  ["garbage while 12 GiB are mapped", "nothing mapped", "garbage while 12 GiB are mapped", "nothing mapped"],
  [
    "garbage while 12 GiB are viewed",
    "nothing mapped",
    "garbage while 12 GiB are viewed in 12 parts",
    "nothing mapped",
  ],
  ["import in Node, ms", "an empty program", `${IMPORT} Node`],
  ["import in Bun and Deno, ms", "an empty program", `${IMPORT} Bun and Deno`],
];

/** Where the table stands in the README. */
const [BEGIN, END] = ["<!-- figures -->", "<!-- end of figures -->"];

function cell(outcome: Outcome | undefined): string {
  if (outcome === undefined || "missing" in outcome) return "";
  const { value, target = Number.POSITIVE_INFINITY } = outcome;
  if (value <= target) return digits(value, 2);
  // With as many digits as it takes to see that it is more.
  const said = [2, 3, 4].map((count) => digits(value, count)).find((text) => Number(text) > target);
  return `**${said ?? value}**`;
}

function digits(value: number, count: number): string {
  return value >= 10 ? value.toFixed(0) : `${Number(value.toPrecision(count))}`;
}

function rowOf([what, against, name, peer]: Row, results: Results): string[] {
  const found = [...results.values()].map((outcomes) =>
    outcomes.find((outcome) => outcome.name === name && outcome.peer === peer),
  );
  const figure = found.find((outcome) => outcome !== undefined && "value" in outcome) as Figure | undefined;
  if (figure === undefined) throw new Error(`nothing was measured of ${name} / ${peer}`);
  return [what, against, `${figure.target ?? ""}`, ...found.map(cell)];
}

/** The README's text with the table of these results in place of the one that it has. */
export function withTable(readme: string, results: Results): string {
  const head = ["what", "against", "at most", ...results.keys()];
  const rows = [head, ...ROWS.map((row) => rowOf(row, results))];
  const widths = head.map((_, at) => Math.max(...rows.map((cells) => (cells[at] as string).length)));
  const ruled = [head, widths.map((width) => "-".repeat(width)), ...rows.slice(1)];
  const line = (cells: string[]) => cells.map((text, at) => text.padEnd(widths[at] as number)).join(" | ");
  const table = ruled.map((cells) => `| ${line(cells)} |`).join("\n");
  const [before, rest = ""] = readme.split(BEGIN);
  const [, after] = rest.split(END);
  if (after === undefined) throw new Error(`the README has no ${BEGIN} and ${END}`);
  return `${before}${BEGIN}\n\n${table}\n\n${END}${after}`;
}
