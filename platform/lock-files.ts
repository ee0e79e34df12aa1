/**
 * Proof that the owner of a mutex is alive, for FreeBSD and OpenBSD: a file for each owner, which is named by its number and
 * locked by `flock`. The kernel releases the lock when the file's description is closed: by `close`, or when the process ends,
 * however it ends.
 *
 * The lock is not on the mapped file itself, because `flock` has one lock for all of a file. The systems' locks of bytes belong
 * to a process, do not exclude its own threads, and end when it closes any descriptor of the file.
 *
 * A file that is there and not locked is what shows that an owner has died. One that is missing shows nothing: the owner may be
 * another user, or in a jail, with another folder. So an owner counts as alive without one, and its mutex is never taken from it.
 *
 * @see https://man.freebsd.org/cgi/man.cgi?query=flock&sektion=2
 * @module
 */

import { builtins } from "../ffi/builtins.ts";
import { once } from "../ffi/once.ts";
import type { Ffi } from "../ffi/types.ts";
import { errnoNumber, errnoReader } from "./errno.ts";
import { NUMBERS as FLOCK_NUMBERS, SIGNATURES as FLOCK_SIGNATURES } from "./file-lock.ts";
import { NUMBERS as POSIX_NUMBERS } from "./posix.ts";
import type { ErrorFactory, OwnerLock, OwnerLocks } from "./types.ts";

/** From the systems' errno.h. */
export const NUMBERS = { EWOULDBLOCK: 35 } as const;

export const SIGNATURES = {
  flock: FLOCK_SIGNATURES.flock,
  // uid_t geteuid(void);
  geteuid: { parameters: [], result: "u32" },
} as const;

const { LOCK_EX, LOCK_NB, LOCK_SH } = FLOCK_NUMBERS;

/** The mode of the folder, and the bits of it that let others write. */
const PRIVATE = 0o700;
const OTHERS_WRITE = 0o022;

/** The folder, and the number of `EWOULDBLOCK`. */
interface LockFilesSystem {
  readonly folder: () => string;
  readonly wouldBlock: number;
}

/** In the user's home, where no job removes old files. `/tmp` has one on OpenBSD. */
const BSD: LockFilesSystem = {
  folder: () => `${builtins().homedir()}/.mmap-ffi`,
  wouldBlock: NUMBERS.EWOULDBLOCK,
};

/** Makes `Platform.ownerLocks`. The functions are looked up on first use. */
export function lockFiles(
  ffi: Ffi,
  libraries: readonly string[],
  errnoAddress: number,
  errors: ErrorFactory,
  system: LockFilesSystem = BSD,
): OwnerLocks {
  const opened = once(() => ffi.open(libraries, SIGNATURES));
  const errno = errnoNumber(ffi, errnoAddress);
  const fail = errnoReader(ffi, errnoAddress, errors);

  /** Returns false if somebody else's lock prevents this one. */
  function lock(descriptor: number, operation: number): boolean {
    if (opened().flock(descriptor, operation | LOCK_NB) === 0) return true;
    const error = errno();
    return error === system.wouldBlock ? false : fail("flock", error);
  }

  /** Makes the folder if it is missing. Throws if another user could replace the files in it. */
  function checkedFolder(): string {
    const folder = system.folder();
    const { lstatSync, mkdirSync } = builtins();
    const purpose = `${folder} is the folder for the locks of mutexes, and must be this user's`;
    try {
      mkdirSync(folder, PRIVATE);
    } catch (error) {
      const { code, errno: number, syscall } = error as { code?: string; errno?: number; syscall?: string };
      if (code === undefined || typeof number !== "number") throw error;
      // The numbers of node:fs are the negatives of the system's.
      if (code !== "EEXIST") throw errors.system(syscall ?? "mkdir", number < 0 ? -number : number, code, purpose);
    }
    const status = lstatSync(folder);
    const isOwn = status.isDirectory() && status.uid === opened().geteuid();
    if (isOwn && (status.mode & OTHERS_WRITE) === 0) return folder;
    throw errors.system("open", POSIX_NUMBERS.EPERM, "EPERM", `${purpose} alone to write to, and no link`);
  }

  return {
    open() {
      return ownerLock(checkedFolder(), lock);
    },
  };
}

function ownerLock(folder: string, lock: (descriptor: number, operation: number) => boolean): OwnerLock {
  const { closeSync, fileFlags, openSync, unlinkSync } = builtins();
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR } = fileFlags;
  const pathOf = (id: number) => `${folder}/${id}`;
  let taken: { readonly path: string; readonly descriptor: number } | undefined;

  function close(): void {
    if (taken === undefined) return;
    const { path, descriptor } = taken;
    taken = undefined;
    try {
      // A map is not closed while it holds a mutex, so that no mutex has the number any more.
      unlinkSync(path);
    } finally {
      closeSync(descriptor);
    }
  }

  return {
    take(id) {
      const path = pathOf(id);
      try {
        taken = { path, descriptor: openSync(path, O_CREAT | O_EXCL | O_RDWR, 0o600) };
      } catch (error) {
        // Whoever had the number may have died while holding a mutex.
        if ((error as { code?: string }).code === "EEXIST") return false;
        throw error;
      }
      let isLocked = false;
      try {
        isLocked = lock(taken.descriptor, LOCK_EX);
      } finally {
        if (!isLocked) close();
      }
      return isLocked;
    },
    isTaken(id) {
      let descriptor: number;
      try {
        descriptor = openSync(pathOf(id), O_RDONLY | O_NOFOLLOW);
      } catch (error) {
        if ((error as { code?: string }).code === "ENOENT") return true;
        throw error;
      }
      try {
        // Shared, so that two who look at the same moment do not take each other for the owner.
        return !lock(descriptor, LOCK_SH);
      } finally {
        closeSync(descriptor);
      }
    },
    close,
  };
}
