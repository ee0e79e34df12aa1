/**
 * Windows 10 and later, through kernel32 and the universal C runtime.
 *
 * What `duplicate` gives are handles. They and the runtime's file descriptors are both small integers, so a handle is
 * moved up by 2^32 before it leaves this file: one function takes both.
 *
 * @see https://learn.microsoft.com/en-us/windows/win32/memory/file-mapping
 * @module
 */

import { lengthOf } from "../ffi/array-buffer.ts";
import { builtins } from "../ffi/builtins.ts";
import type { Ffi, Functions } from "../ffi/types.ts";
import { findBytes, findLastBytes, found, type SearchPrimitives } from "./memmem.ts";
import type { Constants, ErrorFactory, MapRequest, Platform, Protection, ProtectionRequest } from "./types.ts";

/** Windows has no `PROT_*`, `MAP_*` and `MS_*`, and of the advices one that does the same; its number is every system's. */
export const constants: Constants = { MADV_WILLNEED: 3 };

/** `dwAllocationGranularity` of every Windows: where a view may begin in its file, and in memory. */
export const granularity = 65_536;

const PAGE_READONLY = 0x02;
const PAGE_READWRITE = 0x04;
const PAGE_WRITECOPY = 0x08;
const FILE_MAP_COPY = 0x1;
const FILE_MAP_WRITE = 0x2;
const FILE_MAP_READ = 0x4;
const GENERIC_READ = 0x80000000;
const GENERIC_WRITE = 0x40000000;
/** `FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE`: as `node:fs` opens files. */
const FILE_SHARE_ALL = 0x7;
const OPEN_EXISTING = 3;
const FILE_ATTRIBUTE_NORMAL = 0x80;
const FILE_TYPE_DISK = 1;
const FILE_END_OF_FILE_INFO = 6;
const DUPLICATE_SAME_ACCESS = 0x2;
const INVALID_HANDLE_VALUE = -1;
/** What `GetCurrentProcess()` returns: a constant that stands for the calling process. */
const THIS_PROCESS = -1;

const ERROR_INVALID_HANDLE = 6;
const ERROR_LOCK_VIOLATION = 33;
const ERROR_NOT_SUPPORTED = 50;
const ERROR_NOT_LOCKED = 158;
const ERROR_ALREADY_EXISTS = 183;
const ERROR_FILE_INVALID = 1006;
const ERROR_USER_MAPPED_FILE = 1224;

/**
 * How often a flush is tried that NTFS refuses with ERROR_LOCK_VIOLATION, which it does for a moment now and then, with
 * waits of 2, 4, 8 … ms between: 1 s in all. .NET's memory-mapped files try again too.
 */
const FLUSH_TRIES = 10;

