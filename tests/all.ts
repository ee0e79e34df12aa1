/**
 * The suite: every `*.test.ts` beside this file, in the runtime that runs it. With arguments, only the files whose names
 * contain one of them.
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
const uvu = (await import("uvu")) as typeof import("uvu") & { exec(): Promise<void> };

const wanted = process.argv.slice(2);
const files = readdirSync(new URL(".", import.meta.url)).filter((file) => file.endsWith(".test.ts"));
for (const file of files.sort()) {
  if (wanted.length > 0 && !wanted.some((part) => file.includes(part))) continue;
  queue.UVU_INDEX = queue.UVU_QUEUE?.push([file]) as number;
  queue.UVU_INDEX--;
  await import(new URL(file, import.meta.url).href);
}
await uvu.exec();
