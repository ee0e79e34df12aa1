/**
 * Small file systems for the tests, which are soon full.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { newPath } from "./support.ts";

/** Why no file system can be mounted here; undefined where it can. */
export const withoutMounts: string | undefined = mountingFails();

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

function mountingFails(): string | undefined {
  if (process.platform !== "linux") return "small file systems are mounted on Linux alone";
  try {
    smallDisk(4096)[Symbol.dispose]();
    return undefined;
  } catch {
    return "mounting a small file system needs root";
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