// Each entry has its C prototype beside it. BOOL is an int, DWORD a uint32_t, SIZE_T a size_t; a HANDLE is read as a
// signed integer, so that INVALID_HANDLE_VALUE is -1.
const SIGNATURES = {
  // HANDLE CreateFileW(LPCWSTR lpFileName, DWORD dwDesiredAccess, DWORD dwShareMode,
  //   LPSECURITY_ATTRIBUTES lpSecurityAttributes, DWORD dwCreationDisposition, DWORD dwFlagsAndAttributes,
  //   HANDLE hTemplateFile);
  CreateFileW: { parameters: ["bytes", "u32", "u32", "pointer", "u32", "u32", "i64"], result: "i64" },
  // HANDLE CreateFileMappingW(HANDLE hFile, LPSECURITY_ATTRIBUTES lpFileMappingAttributes, DWORD flProtect,
  //   DWORD dwMaximumSizeHigh, DWORD dwMaximumSizeLow, LPCWSTR lpName); here without a name
  CreateFileMappingW: { parameters: ["i64", "pointer", "u32", "u32", "u32", "pointer"], result: "i64" },
  // HANDLE OpenFileMappingW(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCWSTR lpName);
  OpenFileMappingW: { parameters: ["u32", "i32", "bytes"], result: "i64" },
  // LPVOID MapViewOfFile(HANDLE hFileMappingObject, DWORD dwDesiredAccess, DWORD dwFileOffsetHigh,
  //   DWORD dwFileOffsetLow, SIZE_T dwNumberOfBytesToMap);
  MapViewOfFile: { parameters: ["i64", "u32", "u32", "u32", "usize"], result: "pointer" },
  // BOOL UnmapViewOfFile(LPCVOID lpBaseAddress);
  UnmapViewOfFile: { parameters: ["pointer"], result: "i32" },
  // BOOL FlushViewOfFile(LPCVOID lpBaseAddress, SIZE_T dwNumberOfBytesToFlush);
  FlushViewOfFile: { parameters: ["pointer", "usize"], result: "i32" },
  // void Sleep(DWORD dwMilliseconds);
  Sleep: { parameters: ["u32"], result: "void" },
  // BOOL FlushFileBuffers(HANDLE hFile);
  FlushFileBuffers: { parameters: ["i64"], result: "i32" },
  // BOOL PrefetchVirtualMemory(HANDLE hProcess, ULONG_PTR NumberOfEntries, PWIN32_MEMORY_RANGE_ENTRY VirtualAddresses,
  //   ULONG Flags);
  PrefetchVirtualMemory: { parameters: ["i64", "usize", "bytes", "u32"], result: "i32" },
  // BOOL VirtualLock(LPVOID lpAddress, SIZE_T dwSize);
  VirtualLock: { parameters: ["pointer", "usize"], result: "i32" },
  // BOOL VirtualUnlock(LPVOID lpAddress, SIZE_T dwSize);
  VirtualUnlock: { parameters: ["pointer", "usize"], result: "i32" },
  // DWORD GetFileType(HANDLE hFile);
  GetFileType: { parameters: ["i64"], result: "u32" },
  // BOOL GetFileSizeEx(HANDLE hFile, PLARGE_INTEGER lpFileSize);
  GetFileSizeEx: { parameters: ["i64", "bytes"], result: "i32" },
  // BOOL GetFileInformationByHandle(HANDLE hFile, LPBY_HANDLE_FILE_INFORMATION lpFileInformation);
  GetFileInformationByHandle: { parameters: ["i64", "bytes"], result: "i32" },
  // BOOL SetFileInformationByHandle(HANDLE hFile, FILE_INFO_BY_HANDLE_CLASS FileInformationClass,
  //   LPVOID lpFileInformation, DWORD dwBufferSize);
  SetFileInformationByHandle: { parameters: ["i64", "i32", "bytes", "u32"], result: "i32" },
  // BOOL DuplicateHandle(HANDLE hSourceProcessHandle, HANDLE hSourceHandle, HANDLE hTargetProcessHandle,
  //   LPHANDLE lpTargetHandle, DWORD dwDesiredAccess, BOOL bInheritHandle, DWORD dwOptions);
  DuplicateHandle: { parameters: ["i64", "i64", "i64", "bytes", "u32", "i32", "u32"], result: "i32" },
  // BOOL CloseHandle(HANDLE hObject);
  CloseHandle: { parameters: ["i64"], result: "i32" },
  // void GetSystemInfo(LPSYSTEM_INFO lpSystemInfo);
  GetSystemInfo: { parameters: ["bytes"], result: "void" },
  // DWORD GetLastError(void);
  GetLastError: { parameters: [], result: "u32" },
  // DWORD FormatMessageW(DWORD dwFlags, LPCVOID lpSource, DWORD dwMessageId, DWORD dwLanguageId, LPWSTR lpBuffer,
  //   DWORD nSize, va_list *Arguments);
  FormatMessageW: { parameters: ["u32", "pointer", "u32", "u32", "bytes", "u32", "pointer"], result: "u32" },
} as const;

// The same function with other types, for which the library is opened a second time.
const NAMED_SIGNATURES = {
  // HANDLE CreateFileMappingW(…, LPCWSTR lpName); here with a name
  CreateFileMappingW: { parameters: ["i64", "pointer", "u32", "u32", "u32", "bytes"], result: "i64" },
} as const;

