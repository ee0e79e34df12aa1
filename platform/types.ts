/**
 * What the library needs of an operating system. Each system has one file or folder here that implements `Platform`.
 * `lib/mapping/` alone decides when memory is unmapped.
 *
 * Addresses are JavaScript numbers, lengths and offsets are in bytes. A function that calls the system throws an error of the
 * `ErrorFactory` if the call fails.
 *
 * @module
 */

/** A system's constants by their C names. Those that it does not have are absent. */
export type Constants = Readonly<Record<string, number>>;

/** Makes the errors that a platform throws. Their classes are in `lib`. */
export interface ErrorFactory {
  /** The error of a failed call: its name, the system's error number, that number's name ("ENOMEM") and meaning. */
  system(syscall: string, errno: number, code: string, meaning: string): Error;
}

/** The user's options that decide how a map is protected. */
export interface ProtectionRequest {
  /** -1: anonymous memory. */
  readonly descriptor: number;
  readonly access: "default" | "read" | "write" | "copy";
  readonly prot: number | undefined;
  readonly flags: number | undefined;
  readonly tagname: string | undefined;
  /** Whether the map is to be guarded, if the platform can. */
  readonly guard?: boolean;
}

/** How a map is protected. */
export interface Protection {
  /** The system's flags: `PROT_*` and `MAP_*` on POSIX. */
  readonly prot: number;
  readonly flags: number;
  /** Whether the library may read the memory, and write to it. */
  readonly readable: boolean;
  readonly writable: boolean;
  /** The system maps in multiples of this many bytes: a page, or a huge one. */
  readonly unit: number;
  /** Whether writes reach the file (or, in an anonymous map, the processes that share it). */
  readonly shared: boolean;
  /** Whether all processes that map the same bytes see one and the same memory: none has pages of its own. */
  readonly common: boolean;
  /** The name of the mapping object; `undefined` without one, and on systems that do not name mappings. */
  readonly name: string | undefined;
}

/**
 * Whether the mapping's pages are the only copy of their contents, so that unmapping them loses data: private changes, and
 * anonymous memory without a descriptor. Pages that nobody could write hold what a new mapping holds.
 */
export function isUnbacked({ writable, shared }: Protection, descriptor: number): boolean {
  return writable && (!shared || descriptor === -1);
}

/** What a map is made of: `length` bytes of a file from `offset`, a multiple of `allocationGranularity`. */
export interface MapRequest {
  readonly length: number;
  readonly protection: Protection;
  /** -1: no file, memory that begins as zeros. */
  readonly descriptor: number;
  readonly offset: number;
}

/** What a descriptor stands for. */
export interface FileStatus {
  /** Whether it is a regular file, whose size says how much of it can be mapped. */
  readonly regular: boolean;
  readonly size: number;
  /** What its mappings must be multiples of, if its pages are huge ones. */
  readonly hugePageSize: number | undefined;
}

/** The file whose pages a guarded region shows. */
export interface GuardedFile {
  /** Stays open as long as the guard; -1 without one. */
  readonly descriptor: number;
  /** Where in the file the region begins, in bytes. */
  readonly offset: number;
  readonly protection: Protection;
}

/** Keeps the process alive if a mapped file is truncated: accessing a lost page then reads zeros. */
export interface Guard {
  /**
   * Whether the system replaces pages without counting them, so that `lowest` makes a system call to find out. The count is 1
   * then: pages may be lost.
   */
  readonly isQueried: boolean;
  /** The number of pages replaced so far is `faults[index]`. The array outlives the guard; other guards share it. */
  readonly faults: Int32Array;
  readonly index: number;
  /** The lowest address of a replaced page, or of one that is lost; the region's end if there is none. */
  lowest(): number;
  /** Ends the guard. Call it before the region is unmapped, because its addresses may be used again at once. */
  release(): void;
}

