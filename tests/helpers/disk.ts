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

/** Why no disk that fails can be made; undefined if one can. */
export const withoutDevices: string | undefined = withoutMounts ?? devicesFail();

/** A mounted file system. */
export interface Disk extends Disposable {
  readonly folder: string;
}

/** Runs a command, and returns what it printed. */
function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
  return stdout.trim();
}

/** A file system in memory that holds `size` bytes. */
export function smallDisk(size: number): Disk {
  const folder = newPath();
  mkdirSync(folder);
  run("mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder);
  // Lazily: what a case that failed left open must not keep the folder.
  return { folder, [Symbol.dispose]: () => run("umount", "-l", folder) };
}

/**
 * A disk of `size` bytes that has room for only `room` bytes, which no program can know: writing back what is beyond them
 * fails with ENOSPC.
 */
export function failingDisk(size: number, room: number): Disk {
  return onLoopDevice(size, room);
}

/** A disk that can break. */
export interface BreakableDisk extends Disk {
  /** From now on, what lies after the disk's first `intact` bytes can neither be read nor written: EIO. */
  breakDown(intact: number): void;
}

/** A disk of `size` bytes. */
export function breakableDisk(size: number): BreakableDisk {
  const disk = onLoopDevice(size, 2 * size);
  return {
    ...disk,
    breakDown: (intact) => {
      truncateSync(disk.image, intact);
      run("losetup", "--set-capacity", run("losetup", "--associated", disk.image, "--noheadings", "--output", "NAME"));
    },
  };
}

/** Lets the system forget what it has of a file in its cache, so that reading it asks the disk. */
export function forget(path: string): void {
  run("dd", `of=${path}`, "count=0", "conv=notrunc,fdatasync", "oflag=nocache");
}

/** ext4 on a loop device, whose file lies on a disk that holds `room` bytes. */
function onLoopDevice(size: number, room: number): Disk & { readonly image: string } {
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
    image,
    [Symbol.dispose]: () => {
      run("umount", "-l", folder);
      below[Symbol.dispose]();
    },
  };
}

function mountingFails(): string | undefined {
  if (process.platform !== "linux") return "small file systems are mounted on Linux alone";
  if (process.env.MMAP_TEST_NO_MOUNTS !== undefined) return "MMAP_TEST_NO_MOUNTS is set";
  try {
    smallDisk(4096)[Symbol.dispose]();
    return undefined;
  } catch {
    return "mounting a small file system needs root";
  }
}

function devicesFail(): string | undefined {
  try {
    using disk = breakableDisk(2 ** 20);
    disk.breakDown(2 ** 19);
    return undefined;
  } catch {
    return "a disk that fails needs a loop device, mkfs.ext4 and losetup";
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