const C_SIGNATURES = {
  // void *memchr(const void *s, int c, size_t n);
  memchr: { parameters: ["pointer", "i32", "usize"], result: "pointer" },
  // int memcmp(const void *s1, const void *s2, size_t n);
  memcmp: { parameters: ["pointer", "bytes", "usize"], result: "i32" },
  // void *memmove(void *dest, const void *src, size_t n);
  memmove: { parameters: ["pointer", "pointer", "usize"], result: "pointer" },
  // void *memcpy(void *dest, const void *src, size_t n); here out of mapped memory
  memcpy: { parameters: ["bytes", "pointer", "usize"], result: "pointer" },
} as const;

const STORE_SIGNATURES = {
  // void *memmove(void *dest, const void *src, size_t n); here into mapped memory, of which the source may be a view
  memmove: { parameters: ["pointer", "bytes", "usize"], result: "pointer" },
} as const;

const DESCRIPTOR_SIGNATURES = {
  // uv_os_fd_t uv_get_osfhandle(int fd); INVALID_HANDLE_VALUE for what is no descriptor
  uv_get_osfhandle: { parameters: ["i32"], result: "i64" },
} as const;

type Kernel = Functions<typeof SIGNATURES>;

/** Throws what `GetLastError` says about the call `syscall`, or the given error number. */
type Fail = (syscall: string, number?: number) => never;

export function windowsPlatform(ffi: Ffi, errors: ErrorFactory): Platform {
  const kernel = ffi.open(["kernel32.dll"], SIGNATURES);
  const fail = errorReader(kernel, errors);
  const { handleOf, ...files } = fileFunctions(ffi, kernel, fail);
  const { pageSize, allocationGranularity } = systemInfo(kernel);
  return {
    pageSize,
    allocationGranularity,
    maxViewLength: ffi.maxViewLength,
    smallCopyLimit: ffi.smallCopyLimit,
    canTruncateMappedFiles: false,
    mappingExtendsFile: true,
    hasRealDescriptors: false,
    protection,
    ...mappingFunctions(ffi, kernel, handleOf, fail),
    ...files,
    view: (address, length) => ffi.view(address, length),
    ...memoryFunctions(ffi),
    guard: undefined,
    residency: undefined,
  };
}

function systemInfo(kernel: Kernel): { pageSize: number; allocationGranularity: number } {
  // SYSTEM_INFO has 48 bytes: dwPageSize is at 4, dwAllocationGranularity at 40.
  const info = new Uint32Array(12);
  kernel.GetSystemInfo(new Uint8Array(info.buffer));
  return { pageSize: info[1] as number, allocationGranularity: info[10] as number };
}

function protection({ descriptor, access, prot, flags, tagname }: ProtectionRequest): Protection {
  if (prot !== undefined) throw new TypeError(`prot is POSIX's; on Windows give access: got ${prot}`);
  if (flags !== undefined) throw new TypeError(`flags is POSIX's; on Windows give access: got ${flags}`);
  if (tagname?.includes("\0")) {
    throw new TypeError(`tagname must not contain a NUL character: got ${JSON.stringify(tagname)}`);
  }
  const page = access === "read" ? PAGE_READONLY : access === "copy" ? PAGE_WRITECOPY : PAGE_READWRITE;
  const view = access === "read" ? FILE_MAP_READ : access === "copy" ? FILE_MAP_COPY : FILE_MAP_WRITE;
  const anonymous = descriptor === -1;
  return {
    // The paging file is always writable; what may be done with it is up to the view.
    prot: anonymous ? PAGE_READWRITE : page,
    flags: view,
    readable: true,
    writable: access !== "read",
    // A view ends where it is told to, and not behind the end of its file.
    unit: 1,
    // Memory from the paging file has no file to be written to, and is copied when its length changes.
    shared: view === FILE_MAP_WRITE && !anonymous,
    name: tagname === "" ? undefined : tagname,
  };
}

