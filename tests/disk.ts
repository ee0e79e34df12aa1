/**
 * Small file systems for the tests, which are soon full.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { newPath } from "./support.ts";

/** Why no file system can be mounted here; undefined where it can. */
export const withoutMounts: string | undefined = mountingFails();

/** Why no disk can be made that fails; undefined where it can. */
export const withoutDevices: string | undefined = withoutMounts ?? devicesFail();

/** A mounted file system. */
export interface Disk extends Disposable {
  readonly folder: string;
}

function run(command: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
}

/** A file system in memory that holds so many bytes. */
export function smallDisk(size: number): Disk {
  const folder = newPath();
  mkdirSync(folder);
  run("mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder);
  // Lazily: what a case that failed left open must not keep the folder.
  return { folder, [Symbol.dispose]: () => run("umount", "-l", folder) };
}

/**
 * A disk of `size` bytes that has room for `room` bytes alone, which no program can know: what is written beyond them is
 * lost with an I/O error when it is written back.
 */
export function failingDisk(size: number, room: number): Disk {
  const below = smallDisk(room);
  const image = join(below.folder, "image");
  const folder = newPath();
  mkdirSync(folder);
  try {
    writeFileSync(image, "");
    truncateSync(image, size);
    run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", image);
    run("mount", "-o", "loop", image, folder);
  } catch (error) {
    below[Symbol.dispose]();
    throw error;
  }
  return {
    folder,
    [Symbol.dispose]: () => {
      run("umount", "-l", folder);
      below[Symbol.dispose]();
    },
  };
}

function mountingFails(): string | undefined {
  if (process.platform !== "linux") return "small file systems are mounted on Linux alone";
  try {
    smallDisk(4096)[Symbol.dispose]();
    return undefined;
  } catch {
    return "mounting a small file system needs root";
  }
}

function devicesFail(): string | undefined {
  try {
    failingDisk(2 ** 20, 2 ** 20)[Symbol.dispose]();
    return undefined;
  } catch {
    return "a disk that fails needs a loop device and mkfs.ext4";
  }
}

/** Fills what is left of a disk. */
export function fill({ folder }: Disk): void {
  const block = new Uint8Array(4096);
  try {
    for (let files = 0; ; files++) writeFileSync(join(folder, `fill-${files}`), block);
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOSPC") throw error;
  }
}
