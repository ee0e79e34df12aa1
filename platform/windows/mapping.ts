/**
 * Mappings on Windows: mapping objects, views of them, names, flushing, advice.
 *
 * @module
 */

import {
  ArrayBuffer,
  BigInt,
  BigUint64Array,
  Map,
  MapPrototypeDelete,
  MapPrototypeGet,
  MapPrototypeSet,
  Uint8Array,
} from "../../ffi/primordials.ts";
import type { Ffi } from "../../ffi/types.ts";
import type { Fail } from "../errno.ts";
import type { MapRequest, NamedMemory } from "../types.ts";
import { ERROR_ALREADY_EXISTS, ERROR_LOCK_VIOLATION, ERROR_NOT_LOCKED, ERROR_USER_MAPPED_FILE } from "./errors.ts";
import { high, INVALID_HANDLE_VALUE, KERNEL, type Kernel, low, THIS_PROCESS, utf16 } from "./kernel.ts";
import { FILE_MAP_COPY, FILE_MAP_READ, viewFunctions } from "./views.ts";

/** The only advice that Windows has an equivalent of; its number is the same on every system. */
export const MADV_WILLNEED = 3;

/**
 * How often a flush is tried that fails with ERROR_LOCK_VIOLATION, as it does on NTFS for a moment now and then. The waits
 * between the tries are 2, 4, 8 … ms, 1 s in all. .NET's memory-mapped files try again too.
 */
const FLUSH_TRIES = 10;

// A function of the kernel's table with other types: the library is opened a second time for it.
export const NAMED_SIGNATURES = {
  // HANDLE CreateFileMappingW(…, LPCWSTR lpName); here with a name
  CreateFileMappingW: { parameters: ["i64", "pointer", "u32", "u32", "u32", "bytes"], result: "i64" },
} as const;

/** Where `WIN32_MEMORY_RANGE_ENTRY` has what is written to it: integers of 64 bits, in bytes. */
export const MEMORY_RANGE = { length: 16, fields: { VirtualAddress: 0, NumberOfBytes: 8 } } as const;

/** A mapping object that stays open as long as its view. */
interface MappingObject {
  readonly handle: number;
  /** What the view was mapped from. */
  readonly request: MapRequest;
}

/** A mapping whose name was released, for the mapping that replaces it. */
interface Released {
  readonly address: number;
  readonly request: MapRequest;
}

