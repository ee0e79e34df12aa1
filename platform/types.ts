/**
 * What the library asks of an operating system. Each system has one file beside this one that implements `Platform`;
 * `lib/mapping.ts` alone decides when its functions are called.
 *
 * Addresses are JavaScript numbers, lengths and offsets are in bytes. Every function that calls the system throws what
 * `ErrorFactory` makes when the system refuses.
 *
 * @module
 */

/** A system's constants by their C names; those that it lacks are absent. */
export type Constants = Readonly<Record<string, number>>;

/** Makes the errors that a platform throws; `lib` owns their classes. */
export interface ErrorFactory {
  /** The system refused the call `syscall`, with its error number, that number's name ("ENOMEM") and meaning. */
  system(syscall: string, errno: number, code: string, meaning: string): Error;
}

/** How the user asks for a map to be protected. */
export interface ProtectionRequest {
  /** -1: anonymous memory. */
  readonly descriptor: number;
  readonly access: "default" | "read" | "write" | "copy";
  readonly prot: number | undefined;
  readonly flags: number | undefined;
  readonly tagname: string | undefined;
}

/** How a map is protected. */
export interface Protection {
  /** The system's own words for it: `PROT_*` and `MAP_*` on POSIX. */
  readonly prot: number;
  readonly flags: number;
  /** May the library read the memory, and write to it? */
  readonly readable: boolean;
  readonly writable: boolean;
  /** The system maps in multiples of this many bytes: a page, or a huge one. */
  readonly unit: number;
  /** Do writes reach the file (or, in an anonymous map, the processes that share it)? */
  readonly shared: boolean;
  /** The name of the mapping object, where the system has such. */
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
  /** Is it a regular file, whose size says how much of it can be mapped? */
  readonly regular: boolean;
  readonly size: number;
}

/** What keeps the process alive when mapped pages are gone because their file shrank: a touch finds zeros instead. */
export interface Guard {
  /** The number of pages replaced so far is `faults[index]`. The array outlives the guard; other guards share it. */
  readonly faults: Int32Array;
  readonly index: number;
  /** The lowest address where pages were replaced; the region's end where none was. */
  lowest(): number;
  /** Ends it. To be called before the region is unmapped, for then others may get its addresses. */
  release(): void;
}

/** An advisory lock on an open file. Other threads and processes respect it only if they take it too. */
export interface FileLock {
  /** Does not block. @throws `EAGAIN` if the lock is taken; other errors if the file system has no such locks. */
  tryLock(descriptor: number): void;
  unlock(descriptor: number): void;
}

/**
 * One operating system, as the library uses it. What a system lacks is `undefined` and not absent, so that nobody finds in its
 * place what other code has put into `Object.prototype`.
 */
export interface Platform {
  /** The unit of protection and flushing, in bytes. */
  readonly pageSize: number;
  /** What the offset of a mapping must be a multiple of, in bytes. */
  readonly allocationGranularity: number;
  /** The length in bytes of the largest `ArrayBuffer` that `view` can make. */
  readonly maxViewLength: number;
  /** Up to so many bytes, a copy of a part of a view is made sooner than `load` fills a new array. */
  readonly smallCopyLimit: number;
  /**
   * Whether the runtime's own operations hold the ArrayBuffer that they work on until they end, even a detached one: then
   * no operation is under way on a buffer that was garbage-collected.
   */
  readonly operationsKeepBuffers: boolean;
  /** May a file get shorter while it is mapped? Where not, nobody else's map of it can lose pages either. */
  readonly canTruncateMappedFiles: boolean;
  /** Does a writable map that reaches behind the end of its file extend the file? Where not, that is an error. */
  readonly mappingExtendsFile: boolean;
  /** Do the numbers that `duplicate` gives mean something outside of this library: to `node:fs`, to child processes? */
  readonly hasRealDescriptors: boolean;

  /** @throws {TypeError} The options contradict each other, or this system lacks one. */
  protection(request: ProtectionRequest): Protection;