/** An advisory lock on an open file. Other threads and processes respect it only if they take it too. */
export interface FileLock {
  /** Does not block. @throws `EAGAIN` if the lock is taken; other errors if the file system has no such locks. */
  tryLock(descriptor: number): void;
  unlock(descriptor: number): void;
}

/** Blocking until another thread or process changes a 32-bit word of shared memory. */
export interface Waiting {
  /**
   * Blocks while the word is `value`, for at most `timeout` milliseconds. Returns true if `wake` has ended that. It may
   * return false at any time: because of a signal, for example, or because the word is another one.
   */
  wait(address: number, value: number, timeout: number): boolean;
  /** Ends at most `count` waits. Returns how many, or 0 if the system does not report that. */
  wake(address: number, count: number): number;
  /** Waits in another thread. Undefined if unsupported. */
  readonly background: BackgroundWait | undefined;
}

/** Waits for several words at once, in one other thread. */
export interface BackgroundWait {
  /** For how many words at most. */
  readonly limit: number;
  /** Sets word number `index` of the next `run`. */
  set(index: number, address: number, value: number): void;
  /**
   * Waits while each of the first `count` words has its value, for at most `timeout` milliseconds. Resolves to the index of
   * one that was woken, or to -1. The words must stay mapped until then.
   */
  run(count: number, timeout: number): Promise<number>;
  /** Ends `run` now. */
  interrupt(): void;
}

/** Proof of life: locks that the system releases when their owner ends, however it ends. */
export interface OwnerLocks {
  /**
   * Prepares an owner's lock of a file. `name`: of memory without a file (on Windows), whose descriptor is -1.
   *
   * @throws {TypeError} The descriptor's memory has no locks.
   */
  open(descriptor: number, name: string | undefined): OwnerLock;
}

/** The lock of one owner. */
export interface OwnerLock {
  /** Takes the lock of a number below 2^30 until `close`, once. Returns false if somebody else has it. */
  take(id: number): boolean;
  /** Whether another owner has the lock of a number, or may have it. */
  isTaken(id: number): boolean;
  close(): void;
}

/** How to open named memory. */
export interface NamedRequest {
  readonly writable: boolean;
  readonly create: boolean;
  /** With `create`: whether to fail with `EEXIST` if there is memory of that name. */
  readonly exclusive: boolean;
  /** The permissions of new memory. */
  readonly mode: number;
}

/** Memory that processes share by a name: files in a folder, objects with descriptors, or names of mappings. */
export type NamedMemory =
  | { readonly kind: "folder"; readonly folder: string }
  | {
      readonly kind: "objects";
      /** Returns a descriptor, which `closeDescriptor` closes. */
      open(name: string, request: NamedRequest): number;
      unlink(name: string): void;
    }
  | {
      readonly kind: "mappings";
      /**
       * Runs `map`, which maps the name. Throws `ENOENT` if the request is not to create memory and there is none, and
       * `EEXIST` if it must be new and is not.
       */
      use<T>(name: string, request: NamedRequest, map: () => T): T;
    };

/**
 * How a mapping grows without a copy of its pages. The library chooses the new address before it calls `move`: a call whose
 * result is the address could be the last before execution is terminated, and nobody would know where the pages are.
 */
export interface Remapping {
  /** Lengthens a mapping in its place. Returns false if there is no room, or the system refuses. */
  extend(address: number, length: number, newLength: number): boolean;
  /** Reserves addresses for `move`. */
  reserve(length: number): number;
  /** Moves a mapping to reserved addresses of `newLength` bytes, all of which it then has. */
  move(address: number, length: number, reserved: number, newLength: number): void;
  /** Whether nothing has been moved to reserved addresses; undefined if the system does not say. */
  isReserved(address: number): boolean | undefined;
}

/**
 * One operating system, as the library uses it. What a system does not support is `undefined` and not absent, so that a
 * property that was added to `Object.prototype` is not taken for it.
 */
