/**
 * Windows 10 and later, through kernel32 and the universal C runtime.
 *
 * @see https://learn.microsoft.com/en-us/windows/win32/memory/file-mapping
 * @module
 */

import { ArrayBuffer, StringPrototypeIncludes, Uint8Array, Uint32Array } from "../../ffi/primordials.ts";
import type { Ffi } from "../../ffi/types.ts";
import { memoryFunctions } from "../libc.ts";
import type { Constants, ErrorFactory, Platform, Protection, ProtectionRequest } from "../types.ts";
import { errorReader } from "./errors.ts";
import { fileFunctions } from "./files.ts";
import { KERNEL, type Kernel, SIGNATURES } from "./kernel.ts";
import { MADV_WILLNEED, mappingFunctions } from "./mapping.ts";
import { ownerLocks } from "./owner-locks.ts";
import {
  FILE_MAP_COPY,
  FILE_MAP_READ,
  FILE_MAP_WRITE,
  PAGE_READONLY,
  PAGE_READWRITE,
  PAGE_WRITECOPY,
} from "./views.ts";

/** Windows has no `PROT_*`, `MAP_*` and `MS_*`, and of the advices only the equivalent of one. */
export const constants: Constants = { MADV_WILLNEED };

/** `dwAllocationGranularity` of every Windows: where a view may begin in its file, and in memory. */
export const granularity = 65_536;

/** Where `SYSTEM_INFO` has what is read of it: integers of 32 bits, in bytes. */
export const SYSTEM_INFO = { length: 48, fields: { dwPageSize: 4, dwAllocationGranularity: 40 } } as const;

export function windowsPlatform(ffi: Ffi, errors: ErrorFactory): Platform {
  const kernel = ffi.open(KERNEL, SIGNATURES);
  const fail = errorReader(kernel, errors);
  const { handleOf, ...files } = fileFunctions(ffi, kernel, fail);
  const memory = memoryFunctions(ffi, ["ucrtbase.dll"], false);
  const { pageSize, allocationGranularity } = systemInfo(kernel);
  return {
    pageSize,
    allocationGranularity,
    canView: ffi.readInt32 === undefined,
    maxViewLength: ffi.maxViewLength,
    smallCopyLimit: ffi.smallCopyLimit,
    operationsKeepBuffers: ffi.operationsKeepBuffers,
    // Zeros count as used memory.
    canLeaveAddresses: false,
    canTruncateMappedFiles: false,
    mappingExtendsFile: true,
    hasRealDescriptors: false,
    protection,
    ...mappingFunctions(ffi, kernel, pageSize, handleOf, fail),
    ...files,
    view: (address, length) => ffi.view(address, length),
    ...memory,
    guard: undefined,
    residency: undefined,
    // WaitOnAddress wakes threads of its own process only.
    waiting: undefined,
    ownerLocks: ownerLocks(ffi, kernel, handleOf, fail),
    mirror: undefined,
  };
}

function systemInfo(kernel: Kernel): { pageSize: number; allocationGranularity: number } {
  const { length, fields } = SYSTEM_INFO;
  const buffer = new ArrayBuffer(length);
  kernel.GetSystemInfo(new Uint8Array(buffer));
  const info = new Uint32Array(buffer);
  const word = (at: number) => info[at / 4] as number;
  return { pageSize: word(fields.dwPageSize), allocationGranularity: word(fields.dwAllocationGranularity) };
}

function protection({ descriptor, access, prot, flags, tagname }: ProtectionRequest): Protection {
  if (prot !== undefined) throw new TypeError(`prot is supported on POSIX only; on Windows, use access: got ${prot}`);
  if (flags !== undefined)
    throw new TypeError(`flags is supported on POSIX only; on Windows, use access: got ${flags}`);
  if (tagname !== undefined && StringPrototypeIncludes(tagname, "\0")) {
    throw new TypeError(`tagname must not contain a NUL character: got ${JSON.stringify(tagname)}`);
  }
  const page = access === "read" ? PAGE_READONLY : access === "copy" ? PAGE_WRITECOPY : PAGE_READWRITE;
  const view = access === "read" ? FILE_MAP_READ : access === "copy" ? FILE_MAP_COPY : FILE_MAP_WRITE;
  const anonymous = descriptor === -1;
  return {
    // The paging file is always writable; the view decides what may be done with the memory.
    prot: anonymous ? PAGE_READWRITE : page,
    flags: view,
    readable: true,
    writable: access !== "read",
    // A view may end anywhere, but not past the end of its file.
    unit: 1,
    // Memory from the paging file has no file to be written to, and is copied when its length changes.
    shared: view === FILE_MAP_WRITE && !anonymous,
    common: view !== FILE_MAP_COPY,
    name: tagname === "" ? undefined : tagname,
  };
}
