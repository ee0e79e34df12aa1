/**
 * The functions of the C library that work on memory. Every system has them.
 *
 * @module
 */

import { lengthOf } from "../ffi/array-buffer.ts";
import { arch } from "../ffi/builtins.ts";
import { StringPrototypeCharCodeAt, Uint8Array } from "../ffi/primordials.ts";
import type { Ffi } from "../ffi/types.ts";
import { findBytes, findLastBytes, indexOfResult, listBytes, type SearchPrimitives } from "./memmem.ts";
import type { Platform } from "./types.ts";
import type { FindWord } from "./word-search.ts";

// Each entry has its C prototype beside it.
export const SIGNATURES = {
  // void *memchr(const void *s, int c, size_t n);
  memchr: { parameters: ["pointer", "i32", "usize"], result: "pointer" },
  // int memcmp(const void *s1, const void *s2, size_t n);
  memcmp: { parameters: ["pointer", "bytes", "usize"], result: "i32" },
  // void *memmove(void *dest, const void *src, size_t n);
  memmove: { parameters: ["pointer", "pointer", "usize"], result: "pointer" },
  // void *memcpy(void *dest, const void *src, size_t n); here out of mapped memory
  memcpy: { parameters: ["bytes", "pointer", "usize"], result: "pointer" },
} as const;

// The same functions with other types: the library is opened a second time for them.
export const STORE_SIGNATURES = {
  // void *memmove(void *dest, const void *src, size_t n); here into mapped memory, of which the source may be a view
  memmove: { parameters: ["pointer", "bytes", "usize"], result: "pointer" },
} as const;

export const FAST_SIGNATURES = {
  // void *memrchr(const void *s, int c, size_t n);
  memrchr: { parameters: ["pointer", "i32", "usize"], result: "pointer" },
  // void *memmem(const void *haystack, size_t haystacklen, const void *needle, size_t needlelen);
  memmem: { parameters: ["pointer", "usize", "bytes", "usize"], result: "pointer" },
} as const;

// For glibc on x64, where wchar_t has 4 bytes and the function is vectorized.
export const WORD_SIGNATURES = {
  // const char *gnu_get_libc_version(void); not called: no other C library has it
  gnu_get_libc_version: { parameters: [], result: "pointer" },
  // wchar_t *wmemchr(const wchar_t *s, wchar_t c, size_t n);
  wmemchr: { parameters: ["pointer", "i32", "usize"], result: "pointer" },
} as const;

/** The part of a platform that works on memory. */
type MemoryFunctions = Pick<
  Platform,
  "prepareSearch" | "findByte" | "findBytes" | "findLastBytes" | "listBytes" | "move" | "load" | "store"
>;

// SAFETY: C trusts the addresses and lengths. `lib/mapping/memory.ts` checks each range right before it becomes an address, and
// the arrays have the length that is passed, or are measured by `lengthOf`.

/** Opens the memory functions. `hasFastMemmem`: the library has memrchr, and a memmem that takes linear time. */
export function memoryFunctions(ffi: Ffi, libraries: readonly string[], hasFastMemmem: boolean): MemoryFunctions {
  const c = ffi.open(libraries, SIGNATURES);
  const intoMap = ffi.open(libraries, STORE_SIGNATURES);
  const primitives: SearchPrimitives = {
    findByte: (address, length, byte) => indexOfResult(address, c.memchr(address, byte, length)),
    equals: (address, bytes) => c.memcmp(address, bytes, lengthOf(bytes)) === 0,
    load(address, target, length) {
      if (length > 0) c.memcpy(target, address, length);
    },
    findLastByte: undefined,
    findSequence: undefined,
    findWord: undefined,
    ...(hasFastMemmem ? fastSearches(ffi, libraries) : undefined),
  };
  let isPrepared = !hasFastMemmem || arch !== "x64";
  return {
    prepareSearch() {
      if (isPrepared) return;
      isPrepared = true;
      primitives.findWord = openWordSearch(ffi, libraries);
    },
    findByte: primitives.findByte,
    findBytes: (address, length, needle) => findBytes(primitives, address, length, needle),
    findLastBytes: (address, length, needle) => findLastBytes(primitives, address, length, needle),
    listBytes: (address, length, needle, found) => listBytes(primitives, address, length, needle, found),
    move(destination, source, length) {
      c.memmove(destination, source, length);
    },
    load: primitives.load,
    store(address, source, length) {
      if (length > 0) intoMap.memmove(address, source, length);
    },
  };
}

function fastSearches(ffi: Ffi, libraries: readonly string[]): Pick<SearchPrimitives, "findLastByte" | "findSequence"> {
  const c = ffi.open(libraries, FAST_SIGNATURES);
  return {
    findLastByte: (address, length, byte) => indexOfResult(address, c.memrchr(address, byte, length)),
    findSequence: (address, length, needle) =>
      indexOfResult(address, c.memmem(address, length, needle, lengthOf(needle))),
  };
}

/** `undefined`: this is not glibc. */
function openWordSearch(ffi: Ffi, libraries: readonly string[]): FindWord | undefined {
  try {
    const c = ffi.open(libraries, WORD_SIGNATURES);
    return (address, count, word) => {
      const found = c.wmemchr(address, word, count);
      return found === 0 ? -1 : (found - address) / 4;
    };
  } catch {
    return undefined;
  }
}

/** An ASCII string as C has it: its characters and a NUL. */
export function cString(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length + 1);
  for (let index = 0; index < text.length; index++) bytes[index] = StringPrototypeCharCodeAt(text, index);
  return bytes;
}
