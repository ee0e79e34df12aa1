/**
 * The files that a command line names.
 *
 * @module
 */

import { type BigIntStats, lstatSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Failures } from "./failures.ts";

export interface FileEntry {
  readonly path: string;
  /** Its size in bytes. */
  readonly size: number;
}

/** The regular files of paths: those that are named, and all below a folder that is named. Each file once. */
export function* filesOf(paths: readonly string[], failures: Failures): Generator<FileEntry> {
  const seen = new Set<string>();
  for (const path of paths) yield* walk(path, statSync, seen, failures);
}

function* walk(
  path: string,
  status: (path: string, options: { bigint: true }) => BigIntStats,
  seen: Set<string>,
  failures: Failures,
): Generator<FileEntry> {
  let stats: BigIntStats;
  let names: string[];
  try {
    // File numbers of Windows have more bits than a number holds exactly.
    stats = status(path, { bigint: true });
    names = stats.isDirectory() ? readdirSync(path).sort() : [];
  } catch (error) {
    failures.report(error);
    return;
  }
  for (const name of names) yield* walk(join(path, name), lstatSync, seen, failures);
  // Below a folder, pipes and the like are passed over.
  if (status === statSync && !stats.isFile() && !stats.isDirectory()) {
    failures.report(`"${path}" is neither a file nor a folder`);
  }
  const key = `${stats.dev}:${stats.ino}`;
  if (!stats.isFile() || seen.has(key)) return;
  seen.add(key);
  yield { path, size: Number(stats.size) };
}
