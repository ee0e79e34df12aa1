/**
 * `mmap-ffi evict`: drops files from the page cache, by `posix_fadvise` or on macOS by `msync`, as vmtouch does.
 *
 * @see https://man7.org/linux/man-pages/man2/posix_fadvise.2.html
 * @module
 */

import { closeSync, fsyncSync, openSync } from "node:fs";
import process from "node:process";
import { openFfi } from "../ffi/mod.ts";
import { MAP_SHARED, MMap, MS_INVALIDATE, MS_SYNC, PROT_READ } from "../lib/mod.ts";
import { LIBRARIES as FREEBSD_LIBRARIES } from "../platform/freebsd.ts";
import { librariesFor } from "../platform/linux.ts";
import type { Failures } from "./failures.ts";
import type { FileEntry } from "./files.ts";
import { filesCounted, printLine, size } from "./terminal.ts";

const LIBRARIES: Partial<Record<string, readonly string[]>> = {
  linux: librariesFor(process.arch),
  freebsd: FREEBSD_LIBRARIES,
};

/** POSIX_FADV_DONTNEED of linux/fadvise.h and FreeBSD's fcntl.h; on s390x alone it is 6. */
const POSIX_FADV_DONTNEED = process.arch === ("s390x" as string) ? 6 : 4;

export function evict(files: Iterable<FileEntry>, failures: Failures): void {
  const drop = dropper();
  let [count, bytes] = [0, 0];
  for (const file of files) {
    failures.attempt(() => {
      drop(file.path);
      count++;
      bytes += file.size;
    });
  }
  printLine(`${filesCounted(count)} evicted, ${size(bytes)}`);
}

/** Makes the function that drops a file from this system's page cache. */
function dropper(): (path: string) => void {
  const { platform } = process;
  const libraries = LIBRARIES[platform];
  if (libraries !== undefined) {
    const c = openFfi().open(libraries, {
      // int posix_fadvise(int fd, off_t offset, off_t len, int advice)
      posix_fadvise: { parameters: ["i32", "i64", "i64", "i32"], result: "i32" },
    });
    return (path) => {
      const fd = openSync(path, "r");
      try {
        // First, because pages that are not on the disk yet would stay in the cache.
        fsyncSync(fd);
        const error = c.posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        if (error !== 0) throw new Error(`posix_fadvise of "${path}" failed: error ${error}`);
      } finally {
        closeSync(fd);
      }
    };
  }
  if (platform === "darwin") return invalidate;
  throw new Error(`evict is not supported on this system (${platform}): it has no posix_fadvise`);
}

/** Drops a file from the page cache on systems whose `msync` does that (macOS). */
export function invalidate(path: string): void {
  // Shared, because a map for reading is private by default, and nothing of a private map is flushed.
  using mm = MMap.open(path, { prot: PROT_READ as number, flags: MAP_SHARED as number });
  mm.flush(0, mm.length, { flags: (MS_SYNC as number) | (MS_INVALIDATE as number) });
}