  /** Maps memory and gives its address, which `allocationGranularity` divides. */
  map(request: MapRequest): number;
  unmap(address: number, length: number): void;
  /** Changes the length of a mapping of which no view exists, and gives its address, which may be a new one. */
  remap(address: number, length: number, request: MapRequest): number;
  /** Puts private zeros in place of mapped pages. */
  mapZeros(address: number, length: number): void;
  /**
   * Replaces mapped pages, which releases their file and memory while the addresses stay taken. What still uses them gets
   * an error if `guarded` (EFAULT, from a system call) or zeros. Undefined if unsupported.
   */
  readonly retire: ((address: number, length: number, guarded: boolean) => void) | undefined;
  /** Guards mapped pages of a file. Absent, or `undefined`, where that can't be. */
  readonly guard: ((address: number, length: number) => Guard | undefined) | undefined;
  /** Writes changed pages to the file and waits for it. `descriptor` is the file's, -1 where none was kept or written to. */
  flush(address: number, length: number, descriptor: number): void;
  /**
   * The same while the program goes on, where the system has that: until the promise is kept or broken, the descriptor must
   * stay open; the memory need not.
   */
  flushAsync(address: number, length: number, descriptor: number): Promise<void>;
  /** @throws {RangeError} The advice is not one that this system has, or one that would make the memory unusable. */
  advise(address: number, length: number, advice: number): void;
  /**
   * Keeps pages in memory until `unlock`. Those of a file may come in only as they are touched: to bring them in for writing
   * would copy the pages of a private mapping.
   */
  lock(address: number, length: number, ofFile: boolean): void;
  unlock(address: number, length: number): void;
  /** Says of each page whether it is in memory, by the lowest bit of its byte in `pages`. Absent where the system can't tell. */
  readonly residency: ((address: number, length: number, pages: Uint8Array) => void) | undefined;
  /** Brings pages into memory, for reading or as a write of each would, without a signal; false where the system can't. */
  populate(address: number, length: number, write: boolean): boolean;

  /** Frees the name of a mapping for one of another length. @throws Somebody else uses a mapping of that name. */
  readonly releaseName: ((address: number, name: string) => void) | undefined;
  /**
   * Maps `length` bytes from `offset`, a multiple of `allocationGranularity`, of a mapping for reading once more, as a
   * private copy: what the user may see, where a stray write to the mapping itself would kill the process.
   */
  readonly mapPrivateView: ((address: number, offset: number, length: number) => number) | undefined;

  /** Runs `use`, during which the open descriptor is also known by the path that it was opened with. */
  readonly withPath: (<T>(descriptor: number, path: string, writable: boolean, use: () => T) => T) | undefined;
  status(descriptor: number): FileStatus;
  truncate(descriptor: number, size: number): void;
  /**
   * Has the file system set aside what a file needs for its bytes from `offset`, at least one, so that no write of them
   * finds the disk full. Absent where the system cannot be asked.
   */
  readonly allocateBlocks: ((descriptor: number, offset: number, length: number) => void) | undefined;
  /** undefined if unsupported. */
  readonly fileLock: FileLock | undefined;
  /** Duplicates a descriptor; child processes do not inherit the copy. */
  duplicate(descriptor: number): number;
  closeDescriptor(descriptor: number): void;
  /**
   * A descriptor of an empty file that lives in memory, by which other processes can share an anonymous map; -1 where there
   * is none: nobody else can have the map's pages then.
   */
  anonymousFile(protection: Protection): number;

  /** An `ArrayBuffer` over mapped memory, without a copy. */
  view(address: number, length: number): ArrayBuffer;
  /** The index of the first byte equal to `byte`, or -1. */
  findByte(address: number, length: number, byte: number): number;
  /** The index of the first or last occurrence of `needle`, of at least one byte, or -1. */
  findBytes(address: number, length: number, needle: Uint8Array): number;
  findLastBytes(address: number, length: number, needle: Uint8Array): number;
  /** Copies within mapped memory; the ranges may overlap. */
  move(destination: number, source: number, length: number): void;
  /** Copies `length` bytes, out of mapped memory into an array that has so many, and out of such an array into mapped memory. */
  load(address: number, target: Uint8Array, length: number): void;
  store(address: number, source: Uint8Array, length: number): void;
}

/** Thrown by `openPlatform` where there is no platform: says why, and the one thing to do about it. */
export class PlatformUnavailable extends Error {
  override readonly name = "PlatformUnavailable";
}