/** What works on mappings. */
function mappingFunctions(ffi: Ffi, kernel: Kernel, handleOf: (descriptor: number) => number, fail: Fail) {
  const withName = ffi.open(["kernel32.dll"], NAMED_SIGNATURES);
  const { memmove } = ffi.open(["ucrtbase.dll"], C_SIGNATURES);
  /**
   * Mapping objects by the address of their view, where more than the view is needed of them: a name lasts as long as a
   * handle of its object is open, and a map for reading is mapped again for what the user sees of it.
   */
  const objects = new Map<number, { handle: number; offset: number }>();
  /** The name that is free for the next mapping alone: who takes it in between makes an object of another length. */
  let freed: string | undefined;

  function createObject({ descriptor, offset, length, protection: { prot, name } }: MapRequest): number {
    const file = descriptor === -1 ? INVALID_HANDLE_VALUE : handleOf(descriptor);
    const size = offset + length;
    const object =
      name === undefined
        ? kernel.CreateFileMappingW(file, 0, prot, high(size), low(size), 0)
        : withName.CreateFileMappingW(file, 0, prot, high(size), low(size), wide(name));
    const taken = freed === name && name !== undefined && kernel.GetLastError() === ERROR_ALREADY_EXISTS;
    freed = undefined;
    if (object === 0) fail("CreateFileMappingW");
    if (!taken) return object;
    kernel.CloseHandle(object);
    return fail("CreateFileMappingW", ERROR_USER_MAPPED_FILE);
  }

  function map(request: MapRequest): number {
    const { offset, length, protection } = request;
    const object = createObject(request);
    const address = kernel.MapViewOfFile(object, protection.flags, high(offset), low(offset), length);
    try {
      if (address === 0) fail("MapViewOfFile");
    } finally {
      const needed = protection.name !== undefined || protection.flags === FILE_MAP_READ;
      // The view by itself keeps the object alive.
      if (address === 0 || !needed) kernel.CloseHandle(object);
      else objects.set(address, { handle: object, offset });
    }
    return address;
  }

  function unmap(address: number): void {
    if (kernel.UnmapViewOfFile(address) === 0) fail("UnmapViewOfFile");
    const object = objects.get(address);
    objects.delete(address);
    if (object !== undefined) kernel.CloseHandle(object.handle);
  }

  function flush(address: number, length: number, descriptor: number): void {
    for (let tries = 1; kernel.FlushViewOfFile(address, length) === 0; tries++) {
      const number = kernel.GetLastError();
      if (number !== ERROR_LOCK_VIOLATION || tries === FLUSH_TRIES) fail("FlushViewOfFile", number);
      kernel.Sleep(2 ** tries);
    }
    // That only began to write; this waits.
    if (descriptor !== -1 && kernel.FlushFileBuffers(handleOf(descriptor)) === 0) fail("FlushFileBuffers");
  }

  return {
    map,
    unmap,
    remap(address: number, length: number, request: MapRequest): number {
      const moved = map(request);
      if (request.descriptor === -1) memmove(moved, address, Math.min(length, request.length));
      unmap(address);
      return moved;
    },
    releaseName(address: number, name: string): void {
      const object = objects.get(address);
      if (object === undefined) return;
      objects.delete(address);
      kernel.CloseHandle(object.handle);
      const other = kernel.OpenFileMappingW(FILE_MAP_READ, 0, wide(name));
      if (other === 0) {
        freed = name;
        return;
      }
      // Somebody else has the name, and it still leads to the same object: take it back.
      objects.set(address, { ...object, handle: other });
      fail("CreateFileMappingW", ERROR_USER_MAPPED_FILE);
    },
    mapPrivateView(address: number, offset: number, length: number): number {
      const { handle, offset: start } = objects.get(address) as { handle: number; offset: number };
      const from = start + offset;
      // The whole length counts as used memory, which is why the map itself is no such copy.
      const copy = kernel.MapViewOfFile(handle, FILE_MAP_COPY, high(from), low(from), length);
      if (copy === 0) fail("MapViewOfFile");
      return copy;
    },
    // A mapped file can't be cut, so no page of a mapping ever goes away before the mapping does.
    mapZeros(): void {},
    flush,
    // FlushFileBuffers has no other way than to wait for it: it ignores FILE_FLAG_OVERLAPPED.
    async flushAsync(address: number, length: number, descriptor: number): Promise<void> {
      flush(address, length, descriptor);
    },
    advise(address: number, length: number, advice: number): void {
      if (advice !== constants.MADV_WILLNEED) {
        throw new RangeError(`option must be one of this system's MADV_* constants: ${advice} is not one`);
      }
      // No bytes are an error to Windows, and nothing to do elsewhere.
      if (length === 0) return;
      // One WIN32_MEMORY_RANGE_ENTRY: PVOID VirtualAddress, SIZE_T NumberOfBytes.
      const range = new BigUint64Array([BigInt(address), BigInt(length)]);
      if (kernel.PrefetchVirtualMemory(THIS_PROCESS, 1, new Uint8Array(range.buffer), 0) === 0) {
        fail("PrefetchVirtualMemory");
      }
    },
    lock(address: number, length: number): void {
      if (kernel.VirtualLock(address, length) === 0) fail("VirtualLock");
    },
    unlock(address: number, length: number): void {
      if (kernel.VirtualUnlock(address, length) !== 0) return;
      const error = kernel.GetLastError();
      // POSIX unlocks what is not locked.
      if (error !== ERROR_NOT_LOCKED) fail("VirtualUnlock", error);
    },
    populate: () => false,
  };
}