/** The part of the platform that works on mappings. */
export function mappingFunctions(
  ffi: Ffi,
  kernel: Kernel,
  pageSize: number,
  handleOf: (descriptor: number) => number,
  fail: Fail,
) {
  const views = viewFunctions(ffi, kernel, pageSize, fail);
  const withName = ffi.open(KERNEL, NAMED_SIGNATURES);
  /**
   * The mapping objects that stay open, by the address of their view: those with a name, which lasts as long as a handle is
   * open, and those for reading, of which `mapPrivateView` makes more views.
   */
  const objects = new Map<number, MappingObject>();
  /** The mapping whose name `releaseName` has released for the next one. */
  let released: Released | undefined;
  /** The name that the next mapping must not find in use. */
  let newName: string | undefined;

  /** Named memory by `tagname`: a name lasts as long as one of its mappings. */
  const named: NamedMemory = {
    kind: "mappings",
    use(name, { create, exclusive }, map) {
      // Open until it is mapped: memory whose last map is closed meanwhile would be mapped as new zeros.
      const object = kernel.OpenFileMappingW(FILE_MAP_READ, 0, utf16(name));
      if (object === 0 && !create) fail("OpenFileMappingW");
      newName = exclusive ? name : undefined;
      try {
        if (object !== 0 && exclusive) fail("CreateFileMappingW", ERROR_ALREADY_EXISTS);
        return map();
      } finally {
        newName = undefined;
        if (object !== 0) kernel.CloseHandle(object);
      }
    },
  };

  /** Returns 0 if that fails. With a name that is in use, returns that object. */
  function createObject({ descriptor, offset, length, protection: { prot, name } }: MapRequest): number {
    const file = descriptor === -1 ? INVALID_HANDLE_VALUE : handleOf(descriptor);
    const size = offset + length;
    return name === undefined
      ? kernel.CreateFileMappingW(file, 0, prot, high(size), low(size), 0)
      : withName.CreateFileMappingW(file, 0, prot, high(size), low(size), utf16(name));
  }

  /** Maps a request. If that fails, a name that was released for it goes back to the mapping that had it. */
  function map(request: MapRequest): number {
    const { offset, length, protection } = request;
    const before = released?.request.protection.name === protection.name ? released : undefined;
    released = undefined;
    const isNew = newName !== undefined && newName === protection.name;
    const object = createObject(request);
    if (object === 0) return failed("CreateFileMappingW", kernel.GetLastError(), before);
    if ((before !== undefined || isNew) && kernel.GetLastError() === ERROR_ALREADY_EXISTS) {
      kernel.CloseHandle(object);
      // Another program has taken a released name meanwhile, for an object of another length.
      return fail("CreateFileMappingW", isNew ? ERROR_ALREADY_EXISTS : ERROR_USER_MAPPED_FILE);
    }
    const { address, syscall, error } = views.mapView(object, protection.flags, offset, length);
    const staysOpen = protection.name !== undefined || protection.flags === FILE_MAP_READ;
    // The view by itself keeps the object's memory.
    if (address === 0 || !staysOpen) kernel.CloseHandle(object);
    else MapPrototypeSet(objects, address, { handle: object, request });
    return address === 0 ? failed(syscall, error, before) : address;
  }

  function failed(syscall: string, error: number, before: Released | undefined): never {
    // Another object with the name of anonymous memory would have other memory.
    if (before !== undefined && before.request.descriptor !== -1) restoreName(before);
    return fail(syscall, error);
  }

  /** Restores the name of a file's mapping, by another object of the same file. */
  function restoreName({ address, request }: Released): void {
    const object = createObject(request);
    if (object === 0) return;
    if (kernel.GetLastError() === ERROR_ALREADY_EXISTS) kernel.CloseHandle(object);
    else MapPrototypeSet(objects, address, { handle: object, request });
  }

  function unmap(address: number): void {
    views.unmap(address);
    closeObject(address);
  }

  function closeObject(address: number): void {
    const object = MapPrototypeGet(objects, address);
    MapPrototypeDelete(objects, address);
    if (object !== undefined) kernel.CloseHandle(object.handle);
  }

  function flush(address: number, length: number, descriptor: number, flags: number | undefined): void {
    if (flags !== undefined) throw new TypeError(`flags is not supported on this system (no msync): got ${flags}`);
    for (let tries = 1; kernel.FlushViewOfFile(address, length) === 0; tries++) {
      const number = kernel.GetLastError();
      if (number !== ERROR_LOCK_VIOLATION || tries === FLUSH_TRIES) fail("FlushViewOfFile", number);
      kernel.Sleep(2 ** tries);
    }
    // FlushViewOfFile has only started the writes; this waits for them.
    if (descriptor !== -1 && kernel.FlushFileBuffers(handleOf(descriptor)) === 0) fail("FlushFileBuffers");
  }

  return {
    named,
    map,
    unmap,
    // A view cannot be shortened or moved.
    trim: undefined,
    remapping: undefined,
    releaseName(address: number, name: string): void {
      const object = MapPrototypeGet(objects, address);
      if (object === undefined) return;
      MapPrototypeDelete(objects, address);
      kernel.CloseHandle(object.handle);
      const other = kernel.OpenFileMappingW(FILE_MAP_READ, 0, utf16(name));
      const { request } = object;
      if (other === 0) {
        released = { address, request };
        return;
      }
      // Another map has the name too, so it still leads to the same object: use that.
      MapPrototypeSet(objects, address, { handle: other, request });
      fail("CreateFileMappingW", ERROR_USER_MAPPED_FILE);
    },
    mapPrivateView(address: number, offset: number, length: number): number {
      // SAFETY: a map for reading has its object here until it is unmapped; without one, this throws before any call.
      const { handle, request } = MapPrototypeGet(objects, address) as MappingObject;
      const from = request.offset + offset;
      // The whole length counts as used memory, which is why the map itself is no such view.
      const { address: view, syscall, error } = views.mapView(handle, FILE_MAP_COPY, from, length);
      if (view === 0) fail(syscall, error);
      return view;
    },
    // Windows refuses to truncate a mapped file, so no page of a mapping is lost before it is unmapped.
    mapZeros(): void {},
    retire:
      views.replace &&
      ((address: number, length: number): void => {
        views.replace?.(address, length);
        closeObject(address);
      }),
    flush,
    // Asynchronous I/O needs handles that were opened for it.
    readAhead: undefined,
    setName: undefined,
    // It blocks, because FlushFileBuffers ignores FILE_FLAG_OVERLAPPED.
    async flushAsync(address: number, length: number, descriptor: number): Promise<void> {
      flush(address, length, descriptor, undefined);
    },
    advise(address: number, length: number, advice: number): void {
      if (advice !== MADV_WILLNEED) {
        throw new RangeError(`option must be one of this system's MADV_* constants: ${advice} is not one`);
      }
      // Windows rejects an empty range; elsewhere there is nothing to do for it.
      if (length === 0) return;
      const { length: size, fields } = MEMORY_RANGE;
      const buffer = new ArrayBuffer(size);
      const range = new BigUint64Array(buffer);
      range[fields.VirtualAddress / 8] = BigInt(address);
      range[fields.NumberOfBytes / 8] = BigInt(length);
      if (kernel.PrefetchVirtualMemory(THIS_PROCESS, 1, new Uint8Array(buffer), 0) === 0) fail("PrefetchVirtualMemory");
    },
    lock(address: number, length: number): void {
      if (kernel.VirtualLock(address, length) === 0) fail("VirtualLock");
    },
    unlock(address: number, length: number): void {
      if (kernel.VirtualUnlock(address, length) !== 0) return;
      const error = kernel.GetLastError();
      // To unlock pages that are not locked is no error on POSIX.
      if (error !== ERROR_NOT_LOCKED) fail("VirtualUnlock", error);
    },
    populate: () => false,
  };
}
