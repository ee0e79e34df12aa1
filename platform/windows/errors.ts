/**
 * Errors of Windows' functions, with POSIX's names.
 *
 * @module
 */

import { ArrayBuffer, ObjectKeys, StringFromCharCode, Uint8Array, Uint16Array } from "../../ffi/primordials.ts";
import type { Fail } from "../errno.ts";
import type { ErrorFactory } from "../types.ts";
import type { Kernel } from "./kernel.ts";

/** Win32's errors, with POSIX's names for them, so that programs need only one name for each. */
export const ERRORS = {
  ERROR_INVALID_FUNCTION: { number: 1, code: "EINVAL" },
  ERROR_FILE_NOT_FOUND: { number: 2, code: "ENOENT" },
  ERROR_PATH_NOT_FOUND: { number: 3, code: "ENOENT" },
  ERROR_TOO_MANY_OPEN_FILES: { number: 4, code: "EMFILE" },
  ERROR_ACCESS_DENIED: { number: 5, code: "EACCES" },
  ERROR_INVALID_HANDLE: { number: 6, code: "EBADF" },
  ERROR_NOT_ENOUGH_MEMORY: { number: 8, code: "ENOMEM" },
  ERROR_OUTOFMEMORY: { number: 14, code: "ENOMEM" },
  ERROR_WRITE_PROTECT: { number: 19, code: "EROFS" },
  ERROR_CRC: { number: 23, code: "EIO" },
  ERROR_SHARING_VIOLATION: { number: 32, code: "EBUSY" },
  ERROR_LOCK_VIOLATION: { number: 33, code: "EBUSY" },
  ERROR_HANDLE_DISK_FULL: { number: 39, code: "ENOSPC" },
  ERROR_NOT_SUPPORTED: { number: 50, code: "ENOTSUP" },
  ERROR_INVALID_PARAMETER: { number: 87, code: "EINVAL" },
  ERROR_DISK_FULL: { number: 112, code: "ENOSPC" },
  ERROR_INVALID_NAME: { number: 123, code: "ENOENT" },
  ERROR_NOT_LOCKED: { number: 158, code: "UNKNOWN" },
  ERROR_BUSY: { number: 170, code: "EBUSY" },
  ERROR_ALREADY_EXISTS: { number: 183, code: "EEXIST" },
  ERROR_FILENAME_EXCED_RANGE: { number: 206, code: "ENAMETOOLONG" },
  ERROR_FILE_TOO_LARGE: { number: 223, code: "EFBIG" },
  ERROR_INVALID_ADDRESS: { number: 487, code: "EFAULT" },
  ERROR_NOACCESS: { number: 998, code: "EFAULT" },
  ERROR_FILE_INVALID: { number: 1006, code: "ESTALE" },
  ERROR_IO_DEVICE: { number: 1117, code: "EIO" },
  ERROR_MAPPED_ALIGNMENT: { number: 1132, code: "EINVAL" },
  ERROR_USER_MAPPED_FILE: { number: 1224, code: "EBUSY" },
  ERROR_NO_SYSTEM_RESOURCES: { number: 1450, code: "ENOMEM" },
  ERROR_WORKING_SET_QUOTA: { number: 1453, code: "ENOMEM" },
  ERROR_COMMITMENT_LIMIT: { number: 1455, code: "ENOMEM" },
  ERROR_NOT_ENOUGH_QUOTA: { number: 1816, code: "ENOMEM" },
} as const;

export const ERROR_FILE_NOT_FOUND = ERRORS.ERROR_FILE_NOT_FOUND.number;
export const ERROR_ACCESS_DENIED = ERRORS.ERROR_ACCESS_DENIED.number;
export const ERROR_INVALID_HANDLE = ERRORS.ERROR_INVALID_HANDLE.number;
export const ERROR_LOCK_VIOLATION = ERRORS.ERROR_LOCK_VIOLATION.number;
export const ERROR_NOT_SUPPORTED = ERRORS.ERROR_NOT_SUPPORTED.number;
export const ERROR_NOT_LOCKED = ERRORS.ERROR_NOT_LOCKED.number;
export const ERROR_ALREADY_EXISTS = ERRORS.ERROR_ALREADY_EXISTS.number;
export const ERROR_FILE_INVALID = ERRORS.ERROR_FILE_INVALID.number;
export const ERROR_USER_MAPPED_FILE = ERRORS.ERROR_USER_MAPPED_FILE.number;

export const NUMBERS = { FORMAT_MESSAGE_FROM_SYSTEM: 0x1000, FORMAT_MESSAGE_IGNORE_INSERTS: 0x200 } as const;

const SYSTEM_MESSAGE = NUMBERS.FORMAT_MESSAGE_FROM_SYSTEM | NUMBERS.FORMAT_MESSAGE_IGNORE_INSERTS;

const SPACE = 0x20;
const FULL_STOP = 0x2e;

/** The longest message that is read, in UTF-16 units. */
const LONGEST_MESSAGE = 512;

/** POSIX's name for an error. */
function codeOf(number: number): string {
  const names = ObjectKeys(ERRORS) as (keyof typeof ERRORS)[];
  for (let index = 0; index < names.length; index++) {
    const error = ERRORS[names[index] as keyof typeof ERRORS];
    if (error.number === number) return error.code;
  }
  return "UNKNOWN";
}

/** What the library adds to the system's message. */
const ADVICE: Readonly<Record<number, string>> = {
  [ERROR_NOT_SUPPORTED]: "this runtime does not tell which file a descriptor stands for: use MMap.open(path)",
  [ERROR_USER_MAPPED_FILE]: "another map, or a view of this one, is in use",
};

/** Makes the function that throws what `GetLastError` says about a call, or what the given error number says. */
export function errorReader(kernel: Kernel, errors: ErrorFactory): Fail {
  const buffer = new ArrayBuffer(2 * LONGEST_MESSAGE);
  const bytes = new Uint8Array(buffer);
  const units = new Uint16Array(buffer);
  return (syscall, number = kernel.GetLastError()) => {
    const length = kernel.FormatMessageW(SYSTEM_MESSAGE, 0, number, 0, bytes, LONGEST_MESSAGE, 0);
    // Without the line's end, and the full stop before it. By index: a method of strings that user code has replaced could
    // close the map in the middle of a resize.
    let end = length;
    while (end > 0 && (units[end - 1] as number) <= SPACE) end--;
    if (end > 0 && units[end - 1] === FULL_STOP) end--;
    let message = "";
    for (let index = 0; index < end; index++) message += StringFromCharCode(units[index] as number);
    const meaning = message || `error ${number}`;
    const advice = ADVICE[number];
    throw errors.system(syscall, number, codeOf(number), advice === undefined ? meaning : `${meaning}: ${advice}`);
  };
}
