/**
 * `mmap-ffi prefault` and `lock`: read files into memory, and keep them there.
 *
 * @module
 */

import process from "node:process";
import { MMap } from "../lib/mod.ts";
import type { Failures } from "./failures.ts";
import type { FileEntry } from "./files.ts";
import { filesCounted, Progress, printLine, size } from "./terminal.ts";

/** How many bytes one call reads: few enough to show progress in between. */
const BLOCK = 64 * 2 ** 20;

/** Reads all of the files into the page cache. */
export function prefault(files: Iterable<FileEntry>, failures: Failures): void {
  const progress = new Progress("reading");
  let [count, bytes] = [0, 0];
  for (const { path } of files) {
    failures.attempt(() => {
      using mm = MMap.open(path);
      for (let start = 0; start < mm.length; start += BLOCK) {
        progress.show(path, start, mm.length);
        mm.prefault(start, Math.min(BLOCK, mm.length - start));
      }
      count++;
      bytes += mm.length;
    });
  }
  progress.clear();
  printLine(`${filesCounted(count)} read, ${size(bytes)}`);
}

/** Keeps all of the files in memory until the process is interrupted. */
export async function lock(files: Iterable<FileEntry>, failures: Failures): Promise<void> {
  const progress = new Progress("locking");
  const locked: MMap[] = [];
  let bytes = 0;
  for (const { path } of files) {
    failures.attempt(() => {
      const mm = MMap.open(path);
      try {
        for (let start = 0; start < mm.length; start += BLOCK) {
          progress.show(path, start, mm.length);
          mm.lock(start, Math.min(BLOCK, mm.length - start));
        }
      } catch (error) {
        mm.close();
        throw new Error(`cannot lock "${path}": ${(error as Error).message}${limitOf(error)}`);
      }
      locked.push(mm);
      bytes += mm.length;
    });
  }
  progress.clear();
  printLine(`${filesCounted(locked.length)} locked, ${size(bytes)}`);
  if (locked.length === 0) return;
  const ended = interrupted();
  // A timer, because a signal handler alone keeps no process alive.
  const timer = setInterval(() => {}, 2 ** 30);
  printLine("interrupt to unlock");
  await ended;
  clearInterval(timer);
  for (const mm of locked) mm.close();
}

/** What to add to an error that may come from the limit of locked memory. */
function limitOf(error: unknown): string {
  const { code = "" } = error as { code?: string };
  const limited = process.platform !== "win32" && ["ENOMEM", "EAGAIN", "EPERM"].includes(code);
  return limited ? "; what a process may lock has a limit (ulimit -l)" : "";
}

/** Resolves when the process is interrupted or asked to end. */
function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}
