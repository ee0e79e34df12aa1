/**
 * The running platform, opened when something is mapped for the first time.
 *
 * @module
 */

import { builtins } from "../ffi/builtins.ts";
import { openPlatform } from "../platform/mod.ts";
import type { Platform } from "../platform/types.ts";
import { errorFactory, ffiError } from "./errors.ts";

let opened: Platform | undefined;

/** @throws {MMapError} `ERR_MMAP_FFI`: there is no way to call C here. */
export function platform(): Platform {
  try {
    opened ??= openPlatform(errorFactory);
  } catch (error) {
    throw ffiError(error);
  }
  return opened;
}

/**
 * The functions of the runtime's modules, for whoever asks first.
 *
 * @throws {MMapError} `ERR_MMAP_FFI`: this Node is too old.
 */
export function loadBuiltins(): ReturnType<typeof builtins> {
  try {
    return builtins();
  } catch (error) {
    throw ffiError(error);
  }
}

/** Replaces the platform, for tests. Returns the one before. */
export function usePlatform(other: Platform | undefined): Platform | undefined {
  const before = opened;
  opened = other;
  return before;
}

/** Runs `make`, during which the open descriptor can also be mapped by the path that it was opened with. */
export function withOpenedPath<T>(descriptor: number, path: string, writable: boolean, make: () => T): T {
  const system = platform();
  return system.withPath === undefined ? make() : system.withPath(descriptor, path, writable, make);
}

/** Allocates the file's disk blocks for a map of `length` bytes; 0: to the end of the file. */
export function allocateFileBlocks(descriptor: number, offset: number, length: number): void {
  const system = platform();
  const { regular, size } = system.status(descriptor);
  // Not past the end, which would extend the file: mapping what it does not have throws, and then nothing may have changed.
  const count = regular && (length === 0 || length > size - offset) ? size - offset : length;
  // If the range is empty, mapping it throws an error that says so.
  if (count > 0) blockAllocator(system, descriptor)(descriptor, offset, count);
}

/** @throws {TypeError} The map has no file, or this system cannot allocate blocks. */
export function blockAllocator(system: Platform, descriptor: number): NonNullable<Platform["allocateBlocks"]> {
  if (descriptor === -1) throw new TypeError("reserve is for maps of a file, and this map has none");
  if (system.allocateBlocks !== undefined) return system.allocateBlocks;
  throw new TypeError("reserve is not supported on this system (no posix_fallocate): omit the option");
}
