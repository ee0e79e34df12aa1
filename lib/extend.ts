/**
 * Extends files for `create`. That never makes a file shorter, even if several threads and processes open it at once.
 *
 * `ftruncate` shrinks a file that another opener has extended further since its size was read. So an opener that must
 * extend a file takes a lock on it before it reads the size, and keeps it until its map is made or has failed.
 *
 * @module
 */

import { builtins } from "../ffi/builtins.ts";
import { AtomicsWait, Int32Array, SharedArrayBuffer, Uint8Array } from "../ffi/primordials.ts";
import { ignoreErrors } from "./mapping/region.ts";
import { platform } from "./platform.ts";

/** What `withSize` returns if another opener removed the file before the lock was taken. */
export const REMOVED: unique symbol = Symbol("removed");

/** How long to wait for another opener, in milliseconds. After that, the file is extended without the lock. */
const PATIENCE = 1000;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Whether this thread holds a lock. Then it must not wait for one: what `use` calls may open the same file again. */
let holding = false;

/**
 * Runs `use` once the file has at least `size` bytes. If `use` throws, a file that was extended gets its old size back, and
 * one that is new is removed, unless it has changed since.
 *
 * @param newPath The absolute path of the file, if the caller has just created it.
 */
export function withSize<T>(
  descriptor: number,
  size: number,
  newPath: string | undefined,
  use: () => T,
): T | typeof REMOVED {
  const { fstatSync } = builtins();
  const first = fstatSync(descriptor);
  if (first.size >= size || !first.isFile()) return use();
  const locked = lock(descriptor);
  const outer = holding;
  holding ||= locked;
  try {
    const before = fstatSync(descriptor);
    if (before.nlink === 0 && first.nlink > 0) return REMOVED;
    if (before.size >= size) return use();
    try {
      grow(descriptor, size, locked);
      return use();
    } catch (error) {
      ignoreErrors(() => undo(descriptor, before.size, size, newPath));
      throw error;
    }
  } finally {
    holding = outer;
    if (locked) ignoreErrors(() => platform().fileLock?.unlock(descriptor));
  }
}

function grow(descriptor: number, size: number, locked: boolean): void {
  if (locked) platform().truncate(descriptor, size);
  // Without a lock: writing one byte never makes a file shorter.
  else builtins().writeSync(descriptor, new Uint8Array(1), 0, 1, size - 1);
}

function undo(descriptor: number, before: number, after: number, newPath: string | undefined): void {
  const { fstatSync, ftruncateSync, statSync, unlinkSync } = builtins();
  // As BigInt: file numbers of Windows have more bits than a number holds exactly.
  const { size, ino, dev } = fstatSync(descriptor, { bigint: true });
  // Another opener has extended the file further, and uses it.
  if (size > after) return;
  if (newPath === undefined || before > 0) {
    ftruncateSync(descriptor, before);
    return;
  }
  const there = statSync(newPath, { bigint: true });
  if (there.ino === ino && there.dev === dev) unlinkSync(newPath);
}

/** Locks the file against other openers. Returns false if that is not supported, or takes too long. */
function lock(descriptor: number): boolean {
  const { fileLock } = platform();
  if (fileLock === undefined) return false;
  for (let tries = 0; tries < PATIENCE; tries++) {
    try {
      fileLock.tryLock(descriptor);
      return true;
    } catch (error) {
      if (holding || (error as { code?: string }).code !== "EAGAIN") return false;
      AtomicsWait(sleeper, 0, 0, 1);
    }
  }
  return false;
}
