/**
 * Formats output: sizes, bars, progress.
 *
 * @module
 */

import process from "node:process";

const UNITS = ["B", "K", "M", "G", "T", "P"];

/** A number of bytes, in the largest binary unit that leaves at least 1: "20K", "1.5G". */
export function size(bytes: number): string {
  let unit = 0;
  let count = bytes;
  for (; count >= 1024 && unit < UNITS.length - 1; unit++) count /= 1024;
  return `${unit > 0 && count < 10 ? Number(count.toFixed(1)) : Math.round(count)}${UNITS[unit]}`;
}

/** "1 file", "2 files". */
export function filesCounted(count: number): string {
  return `${count} file${count === 1 ? "" : "s"}`;
}

/** A part of a whole: "37.5%"; "100%" if the whole is 0. */
export function percent(part: number, whole: number): string {
  return `${Number((whole === 0 ? 100 : (100 * part) / whole).toFixed(1))}%`;
}

/** Prints a line. Not by `console.log`, which in Bun and Deno reports no error if the reader has gone. */
export function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** The width of the terminal, in characters; 80 if standard output is no terminal. */
export function columns(): number {
  return process.stdout.columns || 80;
}

/**
 * A bar, a character for each of `width` parts of the file: "O" if all of the part's pages are in memory, "o" if some are,
 * a space if none is. vmtouch draws the same.
 */
export function bar(pages: readonly Uint8Array[], width: number): string {
  const count = pages.reduce((sum, { length }) => sum + length, 0);
  const cells = Math.min(width, count);
  const resident = new Array<number>(cells).fill(0);
  const whole = new Array<number>(cells).fill(0);
  let index = 0;
  for (const block of pages) {
    for (const page of block) {
      const cell = Math.floor((index++ * cells) / count);
      resident[cell] = (resident[cell] as number) + page;
      whole[cell] = (whole[cell] as number) + 1;
    }
  }
  const text = resident.map((present, cell) => (present === 0 ? " " : present === whole[cell] ? "O" : "o")).join("");
  return `[${text.padEnd(width)}]`;
}

/** A line on standard error that says how far a long operation is, if that is a terminal. */
export class Progress {
  readonly #what: string;
  readonly #shows = process.stderr.isTTY === true;
  #shown = 0;

  constructor(what: string) {
    this.#what = what;
  }

  show(path: string, done: number, whole: number): void {
    const now = Date.now();
    if (!this.#shows || now - this.#shown < 100) return;
    this.#shown = now;
    process.stderr.write(`\r\x1b[K${this.#what} ${path}: ${size(done)} of ${size(whole)}`);
  }

  clear(): void {
    if (this.#shows) process.stderr.write("\r\x1b[K");
  }
}
