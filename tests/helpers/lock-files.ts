/**
 * Mutexes as FreeBSD and OpenBSD have them, on Linux, where `flock` is the same: with MMAP_TEST_LOCK_FILES, a folder, each thread
 * that loads this module has lock files there, in place of locks of bytes.
 *
 * @module
 */

import process from "node:process";
import { openFfi } from "../../ffi/mod.ts";
import { errorFactory } from "../../lib/errors.ts";
import { platform, usePlatform } from "../../lib/platform.ts";
import { ERRNO_SIGNATURES, librariesFor } from "../../platform/linux.ts";
import { lockFiles } from "../../platform/lock-files.ts";
import type { OwnerLocks } from "../../platform/types.ts";

const { MMAP_TEST_LOCK_FILES } = process.env;

/** Whether mutexes here have lock files. */
export const LOCK_FILES: boolean = MMAP_TEST_LOCK_FILES !== undefined || process.platform.endsWith("bsd");

/** Linux's: EWOULDBLOCK is 11 there. */
export function lockFilesIn(folder: string): OwnerLocks {
  const ffi = openFfi();
  const libraries = librariesFor(process.arch);
  const { __errno_location } = ffi.open(libraries, { __errno_location: ERRNO_SIGNATURES.__errno_location });
  return lockFiles(ffi, libraries, __errno_location(), errorFactory, { folder: () => folder, wouldBlock: 11 });
}

if (MMAP_TEST_LOCK_FILES !== undefined) {
  usePlatform({ ...platform(), ownerLocks: lockFilesIn(MMAP_TEST_LOCK_FILES) });
}
