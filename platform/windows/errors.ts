/**
 * Errors of Windows' functions, with POSIX's names.
 *
 * @module
 */

import { ArrayBuffer, StringFromCharCode, Uint8Array, Uint16Array } from "../../ffi/primordials.ts";
import type { Fail } from "../errno.ts";
import type { ErrorFactory } from "../types.ts";
import type { Kernel } from "./kernel.ts";

export const ERROR_INVALID_HANDLE = 6;
export const ERROR_LOCK_VIOLATION = 33;
export const ERROR_NOT_SUPPORTED = 50;
export const ERROR_NOT_LOCKED = 158;
export const ERROR_ALREADY_EXISTS = 183;
export const ERROR_FILE_INVALID = 1006;
export const ERROR_USER_MAPPED_FILE = 1224;

/** `FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS` */
const SYSTEM_MESSAGE = 0x1200;

/** The longest message that is read, in UTF-16 units. */
const LONGEST_MESSAGE = 512;

/** Win32's error numbers by POSIX's names, so that programs need only one name for each. */
const CODES: Readonly<Record<number, string>> = {
  1: "EINVAL", // ERROR_INVALID_FUNCTION
  2: "ENOENT", // ERROR_FILE_NOT_FOUND
  3: "ENOENT", // ERROR_PATH_NOT_FOUND
  4: "EMFILE", // ERROR_TOO_MANY_OPEN_FILES
  5: "EACCES", // ERROR_ACCESS_DENIED
  6: "EBADF", // ERROR_INVALID_HANDLE
  8: "ENOMEM", // ERROR_NOT_ENOUGH_MEMORY
  14: "ENOMEM", // ERROR_OUTOFMEMORY
  19: "EROFS", // ERROR_WRITE_PROTECT
  23: "EIO", // ERROR_CRC
  32: "EBUSY", // ERROR_SHARING_VIOLATION
  33: "EBUSY", // ERROR_LOCK_VIOLATION
  39: "ENOSPC", // ERROR_HANDLE_DISK_FULL
  50: "ENOTSUP", // ERROR_NOT_SUPPORTED
  87: "EINVAL", // ERROR_INVALID_PARAMETER
  112: "ENOSPC", // ERROR_DISK_FULL
  123: "ENOENT", // ERROR_INVALID_NAME
  170: "EBUSY", // ERROR_BUSY
  183: "EEXIST", // ERROR_ALREADY_EXISTS
  206: "ENAMETOOLONG", // ERROR_FILENAME_EXCED_RANGE
  223: "EFBIG", // ERROR_FILE_TOO_LARGE
  487: "EFAULT", // ERROR_INVALID_ADDRESS
  998: "EFAULT", // ERROR_NOACCESS
  1006: "ESTALE", // ERROR_FILE_INVALID
  1117: "EIO", // ERROR_IO_DEVICE
  1132: "EINVAL", // ERROR_MAPPED_ALIGNMENT
  1224: "EBUSY", // ERROR_USER_MAPPED_FILE
  1450: "ENOMEM", // ERROR_NO_SYSTEM_RESOURCES
  1453: "ENOMEM", // ERROR_WORKING_SET_QUOTA
  1455: "ENOMEM", // ERROR_COMMITMENT_LIMIT
  1816: "ENOMEM", // ERROR_NOT_ENOUGH_QUOTA
};

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
    let message = "";
    for (let index = 0; index < length; index++) message += StringFromCharCode(units[index] as number);
    const meaning = message.trim().replace(/\.$/, "") || `error ${number}`;
    const advice = ADVICE[number];
    throw errors.system(
      syscall,
      number,
      CODES[number] ?? "UNKNOWN",
      advice === undefined ? meaning : `${meaning}: ${advice}`,
    );
  };
}