export interface Platform {
  /** The unit of protection and flushing, in bytes. */
  readonly pageSize: number;
  /** What the offset of a mapping must be a multiple of, in bytes. */
  readonly allocationGranularity: number;
  /** Whether `view` works. If not, memory is only copied. */
  readonly canView: boolean;
  /** The length in bytes of the largest `ArrayBuffer` that `view` can make. */
  readonly maxViewLength: number;
  /** The largest copy, in bytes, that is faster from a view than through `load`. */
  readonly smallCopyLimit: number;
  /**
   * Whether the runtime's own operations hold the ArrayBuffer that they work on until they end, even a detached one: then
   * no operation is under way on a buffer that was garbage-collected.
   */
  readonly operationsKeepBuffers: boolean;
  /** Whether pages of zeros that nobody accesses cost nothing but their addresses. */
  readonly canLeaveAddresses: boolean;
  /** Whether a file can be truncated while it is mapped. If not, no map can lose pages. */
  readonly canTruncateMappedFiles: boolean;
  /** Whether a writable map that reaches past the end of its file extends the file. If not, that is an error. */
  readonly mappingExtendsFile: boolean;
  /** Whether `duplicate` returns real descriptors, which `node:fs` and child processes can use. */
  readonly hasRealDescriptors: boolean;

  /** @throws {TypeError} The options contradict each other, or this system does not support one. */
  protection(request: ProtectionRequest): Protection;

  /** Maps memory and returns its address, a multiple of `allocationGranularity`. */
  map(request: MapRequest): number;
  unmap(address: number, length: number): void;
  /** Shortens a mapping in its place. Undefined if unsupported. */
  readonly trim: ((address: number, length: number, newLength: number) => void) | undefined;
  /** Undefined if unsupported: then a mapping grows by a second one beside it. */
  readonly remapping: Remapping | undefined;
  /** Replaces mapped pages by private zero pages (mmap with MAP_FIXED). */
  mapZeros(address: number, length: number): void;
  /**
   * Replaces mapped pages, which releases their file and memory while the addresses stay taken. What still uses them gets
   * an error if `guarded` (EFAULT, from a system call) or zeros. Undefined if unsupported.
   */
  readonly retire: ((address: number, length: number, guarded: boolean) => void) | undefined;
  /**
   * Guards the mapped pages of a file; without `file`, pages that were retired. Returns `undefined`, or is `undefined`, if that
   * is not supported.
   */
  readonly guard: ((address: number, length: number, file?: GuardedFile) => Guard | undefined) | undefined;
  /**
   * Writes changed pages to the disk. `descriptor` is the file's, or -1 if none was kept or the file is not written to.
   * `flags` are the system's `MS_*`; undefined waits until the pages are written.
   *
   * @throws {TypeError} The system has no such flags.
   */
  flush(address: number, length: number, descriptor: number, flags: number | undefined): void;
  /**
   * Like `flush`, without blocking if the system supports that. The descriptor must stay open until the promise is settled;
   * the memory may be unmapped.
   */
  flushAsync(address: number, length: number, descriptor: number): Promise<void>;
  /**
   * @param isPart Whether the range is only a part of a mapping. The system may have to split the mapping then.
   * @throws {RangeError} The system does not have this advice, or it would make the memory unusable.
   */
  advise(address: number, length: number, advice: number, isPart?: boolean): void;
  /**
   * Keeps pages in memory until `unlock`. Pages of a file may be locked only once they are accessed: faulting them in for
   * writing would copy the pages of a private mapping.
   */
  lock(address: number, length: number, ofFile: boolean, isPart?: boolean): void;
  unlock(address: number, length: number, isPart?: boolean): void;
  /** Sets the lowest bit of a page's byte in `pages` if the page is in memory. `undefined` if unsupported. */
  readonly residency: ((address: number, length: number, pages: Uint8Array) => void) | undefined;
  /**
   * Faults pages in, for reading or for writing, with an error instead of a signal for lost pages. Returns false if the
   * system does not support it.
   */
  populate(address: number, length: number, write: boolean): boolean;
  /**
   * Reads a part of a file into the page cache without blocking. The descriptor must stay open until the promise settles.
   * Undefined if unsupported.
   */
  readonly readAhead: ((descriptor: number, offset: number, length: number) => Promise<void>) | undefined;

