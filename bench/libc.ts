/**
 * libc's own functions over the same file, mapped a second time: the limit of the machine.
 *
 * @module
 */

import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import process from "node:process";
import { openFfi } from "../ffi/mod.ts";
import { librariesFor } from "../platform/linux.ts";

const SIGNATURES = {
  // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  // int munmap(void *addr, size_t length);
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  // void *memchr(const void *s, int c, size_t n);
  memchr: { parameters: ["pointer", "i32", "usize"], result: "pointer" },
  // void *memrchr(const void *s, int c, size_t n);
  memrchr: { parameters: ["pointer", "i32", "usize"], result: "pointer" },
  // void *memmem(const void *haystack, size_t haystacklen, const void *needle, size_t needlelen);
  memmem: { parameters: ["pointer", "usize", "bytes", "usize"], result: "pointer" },
  // void *memcpy(void *dest, const void *src, size_t n);
  memcpy: { parameters: ["bytes", "pointer", "usize"], result: "pointer" },
  // void *memmove(void *dest, const void *src, size_t n);
  memmove: { parameters: ["pointer", "pointer", "usize"], result: "pointer" },
} as const;

/** The functions. */
export const libc = openFfi().open(librariesFor(process.arch), SIGNATURES);

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_PRIVATE = 0x2;
const MAP_NORESERVE = 0x4000;

/** Maps a file until the process ends: privately, for reading and writing. */
export function mapped(path: string): { address: number; length: number } {
  const length = statSync(path).size;
  const fd = openSync(path, "r");
  const address = libc.mmap(0, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
  closeSync(fd);
  if (address === -1) throw new Error(`mmap of ${path} failed`);
  return { address, length };
}

/** The addresses of the files that are mapped, one mapping per file. */
export function addressOf(path: string): number {
  const found = readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .filter((line) => line.endsWith(` ${path}`));
  if (found.length !== 1) throw new Error(`${path} has ${found.length} mappings`);
  return Number.parseInt(found[0] as string, 16);
}

/** An address as an index from `start`, or -1 for none. */
export function index(start: number, address: number): number {
  return address === 0 ? -1 : address - start;
}