/** What works on files. */
function fileFunctions(ffi: Ffi, kernel: Kernel, fail: Fail) {
  const handleOfDescriptor = descriptorReader(ffi);
  /** Handles of paths, by the descriptors that the runtime has for them: only where descriptors can't be read. */
  const opened = new Map<number, number>();
  const number = new BigInt64Array(1);
  const numberBytes = new Uint8Array(number.buffer);

  function handleOf(descriptor: number): number {
    if (descriptor >= OWN) return descriptor - OWN;
    const handle = opened.get(descriptor) ?? handleOfDescriptor?.(descriptor);
    if (handle === undefined) return fail("uv_get_osfhandle", ERROR_NOT_SUPPORTED);
    // INVALID_HANDLE_VALUE, or the -2 of a standard stream that leads nowhere.
    if (handle < 0) fail("uv_get_osfhandle", ERROR_INVALID_HANDLE);
    return handle;
  }

  function open(descriptor: number, path: string, writable: boolean): number {
    const access = writable ? GENERIC_READ + GENERIC_WRITE : GENERIC_READ;
    const name = wide(builtins().toNamespacedPath(path));
    const handle = kernel.CreateFileW(name, access, FILE_SHARE_ALL, 0, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, 0);
    if (handle === INVALID_HANDLE_VALUE) fail("CreateFileW");
    if (isFileOf(handle, descriptor)) return handle;
    kernel.CloseHandle(handle);
    return fail("CreateFileW", ERROR_FILE_INVALID);
  }

  /** Is it the file that the runtime opened, and so allowed? The path may lead to another one by now. */
  function isFileOf(handle: number, descriptor: number): boolean {
    // BY_HANDLE_FILE_INFORMATION: dwVolumeSerialNumber is at 28, nFileIndexHigh at 44, nFileIndexLow at 48.
    const info = new Uint32Array(13);
    if (kernel.GetFileInformationByHandle(handle, new Uint8Array(info.buffer)) === 0) return false;
    const { dev, ino } = builtins().fstatSync(descriptor, { bigint: true });
    const index = (BigInt(info[11] as number) << 32n) | BigInt(info[12] as number);
    return dev === BigInt(info[7] as number) && ino === index;
  }

  return {
    handleOf,
    withPath<T>(descriptor: number, path: string, writable: boolean, use: () => T): T {
      if (handleOfDescriptor !== undefined) return use();
      const handle = open(descriptor, path, writable);
      opened.set(descriptor, handle);
      try {
        return use();
      } finally {
        opened.delete(descriptor);
        kernel.CloseHandle(handle);
      }
    },
    status(descriptor: number) {
      const handle = handleOf(descriptor);
      if (kernel.GetFileType(handle) !== FILE_TYPE_DISK) return { regular: false, size: 0 };
      if (kernel.GetFileSizeEx(handle, numberBytes) === 0) fail("GetFileSizeEx");
      return { regular: true, size: Number(number[0]) };
    },
    truncate(descriptor: number, size: number): void {
      // Not SetEndOfFile, which needs the file's position moved: the user's descriptor shares it.
      number[0] = BigInt(size);
      const handle = handleOf(descriptor);
      if (kernel.SetFileInformationByHandle(handle, FILE_END_OF_FILE_INFO, numberBytes, 8) === 0) {
        fail("SetFileInformationByHandle");
      }
    },
    // A file that grows gets its clusters at once, unless somebody has made it sparse, which this library does not.
    allocateBlocks(): void {},
    duplicate(descriptor: number): number {
      const handle = handleOf(descriptor);
      const { DuplicateHandle } = kernel;
      if (DuplicateHandle(THIS_PROCESS, handle, THIS_PROCESS, numberBytes, 0, 0, DUPLICATE_SAME_ACCESS) === 0) {
        fail("DuplicateHandle");
      }
      return OWN + Number(number[0]);
    },
    closeDescriptor(descriptor: number): void {
      if (kernel.CloseHandle(handleOf(descriptor)) === 0) fail("CloseHandle");
    },
    // Anonymous memory changes its length without one.
    anonymousFile: () => -1,
  };
}