  /** How a thread waits for a word of shared memory. Undefined if unsupported: the library then polls. */
  readonly waiting: Waiting | undefined;
  /** Maps the page at an address of a shared mapping once more, and returns where. Undefined if unsupported. */
  readonly mirror: ((page: number) => number) | undefined;

  readonly named: NamedMemory;
  /** `undefined` if unsupported. */
  readonly ownerLocks: OwnerLocks | undefined;

  /**
   * Names memory of no file in /proc/PID/maps: at most 79 characters of printable ASCII, without \ ` $ [ and ]. Undefined if
   * unsupported.
   */
  readonly setName: ((address: number, length: number, name: string) => void) | undefined;

  /**
   * Releases the name of a mapping for the next one, which has another length. If that cannot be mapped, a mapping of a file
   * gets its name back; anonymous memory does not.
   *
   * @throws Somebody else uses a mapping of that name.
   */
  readonly releaseName: ((address: number, name: string) => void) | undefined;
  /**
   * Maps `length` bytes from `offset`, a multiple of `allocationGranularity`, of a mapping for reading once more, as private
   * pages: for the user's views on systems where a stray write to the mapping itself would kill the process.
   */
  readonly mapPrivateView: ((address: number, offset: number, length: number) => number) | undefined;

  /** Runs `use`, in which the open descriptor can also be resolved by the path that it was opened with. */
  readonly withPath: (<T>(descriptor: number, path: string, writable: boolean, use: () => T) => T) | undefined;
  status(descriptor: number): FileStatus;
  truncate(descriptor: number, size: number): void;
  /**
   * Allocates disk blocks for a range of at least one byte (posix_fallocate), so that later writes to it cannot fail with
   * ENOSPC. `undefined` if unsupported.
   */
  readonly allocateBlocks: ((descriptor: number, offset: number, length: number) => void) | undefined;
  /** `undefined` if unsupported. */
  readonly fileLock: FileLock | undefined;
  /** Duplicates a descriptor, with close-on-exec: child processes do not inherit the duplicate. */
  duplicate(descriptor: number): number;
  closeDescriptor(descriptor: number): void;
  /**
   * A descriptor of an empty file in memory, through which other processes can share an anonymous map; -1 if that is not
   * supported: then no other process can have the map's pages.
   */
  anonymousFile(protection: Protection): number;

  /** An `ArrayBuffer` over mapped memory, without a copy. The caller keeps the memory mapped while the buffer is in use. */
  view(address: number, length: number): ArrayBuffer;
  /** Opens the functions that are for long searches only. User code may run in between, so no search may be under way. */
  prepareSearch(): void;
  /** The index of the first byte equal to `byte`, or -1. */
  findByte(address: number, length: number, byte: number): number;
  /** The index of the first or last occurrence of `needle`, of at least one byte, or -1. */
  findBytes(address: number, length: number, needle: Uint8Array): number;
  findLastBytes(address: number, length: number, needle: Uint8Array): number;
  /**
   * Lists where the occurrences of `needle` begin: indices from `address`, in order, those that overlap too. Returns how many
   * there are, or -1 if `found` may have no room for them, or `findBytes` is the only way to find them.
   */
  listBytes(address: number, length: number, needle: Uint8Array, found: Int32Array): number;
  /** Copies within mapped memory; the ranges may overlap. */
  move(destination: number, source: number, length: number): void;
  /** Copies `length` bytes out of mapped memory into an array, or out of an array into mapped memory. The array has as many. */
  load(address: number, target: Uint8Array, length: number): void;
  store(address: number, source: Uint8Array, length: number): void;
}

/** Thrown by `openPlatform` if the system is not supported. The message says what to do about it. */
export class PlatformUnavailable extends Error {
  override readonly name = "PlatformUnavailable";
}
