/**
 * The functions of kernel32.dll, and what their arguments are made of.
 *
 * @module
 */

import { ArrayBuffer, MathFloor, StringPrototypeCharCodeAt, Uint8Array, Uint16Array } from "../../ffi/primordials.ts";
import type { Functions } from "../../ffi/types.ts";

export const KERNEL = ["kernel32.dll"];

/** What `GetCurrentProcess()` returns: a constant that stands for the calling process. */
export const THIS_PROCESS = -1;

export const INVALID_HANDLE_VALUE = -1;

// Each entry has its C prototype beside it. BOOL is an int, DWORD a uint32_t, SIZE_T a size_t; a HANDLE is read as a
// signed integer, so that INVALID_HANDLE_VALUE is -1.
export const SIGNATURES = {
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

export type Kernel = Functions<typeof SIGNATURES>;

/** A string in UTF-16 with a NUL after it. */
export function utf16(text: string): Uint8Array {
  const buffer = new ArrayBuffer(2 * (text.length + 1));
  const units = new Uint16Array(buffer);
  for (let index = 0; index < text.length; index++) units[index] = StringPrototypeCharCodeAt(text, index);
  return new Uint8Array(buffer);
}

/** The high DWORD of a 64-bit integer. */
export function high(value: number): number {
  return MathFloor(value / 2 ** 32);
}

/** The low DWORD of a 64-bit integer. */
export function low(value: number): number {
  return value % 2 ** 32;
}
