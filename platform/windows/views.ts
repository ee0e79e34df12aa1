/**
 * Views of mapping objects that can be replaced in place, by placeholders: address ranges that stay reserved when the view
 * is gone. Windows has them since version 1803.
 *
 * @see https://learn.microsoft.com/en-us/windows/win32/api/memoryapi/nf-memoryapi-virtualalloc2
 * @module
 */

import { Map, MapPrototypeDelete, MapPrototypeSet, MathCeil } from "../../ffi/primordials.ts";
import type { Ffi } from "../../ffi/types.ts";
import type { Fail } from "../errno.ts";
import { high, type Kernel, low, THIS_PROCESS } from "./kernel.ts";

export const SIGNATURES = {
  // PVOID VirtualAlloc2(HANDLE Process, PVOID BaseAddress, SIZE_T Size, ULONG AllocationType, ULONG PageProtection,
  //   MEM_EXTENDED_PARAMETER *ExtendedParameters, ULONG ParameterCount);
  VirtualAlloc2: { parameters: ["i64", "pointer", "usize", "u32", "u32", "pointer", "u32"], result: "pointer" },
  // PVOID MapViewOfFile3(HANDLE FileMapping, HANDLE Process, PVOID BaseAddress, ULONG64 Offset, SIZE_T ViewSize,
  //   ULONG AllocationType, ULONG PageProtection, MEM_EXTENDED_PARAMETER *ExtendedParameters, ULONG ParameterCount);
  MapViewOfFile3: {
    parameters: ["i64", "i64", "pointer", "i64", "usize", "u32", "u32", "pointer", "u32"],
    result: "pointer",
  },
  // BOOL UnmapViewOfFile2(HANDLE Process, PVOID BaseAddress, ULONG UnmapFlags);
  UnmapViewOfFile2: { parameters: ["i64", "pointer", "u32"], result: "i32" },
  // BOOL VirtualFree(LPVOID lpAddress, SIZE_T dwSize, DWORD dwFreeType);
  VirtualFree: { parameters: ["pointer", "usize", "u32"], result: "i32" },
} as const;

export const NUMBERS = {
  FILE_MAP_COPY: 0x1,
  FILE_MAP_WRITE: 0x2,
  FILE_MAP_READ: 0x4,
  MEM_COMMIT: 0x1000,
  MEM_RESERVE: 0x2000,
  MEM_REPLACE_PLACEHOLDER: 0x4000,
  MEM_RESERVE_PLACEHOLDER: 0x40000,
  MEM_PRESERVE_PLACEHOLDER: 0x2,
  MEM_RELEASE: 0x8000,
  PAGE_NOACCESS: 0x01,
  PAGE_READONLY: 0x02,
  PAGE_READWRITE: 0x04,
  PAGE_WRITECOPY: 0x08,
} as const;

export const { FILE_MAP_COPY, FILE_MAP_READ, FILE_MAP_WRITE, PAGE_READONLY, PAGE_READWRITE, PAGE_WRITECOPY } = NUMBERS;
const { MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_NOACCESS } = NUMBERS;
const { MEM_PRESERVE_PLACEHOLDER, MEM_REPLACE_PLACEHOLDER, MEM_RESERVE_PLACEHOLDER } = NUMBERS;

/** A view; or, if its address is 0, the function that failed, and its error. */
interface MappedView {
  readonly address: number;
  readonly syscall: string;
  readonly error: number;
}

/** Functions that map parts of mapping objects. */
export interface ViewFunctions {
  mapView(object: number, access: number, offset: number, length: number): MappedView;
  unmap(address: number): void;
  /** Replaces a view by private zeros. Undefined before Windows 10, version 1803. */
  readonly replace: ((address: number, length: number) => void) | undefined;
}

export function viewFunctions(ffi: Ffi, kernel: Kernel, pageSize: number, fail: Fail): ViewFunctions {
  const placeholders = openPlaceholders(ffi);
  if (placeholders === undefined) {
    return {
      mapView(object, access, offset, length) {
        const address = kernel.MapViewOfFile(object, access, high(offset), low(offset), length);
        return { address, syscall: "MapViewOfFile", error: address === 0 ? kernel.GetLastError() : 0 };
      },
      unmap(address) {
        if (kernel.UnmapViewOfFile(address) === 0) fail("UnmapViewOfFile");
      },
      replace: undefined,
    };
  }
  const { MapViewOfFile3, UnmapViewOfFile2, VirtualAlloc2, VirtualFree } = placeholders;
  /** The views that were replaced, by their address. */
  const replaced = new Map<number, true>();
  const pages = (length: number) => MathCeil(length / pageSize) * pageSize;

  return {
    mapView(object, access, offset, length) {
      const kind = MEM_RESERVE + MEM_RESERVE_PLACEHOLDER;
      const place = VirtualAlloc2(THIS_PROCESS, 0, pages(length), kind, PAGE_NOACCESS, 0, 0);
      if (place === 0) return { address: 0, syscall: "VirtualAlloc2", error: kernel.GetLastError() };
      const page =
        access === FILE_MAP_READ ? PAGE_READONLY : access === FILE_MAP_COPY ? PAGE_WRITECOPY : PAGE_READWRITE;
      const address = MapViewOfFile3(object, THIS_PROCESS, place, offset, length, MEM_REPLACE_PLACEHOLDER, page, 0, 0);
      const error = address === 0 ? kernel.GetLastError() : 0;
      if (address === 0) VirtualFree(place, 0, MEM_RELEASE);
      return { address, syscall: "MapViewOfFile3", error };
    },
    unmap(address) {
      if (MapPrototypeDelete(replaced, address)) {
        if (VirtualFree(address, 0, MEM_RELEASE) === 0) fail("VirtualFree");
      } else if (kernel.UnmapViewOfFile(address) === 0) fail("UnmapViewOfFile");
    },
    replace(address, length) {
      // SAFETY: the placeholder keeps the addresses reserved between the two calls, so that no other memory gets them.
      if (UnmapViewOfFile2(THIS_PROCESS, address, MEM_PRESERVE_PLACEHOLDER) === 0) fail("UnmapViewOfFile2");
      MapPrototypeSet(replaced, address, true);
      const kind = MEM_RESERVE + MEM_COMMIT + MEM_REPLACE_PLACEHOLDER;
      if (VirtualAlloc2(THIS_PROCESS, address, pages(length), kind, PAGE_READWRITE, 0, 0) === 0) fail("VirtualAlloc2");
    },
  };
}

function openPlaceholders(ffi: Ffi) {
  try {
    return ffi.open(["kernelbase.dll"], SIGNATURES);
  } catch {
    return undefined;
  }
}
