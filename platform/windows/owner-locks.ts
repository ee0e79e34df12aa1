/**
 * Proof that the owner of a mutex is alive: what the system releases when the owner's process ends, however it ends.
 *
 * Of a file, that is a lock of a byte. Memory with a name and without a file has a named event, which exists as long as
 * somebody has it open, and which is found by whoever finds the memory.
 *
 * @see https://learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-lockfile
 * @see https://learn.microsoft.com/en-us/windows/win32/api/synchapi/nf-synchapi-createeventw
 * @module
 */

import { once } from "../../ffi/once.ts";
import type { Ffi, Functions } from "../../ffi/types.ts";
import type { Fail } from "../errno.ts";
import type { OwnerLock, OwnerLocks } from "../types.ts";
import { ERROR_ACCESS_DENIED, ERROR_ALREADY_EXISTS, ERROR_FILE_NOT_FOUND, ERROR_LOCK_VIOLATION } from "./errors.ts";
import { KERNEL, type Kernel, utf16 } from "./kernel.ts";

export const SIGNATURES = {
  // BOOL LockFile(HANDLE hFile, DWORD dwFileOffsetLow, DWORD dwFileOffsetHigh, DWORD nNumberOfBytesToLockLow,
  //   DWORD nNumberOfBytesToLockHigh);
  LockFile: { parameters: ["i64", "u32", "u32", "u32", "u32"], result: "i32" },
  // BOOL UnlockFile(HANDLE hFile, DWORD dwFileOffsetLow, DWORD dwFileOffsetHigh, DWORD nNumberOfBytesToUnlockLow,
  //   DWORD nNumberOfBytesToUnlockHigh);
  UnlockFile: { parameters: ["i64", "u32", "u32", "u32", "u32"], result: "i32" },
  // HANDLE CreateEventW(LPSECURITY_ATTRIBUTES lpEventAttributes, BOOL bManualReset, BOOL bInitialState, LPCWSTR lpName);
  CreateEventW: { parameters: ["pointer", "i32", "i32", "bytes"], result: "i64" },
  // HANDLE OpenEventW(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCWSTR lpName);
  OpenEventW: { parameters: ["u32", "i32", "bytes"], result: "i64" },
} as const;

export const NUMBERS = { SYNCHRONIZE: 0x100000 } as const;

/** The high half of the offsets that are locked: 2^62, past the end of any file. */
const HIGH = 2 ** 30;

/** Makes `Platform.ownerLocks`. The functions are looked up on first use. */
export function ownerLocks(ffi: Ffi, kernel: Kernel, handleOf: (descriptor: number) => number, fail: Fail): OwnerLocks {
  const opened = once(() => ffi.open(KERNEL, SIGNATURES));
  return {
    open(descriptor, name) {
      return name === undefined
        ? fileLock(opened(), kernel, handleOf(descriptor), fail)
        : namedEvent(opened(), kernel, name, fail);
    },
  };
}

/** "Exclusive locks cannot overlap an existing locked region", not even one of the same handle. */
function fileLock(c: Functions<typeof SIGNATURES>, kernel: Kernel, handle: number, fail: Fail): OwnerLock {
  let taken: number | undefined;

  function lock(id: number): boolean {
    if (c.LockFile(handle, id, HIGH, 1, 0) !== 0) return true;
    const error = kernel.GetLastError();
    return error === ERROR_LOCK_VIOLATION ? false : fail("LockFile", error);
  }

  function unlock(id: number): void {
    if (c.UnlockFile(handle, id, HIGH, 1, 0) === 0) fail("UnlockFile");
  }

  return {
    take(id) {
      if (!lock(id)) return false;
      taken = id;
      return true;
    },
    isTaken(id) {
      // Somebody else who looks at the same moment takes this for an owner's lock, and looks again later.
      if (!lock(id)) return true;
      unlock(id);
      return false;
    },
    close() {
      // The handle is the map's, and the user may have opened the file by another one of the same file object.
      if (taken !== undefined) unlock(taken);
    },
  };
}

function namedEvent(c: Functions<typeof SIGNATURES>, kernel: Kernel, name: string, fail: Fail): OwnerLock {
  let taken = 0;
  // In the namespace of the memory's own name.
  const eventName = (id: number) => utf16(`${name}.mmap-ffi.${id}`);
  return {
    take(id) {
      const handle = c.CreateEventW(0, 1, 0, eventName(id));
      const error = kernel.GetLastError();
      // Another user's event denies access.
      if (handle === 0) return error === ERROR_ACCESS_DENIED ? false : fail("CreateEventW", error);
      if (error === ERROR_ALREADY_EXISTS) {
        kernel.CloseHandle(handle);
        return false;
      }
      taken = handle;
      return true;
    },
    isTaken(id) {
      const handle = c.OpenEventW(NUMBERS.SYNCHRONIZE, 0, eventName(id));
      if (handle === 0) {
        const error = kernel.GetLastError();
        if (error === ERROR_FILE_NOT_FOUND) return false;
        return error === ERROR_ACCESS_DENIED ? true : fail("OpenEventW", error);
      }
      kernel.CloseHandle(handle);
      return true;
    },
    close() {
      if (taken !== 0) kernel.CloseHandle(taken);
    },
  };
}
