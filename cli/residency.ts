/**
 * `mmap-ffi residency`: which pages of files are in the page cache.
 *
 * @module
 */

import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { MMap, PAGESIZE } from "../lib/mod.ts";
import type { Given } from "./commands.ts";
import { type FileEntry, filesOf } from "./files.ts";
import { bar, columns, percent, printLine, size } from "./terminal.ts";

/** How many bytes of a file one call queries. */
const BLOCK = 2 ** 36;

interface Sample extends FileEntry {
  /** A byte for each page: 1 if it is in memory. */
  readonly pages: readonly Uint8Array[];
  readonly count: number;
  readonly resident: number;
}

interface Totals {
  files: number;
  pages: number;
  resident: number;
}

export async function residency(given: Given): Promise<void> {
  for (;;) {
    if (given.watch && !given.json && process.stdout.isTTY) process.stdout.write("\x1b[H\x1b[2J");
    show(given);
    if (!given.watch) return;
    await setTimeout(1000);
  }
}

function show({ paths, json, failures }: Given): void {
  const totals: Totals = { files: 0, pages: 0, resident: 0 };
  const files: { path: string; size: number; pages: number; resident: number }[] = [];
  for (const file of filesOf(paths, failures)) {
    failures.attempt(() => {
      const { path, size: bytes, pages, count, resident } = sample(file);
      totals.files++;
      totals.pages += count;
      totals.resident += resident;
      if (json) files.push({ path, size: bytes, pages: count, resident });
      else print(path, pages, count, resident);
    });
  }
  if (json) printLine(JSON.stringify({ pageSize: PAGESIZE, ...totals, list: files }));
  else if (totals.files > 0 || failures.count === 0) printTotals(totals);
}

function sample(file: FileEntry): Sample {
  using mm = MMap.open(file.path);
  const pages: Uint8Array[] = [];
  let resident = 0;
  for (let start = 0; start < mm.length; start += BLOCK) {
    const block = mm.residency(start, Math.min(BLOCK, mm.length - start));
    pages.push(block.pages);
    resident += block.resident;
  }
  const count = pages.reduce((sum, { length }) => sum + length, 0);
  return { ...file, pages, count, resident };
}

function print(path: string, pages: readonly Uint8Array[], count: number, resident: number): void {
  const ratio = ` ${resident}/${count}`;
  printLine(`${path}\n${bar(pages, Math.max(10, columns() - ratio.length - 2))}${ratio}`);
}

function printTotals({ files, pages, resident }: Totals): void {
  const sizes = `${size(resident * PAGESIZE)}/${size(pages * PAGESIZE)}`;
  printLine(`\n         Files: ${files}`);
  printLine(`Resident Pages: ${resident}/${pages}  ${sizes}  ${percent(resident, pages)}`);
}