/** What is added to a handle, to tell it from a descriptor. */
const OWN = 2 ** 32;

/** The function that finds a descriptor's handle. The table of descriptors is the runtime's own; not all let others read it. */
function descriptorReader(ffi: Ffi): ((descriptor: number) => number) | undefined {
  try {
    return ffi.open([builtins().process.execPath], DESCRIPTOR_SIGNATURES).uv_get_osfhandle;
  } catch {
    return undefined;
  }
}

function memoryFunctions(ffi: Ffi) {
  const c = ffi.open(["ucrtbase.dll"], C_SIGNATURES);
  const store = ffi.open(["ucrtbase.dll"], STORE_SIGNATURES);
  const memory: SearchPrimitives = {
    findByte: (address: number, length: number, byte: number) => found(address, c.memchr(address, byte, length)),
    equals: (address: number, bytes: Uint8Array) => c.memcmp(address, bytes, lengthOf(bytes)) === 0,
    load(address: number, target: Uint8Array, length: number): void {
      if (length > 0) c.memcpy(target, address, length);
    },
    findLastByte: undefined,
    findSequence: undefined,
  };
  return {
    findByte: memory.findByte,
    load: memory.load,
    findBytes: (address: number, length: number, needle: Uint8Array) => findBytes(memory, address, length, needle),
    findLastBytes: (address: number, length: number, needle: Uint8Array) =>
      findLastBytes(memory, address, length, needle),
    move(destination: number, source: number, length: number): void {
      c.memmove(destination, source, length);
    },
    store(address: number, source: Uint8Array, length: number): void {
      if (length > 0) store.memmove(address, source, length);
    },
  };
}

// --- Strings and numbers -----------------------------------------------------------------------------------------------

/** A string in UTF-16 with a NUL behind it. */
function wide(text: string): Uint8Array {
  const units = new Uint16Array(text.length + 1);
  for (let index = 0; index < text.length; index++) units[index] = text.charCodeAt(index);
  return new Uint8Array(units.buffer);
}

/** The two DWORDs of a 64-bit integer. */
function high(value: number): number {
  return Math.floor(value / 2 ** 32);
}

function low(value: number): number {
  return value % 2 ** 32;
}

// --- Errors ------------------------------------------------------------------------------------------------------------

/** `FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS` */
const SYSTEM_MESSAGE = 0x1200;

/** Win32's error numbers as POSIX names them, so that a program has one name to ask for. */
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

/** What the library has to add to the system's words. */
const ADVICE: Readonly<Record<number, string>> = {
  [ERROR_NOT_SUPPORTED]: "this runtime does not tell which file a descriptor stands for: use MMap.open(path)",
  [ERROR_USER_MAPPED_FILE]: "another map, or a view of this one, is in use",
};

function errorReader(kernel: Kernel, errors: ErrorFactory): Fail {
  const units = new Uint16Array(512);
  return (syscall, number = kernel.GetLastError()) => {
    const buffer = new Uint8Array(units.buffer);
    const length = kernel.FormatMessageW(SYSTEM_MESSAGE, 0, number, 0, buffer, units.length, 0);
    const said = String.fromCharCode(...units.subarray(0, length))
      .trim()
      .replace(/\.$/, "");
    const meaning = [said || `error ${number}`, ADVICE[number]].filter(Boolean).join(": ");
    throw errors.system(syscall, number, CODES[number] ?? "UNKNOWN", meaning);
  };
}
