/**
 * Files on Windows: handles, the runtime's descriptors, sizes.
 *
 * What `duplicate` returns are handles. Handles and the runtime's descriptors are both small integers, so 2^32 is added to
 * a handle before it leaves this folder: one function takes both.
 *
 * @module
 */

import { builtins } from "../../ffi/builtins.ts";
import {
  ArrayBuffer,
  BigInt,
  BigInt64Array,
  Map,
  MapPrototypeDelete,
  MapPrototypeGet,
  MapPrototypeSet,
  Number,
  Uint8Array,
  Uint32Array,
} from "../../ffi/primordials.ts";
import type { Ffi } from "../../ffi/types.ts";
import type { Fail } from "../errno.ts";
import type { FileStatus } from "../types.ts";
import { ERROR_FILE_INVALID, ERROR_INVALID_HANDLE, ERROR_NOT_SUPPORTED } from "./errors.ts";
import { INVALID_HANDLE_VALUE, type Kernel, THIS_PROCESS, utf16 } from "./kernel.ts";

export const NUMBERS = {
  GENERIC_READ: 0x80000000,
  GENERIC_WRITE: 0x40000000,
  FILE_SHARE_READ: 0x1,
  FILE_SHARE_WRITE: 0x2,
  FILE_SHARE_DELETE: 0x4,
  OPEN_EXISTING: 3,
  FILE_ATTRIBUTE_NORMAL: 0x80,
  FILE_TYPE_DISK: 1,
  FileEndOfFileInfo: 6,
  DUPLICATE_SAME_ACCESS: 0x2,
} as const;

const { DUPLICATE_SAME_ACCESS, FILE_ATTRIBUTE_NORMAL, FILE_TYPE_DISK, FileEndOfFileInfo } = NUMBERS;
const { GENERIC_READ, GENERIC_WRITE, OPEN_EXISTING } = NUMBERS;

/** As `node:fs` opens files. */
const FILE_SHARE_ALL = NUMBERS.FILE_SHARE_READ | NUMBERS.FILE_SHARE_WRITE | NUMBERS.FILE_SHARE_DELETE;

/** Where `BY_HANDLE_FILE_INFORMATION` has what is read of it: integers of 32 bits, in bytes. */
export const FILE_INFORMATION = {
  length: 52,
  fields: { dwVolumeSerialNumber: 28, nFileIndexHigh: 44, nFileIndexLow: 48 },
} as const;

/** What is added to a handle, to tell it from a descriptor. */
const HANDLE_BASE = 2 ** 32;

export const DESCRIPTOR_SIGNATURES = {
  // uv_os_fd_t uv_get_osfhandle(int fd); INVALID_HANDLE_VALUE for what is no descriptor
  uv_get_osfhandle: { parameters: ["i32"], result: "i64" },
} as const;

/**
 * The function that returns a descriptor's handle. The table of descriptors is the runtime's; `undefined` if the runtime does
 * not export a function that reads it.
 */
function descriptorReader(ffi: Ffi): ((descriptor: number) => number) | undefined {
  try {
    return ffi.open([builtins().process.execPath], DESCRIPTOR_SIGNATURES).uv_get_osfhandle;
  } catch {
    return undefined;
  }
}

/** The part of the platform that works on files. */
export function fileFunctions(ffi: Ffi, kernel: Kernel, fail: Fail) {
  const handleOfDescriptor = descriptorReader(ffi);
  /** Handles of paths, by the runtime's descriptors for them. Used only if descriptors cannot be read. */
  const opened = new Map<number, number>();
  const buffer = new ArrayBuffer(8);
  const integer = new BigInt64Array(buffer);
  const integerBytes = new Uint8Array(buffer);

  function handleOf(descriptor: number): number {
    if (descriptor >= HANDLE_BASE) return descriptor - HANDLE_BASE;
    const handle = MapPrototypeGet(opened, descriptor) ?? handleOfDescriptor?.(descriptor);
    if (handle === undefined) return fail("uv_get_osfhandle", ERROR_NOT_SUPPORTED);
    // INVALID_HANDLE_VALUE, or -2 for a standard stream that is connected to nothing.
    if (handle < 0) fail("uv_get_osfhandle", ERROR_INVALID_HANDLE);
    return handle;
  }

  function open(descriptor: number, path: string, writable: boolean): number {
    const access = writable ? GENERIC_READ + GENERIC_WRITE : GENERIC_READ;
    const name = utf16(builtins().toNamespacedPath(path));
    const handle = kernel.CreateFileW(name, access, FILE_SHARE_ALL, 0, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, 0);
    if (handle === INVALID_HANDLE_VALUE) fail("CreateFileW");
    if (isFileOf(handle, descriptor)) return handle;
    kernel.CloseHandle(handle);
    return fail("CreateFileW", ERROR_FILE_INVALID);
  }

  /** Whether it is the file that the runtime opened, and thereby allowed. The path may lead to another file by now. */
  function isFileOf(handle: number, descriptor: number): boolean {
    const { length, fields } = FILE_INFORMATION;
    const info = new ArrayBuffer(length);
    if (kernel.GetFileInformationByHandle(handle, new Uint8Array(info)) === 0) return false;
    const words = new Uint32Array(info);
    const { dev, ino } = builtins().fstatSync(descriptor, { bigint: true });
    const word = (at: number) => BigInt(words[at / 4] as number);
    const index = (word(fields.nFileIndexHigh) << 32n) | word(fields.nFileIndexLow);
    return dev === word(fields.dwVolumeSerialNumber) && ino === index;
  }

  return {
    handleOf,
    withPath<T>(descriptor: number, path: string, writable: boolean, use: () => T): T {
      if (handleOfDescriptor !== undefined) return use();
      const handle = open(descriptor, path, writable);
      MapPrototypeSet(opened, descriptor, handle);
      try {
        return use();
      } finally {
        MapPrototypeDelete(opened, descriptor);
        kernel.CloseHandle(handle);
      }
    },
    status(descriptor: number): FileStatus {
      const handle = handleOf(descriptor);
      if (kernel.GetFileType(handle) !== FILE_TYPE_DISK) return { regular: false, size: 0, hugePageSize: undefined };
      if (kernel.GetFileSizeEx(handle, integerBytes) === 0) fail("GetFileSizeEx");
      return { regular: true, size: Number(integer[0]), hugePageSize: undefined };
    },
    fileLock: undefined,
    truncate(descriptor: number, size: number): void {
      // Not SetEndOfFile, which needs the file's position moved: the user's descriptor shares it.
      integer[0] = BigInt(size);
      const handle = handleOf(descriptor);
      if (kernel.SetFileInformationByHandle(handle, FileEndOfFileInfo, integerBytes, 8) === 0) {
        fail("SetFileInformationByHandle");
      }
    },
    // A growing file gets its clusters at once, unless somebody has made it sparse, which this library does not.
    allocateBlocks(): void {},
    duplicate(descriptor: number): number {
      const handle = handleOf(descriptor);
      const { DuplicateHandle } = kernel;
      if (DuplicateHandle(THIS_PROCESS, handle, THIS_PROCESS, integerBytes, 0, 0, DUPLICATE_SAME_ACCESS) === 0) {
        fail("DuplicateHandle");
      }
      return HANDLE_BASE + Number(integer[0]);
    },
    closeDescriptor(descriptor: number): void {
      if (kernel.CloseHandle(handleOf(descriptor)) === 0) fail("CloseHandle");
    },
    // Anonymous memory changes its length without a file.
    anonymousFile: () => -1,
  };
}
