/**
 * The suite: every `*.test.ts` below this folder, in the runtime that runs it. With arguments, only the files whose path
 * below this folder contains one of them: `api/open`, `sigbus`.
 *
 * @module
 */

import { readdirSync } from "node:fs";
import process from "node:process";

interface Queue {
  UVU_DEFER?: number;
  UVU_QUEUE?: unknown[][];
  UVU_INDEX?: number;
}

// uvu runs what is in the queue when it is told to, and not once the first file was read.
const queue = globalThis as Queue;
queue.UVU_DEFER = 1;
const uvu = (await import("uvu")) as typeof import("uvu") & { exec(bail: boolean): Promise<void> };

const SUFFIX = ".test.ts";
const wanted = process.argv.slice(2);
const names = filesIn("")
  .filter((file) => file.endsWith(SUFFIX))
  .map((file) => file.slice(0, -SUFFIX.length));
for (const name of names.sort()) {
  if (wanted.length > 0 && !wanted.some((word) => (name + SUFFIX).includes(word))) continue;
  queue.UVU_INDEX = queue.UVU_QUEUE?.push([name]) as number;
  queue.UVU_INDEX--;
  await import(new URL(name + SUFFIX, import.meta.url).href);
}
// With MMAP_TEST_BAIL, the first suite that fails ends the run.
await uvu.exec(process.env.MMAP_TEST_BAIL !== undefined);

/** The paths of all files in a folder below this one. Bun's `recursive` does not see every folder on Windows. */
function filesIn(folder: string): string[] {
  return readdirSync(new URL(`./${folder}`, import.meta.url), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesIn(`${folder}${entry.name}/`) : [`${folder}${entry.name}`],
  );
}
