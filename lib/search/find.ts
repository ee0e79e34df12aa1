/**
 * The first and the last occurrence of bytes in a mapped region.
 *
 * @module
 */

import { lengthOf } from "../../ffi/array-buffer.ts";
import type { Uint8Array } from "../../ffi/primordials.ts";
import type { Memory } from "../mapping/memory.ts";

/** The first occurrence of `needle` between `start` and `end`, or -1. */
export function find(memory: Searched, needle: Uint8Array, start: number, end: number): number {
  const length = lengthOf(needle);
  if (end - start < length) return -1;
  if (length === 0) return start;
  if (length === 1) return memory.findByte(start, end, needle[0] as number);
  return memory.findBytes(start, end, needle);
}

/** The last occurrence of `needle` between `start` and `end`, or -1. */
export function findLast(memory: Searched, needle: Uint8Array, start: number, end: number): number {
  const length = lengthOf(needle);
  if (end - start < length) return -1;
  if (length === 0) return end;
  return memory.findLastBytes(start, end, needle);
}

/** What is searched: the memory of a map, or what stands for it in the tests. */
export type Searched = Pick<Memory, "length" | "load" | "findByte" | "findBytes" | "findLastBytes" | "listBytes">;
