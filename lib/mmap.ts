/**
 * The class `MMap`: validates arguments, keeps the position, and leaves the memory to `Mapping`.
 *
 * @module
 */

import type { Channel } from "node:diagnostics_channel";
import { lengthOf } from "../ffi/array-buffer.ts";
import {
  ArrayBuffer,
  Map,
  MapPrototypeGet,
  MapPrototypeSet,
  MathFloor,
  MathMax,
  MathMin,
  Number,
  NumberIsInteger,
  ObjectDefineProperty,
  ObjectSetPrototypeOf,
  ReflectGet,
  ReflectSet,
  String,
  Uint8Array,
} from "../ffi/primordials.ts";
import { brand } from "./brand.ts";
import { CHUNK, chunks } from "./chunks.ts";
import { MADV_REMOVE, SEEK_CUR, SEEK_END, SEEK_SET } from "./constants.ts";
import { classNameOf, show } from "./errors.ts";
import { explain } from "./explain.ts";
import { cancel, type Registration, registerLater } from "./finalizer.ts";
import { Mapping } from "./mapping/mapping.ts";
import type { Memory } from "./mapping/memory.ts";
import { OpenedFile, openAndMap } from "./open.ts";
import {
  type Access,
  type CloseOptions,
  checkObject,
  checkOptions,
  descriptorOf,
  type FileURL,
  FLUSH_OPTIONS,
  type FlushOptions,
  MAP_OPTIONS,
  type MMapOptions,
  type OpenOptions,
  PREFAULT_OPTIONS,
  type PrefaultOptions,
  RESIZE_OPTIONS,
  type ResizeOptions,
  type SharedOptions,
  signalOf,
  WAIT_OPTIONS,
  type WaitOptions,
} from "./options.ts";
import { loadBuiltins } from "./platform.ts";
import { find, findLast } from "./search/find.ts";
import { lineEnd, lines } from "./search/lines.ts";
import { checkMatchesBytes } from "./search/regexp-bytes.ts";
import { type ByteMatch, matches } from "./search/search.ts";
import { type ByteStream, stream } from "./stream.ts";
import { Mutex } from "./sync/mutex.ts";
import { openShared, unlinkShared } from "./sync/shared.ts";
import { milliseconds, notify, type WaitResult, wait, wordIndex, wordValue } from "./sync/wait.ts";
import { waitAsync } from "./sync/wait-async.ts";
import { Decoder } from "./text/decoder.ts";
import { textOf } from "./text/text.ts";
import { textLines } from "./text/text-lines.ts";
import {
  type BytesLike,
  boolean,
  bound,
  byte,
  bytesOf,
  integer,
  MAX_INTEGER,
  memoryName,
  regExpOf,
  slice,
} from "./validate.ts";
import { elementSize, type ViewConstructor, type ViewOf } from "./view-types.ts";

/** Which pages are in memory. */
export interface Residency {
  /** One byte per page: 1 if it is in memory, else 0. The first is that of the page in which the range starts. */
  readonly pages: globalThis.Uint8Array<globalThis.ArrayBuffer>;
  /** The number of pages that are in memory. */
  readonly resident: number;
}

/** Publishes each map that is made, like Python's audit event `mmap.__new__`. */
let opening: Channel | undefined;

/**
 * A memory-mapped file, or anonymous memory. It is an array of bytes (`mm[3]`), a file with a position (`read`, `seek`),
 * and memory that other code can use without a copy (`bytes`, `view`).
 *
 * After `close`, everything throws `MMapError` with the code `ERR_MMAP_CLOSED`, except `close`, `closed`, `access`,
 * `offset` and `fd` (which is -1). A call that throws has changed nothing.
 *
 * A map cannot be sent to another thread: `postMessage(mm)` and `structuredClone(mm)` make `{}` of it. Send the path instead,
 * or `mm.fd` of anonymous memory, and map it there.
 *
 * @example
 * ```ts
 * import { MMap } from "mmap-ffi";
 * import { writeFileSync } from "node:fs";
 *
 * writeFileSync("hello.txt", "Hello Python!\n");
 * using mm = MMap.open("hello.txt", { access: "write" });
 * console.log(new TextDecoder().decode(mm.readline())); // Hello Python!
 * mm.assign(" world!\n", 6);
 * ```
 *
 * @see https://docs.python.org/3.13/library/mmap.html
 * @see https://man7.org/linux/man-pages/man2/mmap.2.html
 */
export class MMap implements Disposable, Iterable<number> {
  readonly #mapping: Mapping;
  readonly #registration: Registration;
  readonly #access: Access;
  #position = 0;
  /** The mutexes by their place. */
  #mutexes: Map<number, Mutex> | undefined;

  /**
   * The byte at an index; a negative index counts from the end. Slower than `bytes[index]`.
   *
   * Throws `RangeError` for an index outside the map and `TypeError` for one that is not an integer. Setting a byte throws
   * `TypeError` if the map is not writable, and `RangeError` for a value that is not from 0 to 255.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(10);
   * mm[-1] = 97;
   * console.log(mm[9]); // 97
   * ```
   */
  [index: number]: number;

  /**
   * Maps `length` bytes of an open file. The map keeps a duplicate of the descriptor, so `fd` may be closed right after.
   *
   * Before mapping, publishes `{ fd, length, access, offset }` to the `node:diagnostics_channel` "mmap:open".
   *
   * @param fd A file descriptor, or -1 for anonymous memory, which is filled with zeros.
   * @param length The number of bytes to map. 0: up to the end of the file.
   * @param options How to map them.
   * @throws {TypeError} An argument has the wrong type; `access` together with `flags` or `prot`; `tagname` on a system
   * other than Windows.
   * @throws {RangeError} The file is empty, or is too short for `offset` and `length`.
   * @throws {MMapError} A system call failed; or no FFI is available (`ERR_MMAP_FFI`).
   *
   * @example
   * ```ts
   * import { ACCESS_READ, MMap } from "mmap-ffi";
   * import { closeSync, openSync, writeFileSync } from "node:fs";
   *
   * writeFileSync("hello.txt", "Hello Python!\n");
   * const fd = openSync("hello.txt", "r");
   * using mm = new MMap(fd, 0, { access: ACCESS_READ });
   * closeSync(fd);
   * console.log(mm.length); // 14
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/mmap.2.html
   */
  constructor(fd: number, length: number, options?: MMapOptions);
  // `opened` is passed by `open` only. It is not part of the API: any other value is ignored.
  constructor(fd: number, length: number, options: MMapOptions = {}, opened?: unknown) {
    const descriptor = descriptorOf(fd);
    const bytes = integer("length", length, 0, MAX_INTEGER);
    const file = OpenedFile.from(opened);
    const adopts = file !== undefined && file.descriptor === descriptor && descriptor !== -1;
    // `open` has checked the options of a file that it hands over.
    if (!adopts) checkObject(options, MAP_OPTIONS, "new MMap()");
    const request = checkOptions(options, bytes, descriptor, file?.path);
    const { access, offset } = request;
    this.#access = access;
    opening ??= loadBuiltins().channel("mmap:open");
    if (opening.hasSubscribers) opening.publish({ fd: descriptor, length: bytes, access, offset });
    try {
      this.#mapping = new Mapping(request, adopts ? file : undefined);
    } catch (error) {
      throw explain(error, descriptor, file?.path);
    }
    this.#registration = registerLater(this, this.#mapping);
  }

  /**
   * Opens a file by its path and maps it. The file is opened for reading only, unless `access` is "write" or "default",
   * `create` is set, or `flags` and `prot` describe a map whose writes reach the file (`prot: PROT_READ` and
   * `flags: MAP_PRIVATE` do not). `close` closes the file with the map.
   *
   * With the default, `access: "read"`, writes through `bytes` and views are not errors, but never reach the file: pass
   * `access: "write"` to change the file. (`Bun.mmap` shares its maps by default; here that is `access: "write"`.)
   *
   * An empty file makes an empty map: its length is 0, `bytes` is empty, `find` returns -1. If it is writable, `resize` makes
   * it longer.
   *
   * A file that `create` has created or extended is sparse: its disk blocks are allocated when its bytes are written, and if
   * the disk is full then, it is too late for an error. `reserve: true` allocates them at once.
   *
   * @throws {MMapError} Opening, allocating (`ENOSPC`) or mapping failed; the error has the `path`.
   * @throws {RangeError} The file is too short for `offset` and `length`; `create` of a new file without `length`.
   * @throws {TypeError} As for the constructor; `reserve` with a file that is opened for reading, or on a system that does
   * not support it.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("numbers.bin", { create: true, length: 4096 });
   * mm.view(Float64Array, 0, 2).set([3.14, 2.72]);
   * mm.flush();
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/open.2.html
   * @see https://man7.org/linux/man-pages/man3/posix_fallocate.3.html
   */
  static open<T extends MMap = MMap>(
    this: new (
      fd: number,
      length: number,
      options?: MMapOptions,
    ) => T,
    path: string | FileURL,
    options: OpenOptions = {},
  ): T {
    return openAndMap(path, options, (file, bytes, own) =>
      // biome-ignore lint/complexity/noThisInStatic: the class may be one that extends MMap
      mapOpened(this, file, bytes, own),
    );
  }

  /**
   * Maps named memory, which every process of the user can open by the name, and which belongs to no file on a disk. It lasts
   * until `MMap.unlink(name)` and the end of its last map, or the system's restart; also if its creator is killed. So
   * opening it with `create: true` may find what an earlier run has left.
   *
   * By default its `access` is "write", and the `mode` of new memory 0o600: no other user may open it.
   *
   * On Linux it is a file in /dev/shm, the same that C's `shm_open` and Python's `multiprocessing.shared_memory` open. Deno
   * asks for `--allow-all` there. On Windows it is named by `tagname`, and disappears with its last map; there and on macOS
   * `length` must be given.
   *
   * @param name 1 to 30 letters (a to z, A to Z), digits, ".", "-" and "_".
   * @param options Those of `MMap.open`, and `exclusive`: `create` then fails with `EEXIST` if there is such memory.
   * @throws {TypeError} `name` is none; an option is wrong.
   * @throws {RangeError} The memory is too short for `offset` and `length`; `create` without `length`.
   * @throws {MMapError} There is no such memory, or it is just being created (`ENOENT`); there is already (`EEXIST`, with
   * `exclusive`); it may not be opened (`EACCES`); a system call failed.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.shared("visits", { create: true, length: 4096 });
   * Atomics.add(mm.view(Int32Array), 0, 1); // counted together with every other process
   * MMap.unlink("visits"); // when nobody needs the name any more
   * ```
   *
   * @see https://man7.org/linux/man-pages/man7/shm_overview.7.html
   */
  static shared<T extends MMap = MMap>(
    this: new (
      fd: number,
      length: number,
      options?: MMapOptions,
    ) => T,
    name: string,
    options: SharedOptions = {},
  ): T {
    return openShared(name, options, (file, bytes, own, descriptor) =>
      // biome-ignore lint/complexity/noThisInStatic: the class may be one that extends MMap
      mapOpened(this, file, bytes, own, descriptor),
    );
  }

  /**
   * Takes the name of named memory away: the next `MMap.shared` of that name makes other memory. Maps stay as they are. On
   * Windows it does nothing, because the name disappears with the last map.
   *
   * @param name The name that `MMap.shared` was given.
   * @throws {TypeError} `name` is none.
   * @throws {MMapError} There is no such memory (`ENOENT`; not on Windows); a system call failed.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * const mm = MMap.shared("scratch", { create: true, exclusive: true, length: 4096 });
   * MMap.unlink("scratch");
   * mm.write("nobody else can open this any more");
   * mm.close();
   * ```
   *
   * @see https://man7.org/linux/man-pages/man3/shm_open.3.html
   */
  static unlink(name: string): void {
    unlinkShared(name);
  }

  /**
   * Maps anonymous memory, which belongs to no file and is filled with zeros. Same as the constructor with descriptor -1.
   *
   * By default it is shared: a process that inherits the map's `fd` can map the same memory.
   *
   * @throws {RangeError} `length` is 0.
   * @throws {MMapError} A system call failed.
   * @throws {TypeError} As for the constructor.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(13);
   * mm.write("Hello world!");
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/memfd_create.2.html
   */
  static anonymous<T extends MMap = MMap>(
    this: new (
      fd: number,
      length: number,
      options?: MMapOptions,
    ) => T,
    length: number,
    options?: MMapOptions,
  ): T {
    return new this(-1, length, options);
  }

  /**
   * The number of bytes.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(13);
   * console.log(mm.length); // 13
   * ```
   */
  get length(): number {
    return this.#mapping.memory.length;
  }

  /**
   * Where the map starts in the file, in bytes.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("records.bin", { create: true, offset: 16, length: 800 });
   * console.log(mm.offset, mm.size()); // 16 816
   * ```
   */
  get offset(): number {
    return this.#mapping.offset;
  }

  /**
   * The `access` that the map was created with.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("numbers.bin", { create: true, length: 4096 });
   * console.log(mm.access); // write
   * ```
   */
  get access(): Access {
    return this.#access;
  }

  /**
   * Whether the map is closed.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * const mm = MMap.anonymous(13);
   * mm.close();
   * console.log(mm.closed); // true
   * ```
   */
  get closed(): boolean {
    return this.#mapping.closed;
  }

  /**
   * The map's own descriptor of its file, or -1 if it has none (`trackfd: false`, private anonymous memory, a closed map).
   * Pass it to a child process, which can then map the same memory. `close` closes it.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   * import { spawn } from "node:child_process";
   *
   * using mm = MMap.anonymous(4096);
   * spawn("node", ["child.js"], { stdio: [mm.fd, "inherit", "inherit"] }); // the child maps descriptor 0
   * ```
   */
  get fd(): number {
    return this.#mapping.descriptor;
  }

  /**
   * Whether the process survives the file being truncated. Accessing a lost page then reads zeros, and the map's methods
   * throw `MMapError` with `ERR_MMAP_TRUNCATED`.
   *
   * false with `guard: false`, for huge pages and anonymous memory without a descriptor, and where the guard is not supported:
   * on Linux, architectures other than x64 and arm64, or a kernel that forbids new executable pages; on macOS, shared maps,
   * maps with `trackfd: false`, and all maps before version 11; all maps on other systems.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("numbers.bin", { create: true, length: 4096 });
   * if (!mm.guarded) console.log("numbers.bin must not be truncated now");
   * ```
   */
  get guarded(): boolean {
    return this.#mapping.memory.region.guard !== undefined;
  }

  /**
   * The number of pages that were replaced by zeros since the map was created or resized, because they were accessed after
   * the file had lost them. Code that reads `bytes` or a `view` checks this to know whether it has read the file's bytes.
   *
   * The first 64 are replaced one by one; the 65th fault replaces all remaining pages. On macOS, whose kernel does not count,
   * it is the number of pages that the file was found not to have, whether they were accessed or not.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("numbers.bin", { create: true, length: 4096 });
   * let sum = 0;
   * for (const byte of mm.bytes) sum += byte;
   * if (mm.faults > 0) throw new Error("the file was truncated, and zeros were read in its place");
   * ```
   */
  get faults(): number {
    return this.#mapping.faults();
  }

  /**
   * All bytes, without a copy: reads and writes of this array are reads and writes of the map. It is created on first use
   * and is the same array each time. Use it for loops over bytes, and for functions that take a `Uint8Array`.
   *
   * `close` and `resize` detach it: its length is then 0. (Node 20 cannot detach buffers; there it keeps the old memory.)
   * In a map with `access: "read"`, which is what `MMap.open(path)` makes, writes to the array stay in this process and never
   * reach the file: pass `access: "write"`.
   *
   * Pass this array to APIs that take bytes, and not the map: `new Blob([mm])`, `new Response(mm)` and `Bun.write(path, mm)`
   * would write "[object MMap]".
   *
   * @throws {RangeError} The map is larger than the runtime's largest ArrayBuffer: use `view` for parts of it.
   * @throws {TypeError} The map is not readable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("numbers.bin", { create: true, length: 4096 });
   * let sum = 0;
   * for (const byte of mm.bytes) sum += byte;
   * ```
   */
  get bytes(): globalThis.Uint8Array<globalThis.ArrayBuffer> {
    return this.#readable().views.whole();
  }

  /**
   * The `ArrayBuffer` of `bytes`. Its first byte is the map's first byte.
   *
   * @throws {RangeError} As for `bytes`.
   * @throws {TypeError} As for `bytes`.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(16);
   * new Int32Array(mm.buffer)[1] = 97;
   * console.log(mm[4], mm.buffer.byteLength); // 97 16
   * ```
   */
  get buffer(): globalThis.ArrayBuffer {
    return this.bytes.buffer;
  }

  /**
   * A typed array or `DataView` over a part of the map, without a copy. It works on maps of any size.
   *
   * @param type The class of the view: `Float64Array`, `DataView`, …
   * @param byteOffset Where the part starts, in bytes from the start of the map. By default 0.
   * @param length The number of elements (of bytes, for a `DataView`). By default, up to the end of the map.
   * @throws {RangeError} The part is not within the map; it does not start at a multiple of the element size in the file;
   * or it is larger than the runtime's largest ArrayBuffer.
   * @throws {TypeError} An argument has the wrong type; the map is not readable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(816);
   * const column = mm.view(Float64Array, 16, 100);
   * column.fill(0.5);
   * ```
   */
  view<T extends ViewConstructor>(type: T, byteOffset = 0, length?: number): ViewOf<T> {
    const size = elementSize(type);
    const start = integer("byteOffset", byteOffset, 0, MAX_INTEGER);
    const wanted = length === undefined ? undefined : integer("length", length, 0, MAX_INTEGER);
    const memory = this.#readable();
    const room = memory.length - start;
    if (room < 0) throw new RangeError(`byteOffset must be from 0 to ${memory.length}: got ${start}`);
    if ((memory.offset + start) % size !== 0) {
      const place = memory.offset === 0 ? "" : `, at ${memory.offset + start} in the file`;
      throw new RangeError(
        `byteOffset must be at a multiple of ${size} in the file for ${type.name}: got ${start}${place}; ` +
          "a DataView reads and writes at any offset",
      );
    }
    if (wanted === undefined && room % size !== 0) {
      throw new RangeError(
        `length must be given: the ${room} bytes from ${start} to the end are not a multiple of ${size}`,
      );
    }
    const count = wanted ?? room / size;
    if (count * size > room) {
      throw new RangeError(`length must be at most ${MathFloor(room / size)}, from byteOffset ${start}: got ${count}`);
    }
    // The constructors have no call signature in common.
    const View = type as unknown as new (buffer: ArrayBuffer, byteOffset: number, length: number) => ViewOf<T>;
    if (count === 0) return new View(new ArrayBuffer(0), 0, 0);
    const part = memory.views.part(start, count * size);
    return new View(part.buffer, part.byteOffset, count);
  }

  /**
   * The byte at an index, or `undefined` if the index is outside the map. A negative index counts from the end.
   *
   * @throws {TypeError} The index is not an integer; the map is not readable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(3);
   * mm.write("abc");
   * console.log(mm.at(-1), mm.at(3)); // 99 undefined
   * ```
   */
  at(index: number): number | undefined {
    const place = integer("index", index, -MAX_INTEGER, MAX_INTEGER);
    const { length, window } = this.#readable();
    const from = place < 0 ? place + length : place;
    return from >= 0 && from < length ? window.byte(from) : undefined;
  }

  /**
   * A copy of the bytes from `start` up to `end`, or of every `step`th of them, by the rules of Python's slices: negative
   * bounds count from the end, bounds out of range are clamped, and a negative step goes backwards.
   *
   * @throws {RangeError} `step` is 0.
   * @throws {TypeError} An argument is not an integer; the map is not readable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(6);
   * mm.write("abcdef");
   * console.log(new TextDecoder().decode(mm.slice(undefined, undefined, -2))); // fdb
   * ```
   */
  slice(start?: number, end?: number, step?: number): globalThis.Uint8Array<globalThis.ArrayBuffer> {
    const memory = this.#readable();
    const part = slice(start, end, step, memory.length);
    if (part.step === 1) return memory.read(part.start, part.start + part.count);
    const copy = new Uint8Array(part.count);
    for (let index = 0; index < part.count; index++) copy[index] = memory.window.byte(part.start + index * part.step);
    return copy;
  }

  /**
   * Writes bytes to a slice: Python's `mm[start:end:step] = bytes`. The source must have exactly the slice's length.
   *
   * @throws {RangeError} The lengths of the source and the slice differ; `step` is 0.
   * @throws {TypeError} An argument has the wrong type; the map is not writable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(6);
   * mm.write("abcdef");
   * mm.assign("ACE", 0, 6, 2);
   * console.log(new TextDecoder().decode(mm.bytes)); // AbCdEf
   * ```
   */
  assign(bytes: BytesLike, start?: number, end?: number, step?: number): void {
    const source = bytesOf("bytes", bytes);
    const memory = this.#writable();
    const part = slice(start, end, step, memory.length);
    const length = lengthOf(source);
    if (length !== part.count) {
      const advice = length > part.count && end === undefined ? this.#growHint() : "";
      throw new RangeError(`bytes must have the slice's length, ${part.count}: got ${length}${advice}`);
    }
    if (part.step === 1) {
      memory.window.write(part.start, source, length);
      return;
    }
    // Copied first, because the source may be a view of this map, which the writes below would change.
    const copy = new Uint8Array(source);
    for (let index = 0; index < length; index++) {
      memory.window.setByte(part.start + index * part.step, copy[index] as number);
    }
  }

  /**
   * Iterates over the bytes. Slower than a loop over `bytes`, but works on maps of any size.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(3);
   * mm.write("abc");
   * for (const byte of mm) console.log(byte); // 97, 98, 99
   * ```
   */
  *[Symbol.iterator](): Generator<number, void> {
    for (let index = 0; index < this.#readable().length; index++) yield this.#readable().window.byte(index);
  }

  /**
   * Returns a copy of the next `n` bytes and moves the position past them. `undefined`, `null` or a negative number reads
   * to the end. If fewer than `n` bytes are left, returns those.
   *
   * @throws {TypeError} `n` is not an integer; the map is not readable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(12);
   * mm.write("Hello world!");
   * mm.seek(6);
   * console.log(new TextDecoder().decode(mm.read(5))); // world
   * ```
   */
  read(n?: number | null): globalThis.Uint8Array<globalThis.ArrayBuffer> {
    const count = n === undefined || n === null ? -1 : integer("n", n, -MAX_INTEGER, MAX_INTEGER);
    const memory = this.#readable();
    const start = this.#position;
    const rest = MathMax(0, memory.length - start);
    const end = start + (count < 0 ? rest : MathMin(count, rest));
    const bytes = memory.read(start, end);
    this.#position = end;
    return bytes;
  }

  /**
   * Returns the byte at the position and moves the position by one.
   *
   * @throws {RangeError} The position is at the end.
   * @throws {TypeError} The map is not readable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(3);
   * mm[0] = 97;
   * console.log(mm.readByte(), mm.tell()); // 97 1
   * ```
   */
  readByte(): number {
    const { length, window } = this.#readable();
    if (this.#position >= length) throw new RangeError(`the position is at the end, ${length}: no byte to read`);
    const value = window.byte(this.#position);
    this.#position++;
    return value;
  }

  /**
   * Returns a copy of the bytes up to and including the next newline, or up to the end, and moves the position past them.
   * Short lines may share one `buffer`, like Node's small Buffers.
   *
   * At the end it returns an empty array, which is truthy: loop with `while ((line = mm.readline()).length > 0)`, or use
   * `lines`.
   *
   * @throws {TypeError} The map is not readable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(8);
   * mm.write("one\ntwo\n");
   * mm.seek(0);
   * console.log(new TextDecoder().decode(mm.readline()).trimEnd()); // one
   * ```
   */
  readline(): globalThis.Uint8Array<globalThis.ArrayBuffer> {
    const memory = this.#readable();
    const start = this.#position;
    const line = memory.window.line(start);
    if (line !== undefined) {
      this.#position += lengthOf(line);
      return line;
    }
    const end = lineEnd(memory, start, memory.length);
    const bytes = memory.read(start, end);
    this.#position = end;
    return bytes;
  }

  /**
   * Iterates over the lines from `start` up to `end`, by the rules of slices. Each line includes its newline. The position
   * does not move.
   *
   * Each line is a copy, read up to 32 KiB ahead, so later writes may not be visible in it. Lines read together share one
   * `buffer`; use `line.slice()` to keep only a few.
   *
   * @throws {TypeError} A bound is not an integer; the map is not readable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(8);
   * mm.write("one\ntwo\n");
   * for (const line of mm.lines()) console.log(new TextDecoder().decode(line).trimEnd()); // one, two
   * ```
   */
  lines(start?: number, end?: number): IteratorObject<globalThis.Uint8Array<globalThis.ArrayBuffer>, undefined> {
    const { from, to } = this.#range(start, end);
    return lines(() => this.#mapping.memory, from, to);
  }

  /**
   * The bytes from `start` up to `end`, by the rules of slices, as a string. Works on maps of any size.
   *
   * Bytes that are not text in the encoding become U+FFFD, and a byte order mark at `start` is removed, as TextDecoder does.
   *
   * @param start Where the text starts, in bytes. By default 0.
   * @param end Where it ends, in bytes. By default the end of the map.
   * @param encoding One of TextDecoder's encodings. By default "utf-8".
   * @throws {RangeError} The text is longer than a string can be (2^29 - 24 characters in Node and Deno, 2^31 - 1 in Bun):
   * use `textLines` or `chunks`; or the runtime does not support the encoding.
   * @throws {TypeError} An argument has the wrong type; the map is not readable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   * import { writeFileSync } from "node:fs";
   *
   * writeFileSync("greeting.txt", "Grüße, Welt\n");
   * using mm = MMap.open("greeting.txt");
   * console.log(mm.text(0, 7)); // Grüße: 5 characters, 7 bytes
   * ```
   *
   * @see https://encoding.spec.whatwg.org/#names-and-labels
   */
  text(start?: number, end?: number, encoding = "utf-8"): string {
    const decoder = new Decoder(encoding);
    const { memory, from, to } = this.#range(start, end);
    return textOf(memory, decoder, from, to, true, "use textLines() or chunks()");
  }

  /**
   * Iterates over the lines from `start` up to `end`, by the rules of slices, as strings without their "\n" or "\r\n". The
   * position does not move.
   *
   * Lines are decoded up to 64 KiB ahead, so later writes may not be visible in them; after `resize`, the lines to come are
   * decoded anew. Engines keep a block's whole text as long as one of its lines.
   *
   * @param start Where the first line starts, in bytes. By default 0.
   * @param end Where the last one ends, in bytes. By default the end of the map.
   * @param encoding One of TextDecoder's encodings, as for `text`. By default "utf-8".
   * @throws {RangeError} The runtime does not support the encoding; a line is longer than a string can be.
   * @throws {TypeError} An argument has the wrong type; the map is not readable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   * import { writeFileSync } from "node:fs";
   *
   * writeFileSync("names.txt", "Ada\nZoë\n");
   * using mm = MMap.open("names.txt");
   * for (const line of mm.textLines()) console.log(line); // Ada, Zoë
   * ```
   */
  textLines(start?: number, end?: number, encoding = "utf-8"): IteratorObject<string, undefined> {
    const { from, to } = this.#range(start, end);
    return textLines(() => this.#mapping.memory, from, to, encoding);
  }

  /**
   * Iterates over the bytes from `start` up to `end`, by the rules of slices, as views of `size` bytes each, without a copy.
   * The last may be shorter. Works on maps of any size. The position does not move.
   *
   * Chunks that the program no longer references are garbage-collected, so walking a map of any size holds few of them.
   * `close`, `resize` and `remap` detach those that it references, and the next one is of the map as it is then. Chunks may share
   * their `buffer`, like those of `view`.
   *
   * @param size The length of each chunk in bytes. By default 1 MiB.
   * @param start Where the first starts, in bytes. By default 0.
   * @param end Where the last ends, in bytes. By default the end of the map.
   * @throws {RangeError} `size` is not positive, or is larger than the runtime's largest ArrayBuffer.
   * @throws {TypeError} An argument is not an integer; the map is not readable.
   * @throws {MMapError} While iterating: the file was truncated, and the chunk before had zeros in the place of lost bytes
   * (`ERR_MMAP_TRUNCATED`); the map is closed (`ERR_MMAP_CLOSED`).
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   * import { createHash } from "node:crypto";
   *
   * using mm = MMap.open("data.bin", { create: true, length: 3_000_000 });
   * const hash = createHash("sha256");
   * for (const chunk of mm.chunks()) hash.update(chunk);
   * console.log(hash.digest("hex"));
   * ```
   */
  chunks(
    size: number = CHUNK,
    start?: number,
    end?: number,
  ): IteratorObject<globalThis.Uint8Array<globalThis.ArrayBuffer>, undefined> {
    const { memory, from, to } = this.#range(start, end);
    const length = integer("size", size, 1, memory.platform.maxViewLength);
    return chunks(() => this.#mapping.memory, length, from, to);
  }

  /**
   * A web `ReadableStream` of the bytes from `start` up to `end`, by the rules of slices: for `new Response(mm.stream())`,
   * `pipeTo`, or Node's `Readable.fromWeb`. The position does not move.
   *
   * It consists of copies of up to 64 KiB, each made when it is asked for, so what a socket was given stays right when the
   * map is closed. If the map is closed before the end, the stream errors with `ERR_MMAP_CLOSED`. The stream keeps the map
   * from being garbage-collected.
   *
   * @param start Where the stream starts, in bytes. By default 0.
   * @param end Where it ends, in bytes. By default the end of the map.
   * @throws {TypeError} A bound is not an integer; the map is not readable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(12);
   * mm.write("Hello world!");
   * console.log(await new Response(mm.stream(6)).text()); // world!
   * ```
   *
   * @see https://developer.mozilla.org/docs/Web/API/ReadableStream
   */
  stream(start?: number, end?: number): ByteStream {
    const { from, to } = this.#range(start, end);
    return stream(() => this.#mapping.memory, from, to);
  }

  /**
   * Writes bytes at the position and moves the position past them. A string is written as UTF-8. Returns the number of
   * bytes.
   *
   * @throws {RangeError} The bytes do not fit; none is written.
   * @throws {TypeError} `bytes` has the wrong type; the map is not writable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(6);
   * console.log(mm.write("naïve")); // 6: two bytes for the ï
   * ```
   */
  write(bytes: BytesLike): number {
    const source = bytesOf("bytes", bytes);
    const memory = this.#writable();
    const length = lengthOf(source);
    const room = memory.length - this.#position;
    if (length > room) {
      throw new RangeError(
        `bytes must fit between the position ${this.#position} and the end: got ${length} for ${room} bytes${this.#growHint()}`,
      );
    }
    memory.window.write(this.#position, source, length);
    this.#position += length;
    return length;
  }

  /**
   * Writes one byte at the position and moves the position by one.
   *
   * @throws {RangeError} `value` is not from 0 to 255; the position is at the end.
   * @throws {TypeError} `value` is not an integer; the map is not writable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(3);
   * mm.writeByte(97);
   * console.log(mm[0], mm.tell()); // 97 1
   * ```
   */
  writeByte(value: number): void {
    const checked = byte("value", value);
    const { length, window } = this.#writable();
    if (this.#position >= length) {
      throw new RangeError(`the position is at the end, ${length}: no room for value${this.#growHint()}`);
    }
    window.setByte(this.#position, checked);
    this.#position++;
  }

  /**
   * Moves the position and returns the new one.
   *
   * @param pos The distance in bytes.
   * @param whence From where: `SEEK_SET` (0, the start; the default), `SEEK_CUR` (1, the position) or `SEEK_END` (2, the end).
   * @throws {RangeError} The new position would be before the start or past the end; `whence` is none of the three.
   * @throws {TypeError} An argument is not an integer.
   *
   * @example
   * ```ts
   * import { MMap, SEEK_END } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(100);
   * console.log(mm.seek(-10, SEEK_END)); // 90
   * ```
   */
  seek(pos: number, whence: number = SEEK_SET): number {
    const distance = integer("pos", pos, -MAX_INTEGER, MAX_INTEGER);
    const from = integer("whence", whence, SEEK_SET, SEEK_END);
    const { length } = this.#mapping.memory;
    const base = from === SEEK_SET ? 0 : from === SEEK_CUR ? this.#position : length;
    const target = base + distance;
    if (target < 0 || target > length) {
      throw new RangeError(
        `pos must lead to a position from 0 to ${length}: got ${distance}, which leads to ${target}`,
      );
    }
    this.#position = target;
    return target;
  }

  /**
   * The position, in bytes from the start.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(100);
   * mm.write("abc");
   * console.log(mm.tell()); // 3
   * ```
   */
  tell(): number {
    this.#checkOpen();
    return this.#position;
  }

  /**
   * Returns true, because every map can seek.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(13);
   * console.log(mm.seekable()); // true
   * ```
   */
  seekable(): true {
    this.#checkOpen();
    return true;
  }

  /**
   * The index of the first occurrence of `sub` between `start` and `end`, by the rules of slices, or -1. An empty `sub` is
   * found at `start`.
   *
   * @throws {TypeError} An argument has the wrong type; the map is not readable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(18);
   * mm.write("one fish, two fish");
   * for (let at = mm.find("fish"); at !== -1; at = mm.find("fish", at + 1)) console.log(at); // 4, 14
   * ```
   *
   * @see https://man7.org/linux/man-pages/man3/memmem.3.html
   */
  find(sub: BytesLike, start?: number, end?: number): number {
    const needle = bytesOf("sub", sub);
    const { memory, from, to } = this.#range(start, end);
    return find(memory, needle, from, to);
  }

  /**
   * The index of the last occurrence of `sub` between `start` and `end`, by the rules of slices, or -1. An empty `sub` is
   * found at `end`.
   *
   * @throws {TypeError} An argument has the wrong type; the map is not readable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(18);
   * mm.write("one fish, two fish");
   * console.log(mm.rfind("fish"), mm.rfind("fish", 0, 14)); // 14 4
   * ```
   */
  rfind(sub: BytesLike, start?: number, end?: number): number {
    const needle = bytesOf("sub", sub);
    const { memory, from, to } = this.#range(start, end);
    return findLast(memory, needle, from, to);
  }

  /**
   * The first match of a regular expression between `start` and `end`, by the rules of slices, or `undefined`.
   *
   * Each byte is one character from U+0000 to U+00FF, as in Python's `re` with bytes: `/\xc3\xaf/` matches the UTF-8 bytes
   * of ï. `^` and `$` match at `start` and `end`, and with the flag `m` at line breaks too. With the flag `y`, only a match at
   * `start` counts; `g` and `lastIndex` are ignored.
   *
   * The map is read through a window of 64 KiB, which grows while the result may depend on bytes outside of it.
   *
   * @throws {TypeError} An argument has the wrong type; the map is not readable.
   * @throws {RangeError} The expression has a character beyond U+00FF, which matches no byte; or the result depends on more
   * than 512 MiB at once: only for an expression that repeats something without a bound.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(18);
   * mm.write("one fish, two fish");
   * const match = mm.search(/(?<number>t\w+) fish/);
   * console.log(match?.index, new TextDecoder().decode(match?.groups?.number)); // 10 two
   * ```
   */
  search(pattern: RegExp, start?: number, end?: number): ByteMatch | undefined {
    for (const match of this.matchAll(pattern, start, end)) return match;
    return undefined;
  }

  /**
   * Iterates over all matches of a regular expression between `start` and `end`, by the rules of `search`. The map is read
   * during the iteration, one window at a time.
   *
   * @throws {TypeError} As for `search`.
   * @throws {RangeError} As for `search`.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(13);
   * mm.write("one, two, one");
   * for (const { index, end } of mm.matchAll(/o\w+/)) console.log(index, end); // 0 3, 10 13
   * ```
   */
  matchAll(pattern: RegExp, start?: number, end?: number): IteratorObject<ByteMatch, void> {
    const expression = regExpOf("pattern", pattern);
    checkMatchesBytes("pattern", expression);
    const { from, to } = this.#range(start, end);
    return matches(() => this.#mapping.memory, expression, from, to);
  }

  /**
   * Copies `count` bytes from `src` to `dest` within the map. The two ranges may overlap.
   *
   * @throws {RangeError} A range is not within the map.
   * @throws {TypeError} An argument is not an integer; the map is not writable.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(6);
   * mm.write("abcdef");
   * mm.move(2, 0, 4);
   * console.log(new TextDecoder().decode(mm.bytes)); // ababcd
   * ```
   */
  move(dest: number, src: number, count: number): void {
    const to = integer("dest", dest, 0, MAX_INTEGER);
    const from = integer("src", src, 0, MAX_INTEGER);
    const bytes = integer("count", count, 0, MAX_INTEGER);
    this.#writable();
    const memory = this.#readable();
    const { length } = memory;
    if (to + bytes > length) throw new RangeError(`dest + count must be at most ${length}: got ${to} + ${bytes}`);
    if (from + bytes > length) throw new RangeError(`src + count must be at most ${length}: got ${from} + ${bytes}`);
    if (bytes > 0) memory.move(to, from, bytes);
  }

  /**
   * Changes the length of the map, and the size of its file, which then ends where the map ends. The contents are kept up
   * to the smaller length; what follows are the bytes that the file has there, and zeros past its end. A position past the
   * new end moves to the new end.
   *
   * Detaches every view; `bytes` is a new array afterwards.
   *
   * @param newSize The new length in bytes.
   * @param options `reserve: true` allocates the file's disk blocks for the whole map, so that a full disk is an error here.
   * @throws {RangeError} `newSize` is not positive.
   * @throws {TypeError} The map has `access` "read" or "copy", its `prot` lacks `PROT_WRITE`, or it was created with
   * `trackfd: false`; `reserve` for a map without a file, or on a system that does not support it.
   * @throws {MMapError} A system call failed.
   *
   * @example
   * ```ts
   * import { MMap, MMapError } from "mmap-ffi";
   *
   * using mm = MMap.open("log.bin", { create: true, length: 4096, reserve: true });
   * try {
   *   mm.resize(2 ** 20, { reserve: true });
   * } catch (error) {
   *   if (!(error instanceof MMapError && error.code === "ENOSPC")) throw error;
   *   console.log("the disk is full, and the map is unchanged");
   * }
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/mremap.2.html
   */
  resize(newSize: number, options: ResizeOptions = {}): void {
    const length = integer("newSize", newSize, 1, MAX_INTEGER - this.#mapping.offset);
    const { reserve = false } = checkObject(options, RESIZE_OPTIONS, "resize()");
    boolean("reserve", reserve);
    this.#checkOpen();
    if (this.#access === "read" || this.#access === "copy") {
      throw new TypeError(
        `a map with access "${this.#access}" cannot be resized: only "write" and "default" can; ` +
          "remap() maps a file that others have changed",
      );
    }
    this.#writable();
    this.#mapping.resize(length, reserve);
    this.#position = MathMin(this.#position, length);
  }

  /**
   * Maps the file as it is now: to its end, or `length` bytes of it. Use it when others have extended, truncated or rewritten
   * the file, whatever the map's `access` is. The file is never changed. `faults` is 0 again.
   *
   * Detaches every view; `bytes` is a new array afterwards. A position past the new end moves to the new end. A map whose
   * writes do not reach the file (`access: "copy"`) keeps its contents up to the shorter length, changes included, and
   * shows the file after that; this takes memory for all of the map.
   *
   * @param length The number of bytes to map. By default, and for 0, up to the end of the file.
   * @throws {RangeError} The file is shorter than `offset` and `length`; the map is unchanged.
   * @throws {TypeError} The map is anonymous, or was created with `trackfd: false`; `length` is not an integer.
   * @throws {MMapError} A system call failed; the map is unchanged.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   * import { appendFileSync, writeFileSync } from "node:fs";
   *
   * writeFileSync("events.log", "one\n");
   * using mm = MMap.open("events.log");
   * appendFileSync("events.log", "two\n");
   * mm.remap();
   * console.log(mm.text(4)); // two
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/mmap.2.html
   */
  remap(length?: number): void {
    const wanted = length === undefined ? 0 : integer("length", length, 0, MAX_INTEGER - this.#mapping.offset);
    this.#mapping.remap(wanted);
    this.#position = MathMin(this.#position, this.#mapping.memory.length);
  }

  /**
   * The size of the file in bytes, which may be more than the map's length. For anonymous memory, the map's length.
   *
   * @throws {TypeError} The map was created with `trackfd: false`.
   * @throws {MMapError} A system call failed.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using whole = MMap.open("numbers.bin", { create: true, length: 4096 });
   * using part = MMap.open("numbers.bin", { length: 100 });
   * console.log(part.length, part.size()); // 100 4096
   * ```
   */
  size(): number {
    return this.#mapping.size();
  }

  /**
   * Writes changed bytes to the file and waits until they are on disk. The range is rounded out to pages. On macOS, the drive's
   * cache is flushed too, unless there are `flags`.
   *
   * @param offset Where the range starts, in bytes from the start of the map. By default 0.
   * @param size Its length in bytes. By default, up to the end of the map.
   * @param options `flags`: how to write, `MS_SYNC`, `MS_ASYNC` or `MS_INVALIDATE`. By default `MS_SYNC`.
   * @throws {RangeError} The range is not within the map.
   * @throws {TypeError} An argument has the wrong type; `flags` on Windows.
   * @throws {MMapError} A system call failed: with `EINVAL` if the system does not know the `flags` or their combination,
   * with `EBUSY` for `MS_INVALIDATE` of locked pages.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("numbers.bin", { create: true, length: 4096 });
   * mm.write("one two three");
   * mm.flush(); // on the disk now
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/msync.2.html
   */
  flush(offset = 0, size?: number, options: FlushOptions = {}): void {
    const { flags } = checkObject(options, FLUSH_OPTIONS, "flush()");
    const checked = flags === undefined ? undefined : integer("flags", flags, 0, 2 ** 31 - 1);
    const { start, count } = this.#flushed(offset, size);
    if (count > 0) this.#mapping.flush(start, count, checked);
  }

  /**
   * Like `flush`, without blocking. Resolves when the bytes are on disk. The whole file is synced, not only the range;
   * changes made meanwhile may or may not be included.
   *
   * The map may be closed or resized meanwhile. All errors reject the promise, also those of wrong arguments. On Windows,
   * OpenBSD and Android, which have no such system call, and for a map that is not writable, it blocks like `flush`; on
   * macOS, only flushing the drive's cache blocks.
   *
   * @param offset Where the range starts, in bytes from the start of the map. By default 0.
   * @param size Its length in bytes. By default, up to the end of the map.
   * @throws {RangeError} The range is not within the map.
   * @throws {TypeError} An argument is not an integer; the map was created with `trackfd: false`.
   * @throws {MMapError} A system call failed, and none of the bytes may be on disk. (`EAGAIN`: too many run at once.)
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("numbers.bin", { create: true, length: 4096 });
   * mm.write("one two three");
   * const written = mm.flushAsync();
   * console.log("this comes first");
   * await written;
   * ```
   *
   * @see https://man7.org/linux/man-pages/man3/aio_fsync.3.html
   */
  async flushAsync(offset = 0, size?: number): Promise<void> {
    const { start, count } = this.#flushed(offset, size);
    if (count > 0) await this.#mapping.flushAsync(start, count);
  }

  /** The part of a range that can be flushed: nothing of a private map, whose changes never reach the file. */
  #flushed(offset: number, size: number | undefined): { start: number; count: number } {
    const { length } = this.#mapping.memory;
    const start = integer("offset", offset, 0, length);
    const count = size === undefined ? length - start : integer("size", size, 0, length - start);
    return { start, count: this.#mapping.protection.shared ? count : 0 };
  }

  /**
   * Advises the system how the memory will be used.
   *
   * @param option One of the system's `MADV_*` constants.
   * @param start Where the range starts, in bytes from the start of the map; the start of a page. By default 0.
   * @param length Its length in bytes, cut at the end of the map; the system rounds it up to pages. By default, up to the
   * end.
   * @throws {TypeError} The running system does not have the constant; an argument is not an integer.
   * @throws {RangeError} `start` is not the start of a page, or not within the map; `option` is not one of the constants, or
   * is one that makes the memory unusable.
   * @throws {MMapError} A system call failed.
   *
   * @example
   * ```ts
   * import { MADV_SEQUENTIAL, MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("numbers.bin", { create: true, length: 4096 });
   * if (MADV_SEQUENTIAL !== undefined) mm.madvise(MADV_SEQUENTIAL);
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/madvise.2.html
   */
  madvise(option: number | undefined, start = 0, length?: number): void {
    if (option === undefined) {
      throw new TypeError("option must be a MADV_* constant that this system has: got undefined");
    }
    const example = "; pass a MADV_* constant, which mmap-ffi exports, such as MADV_RANDOM or MADV_SEQUENTIAL";
    const advice = integer("option", option, -(2 ** 31), 2 ** 31 - 1, example);
    const all = this.#mapping.memory.length;
    const from = integer("start", start, 0, MathMax(0, all - 1));
    const rest = all - from;
    // MADV_REMOVE punches a hole into the file, whatever the protection of the memory is.
    if (advice === MADV_REMOVE) this.#writable();
    const count = length === undefined ? rest : MathMin(integer("length", length, 0, MAX_INTEGER), rest);
    if (all > 0) this.#mapping.advise(advice, from, count);
  }

  /**
   * Brings a range into memory and keeps it there: until `unlock`, `resize` or `close`, its pages are not swapped out or
   * read from disk again. The range is rounded out to pages. Blocks until all pages are in memory. Locks do not nest.
   *
   * On Linux, pages of a file are not copied, whatever the map's `access` is; other systems may copy those of a private map
   * ("read", "copy") when locking them. Memory that stays mapped after `close`, because a view of it is in use, stays locked.
   *
   * @param start Where the range starts, in bytes from the start of the map. By default 0.
   * @param length Its length in bytes. By default, up to the end of the map.
   * @throws {RangeError} The range is not within the map.
   * @throws {TypeError} An argument is not an integer; the map is not readable.
   * @throws {MMapError} A system call failed, in most cases with `ENOMEM` (the limit of locked memory, `ulimit -l`; on
   * Windows the working set) or `EPERM`; or the file was truncated and a part of the range is lost (`ERR_MMAP_TRUNCATED`):
   * then none of the range is locked.
   *
   * @example
   * ```ts
   * import { MMap, MMapError } from "mmap-ffi";
   *
   * using mm = MMap.open("numbers.bin", { create: true, length: 4096 });
   * try {
   *   mm.lock();
   * } catch (error) {
   *   if (error instanceof MMapError) console.log(`not locked: ${error.code}`);
   * }
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/mlock.2.html
   */
  lock(start = 0, length?: number): void {
    const { from, count } = this.#span(start, length);
    this.#readable();
    if (count > 0) this.#mapping.lock(from, count);
  }

  /**
   * Unlocks the pages that contain a range. Pages that are not locked are unaffected.
   *
   * @param start Where the range starts, in bytes from the start of the map. By default 0.
   * @param length Its length in bytes. By default, up to the end of the map.
   * @throws {RangeError} The range is not within the map.
   * @throws {TypeError} An argument is not an integer.
   * @throws {MMapError} A system call failed.
   *
   * @example
   * ```ts
   * import { MMap, MMapError } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(4096);
   * try {
   *   mm.lock();
   *   mm.write("this is never swapped out");
   *   mm.unlock();
   * } catch (error) {
   *   if (error instanceof MMapError) console.log(`not locked: ${error.code}`);
   * }
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/mlock.2.html
   */
  unlock(start = 0, length?: number): void {
    const { from, count } = this.#span(start, length);
    if (count > 0) this.#mapping.unlock(from, count);
  }

  /**
   * Reports which pages of a range are in memory at this moment. The range is rounded out to pages.
   *
   * On Linux, all pages of a file that the process neither owns nor may write are reported as in memory. On FreeBSD, only
   * pages that this process has accessed are. Not supported on Windows and OpenBSD.
   *
   * @param start Where the range starts, in bytes from the start of the map. By default 0.
   * @param length Its length in bytes. By default, up to the end of the map.
   * @throws {RangeError} The range is not within the map, or has more than 2^26 pages (256 GiB with pages of 4 KiB): query
   * it in parts.
   * @throws {TypeError} An argument is not an integer; the system does not support it.
   * @throws {MMapError} A system call failed.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("numbers.bin", { create: true, length: 4096 });
   * const { resident, pages } = mm.residency();
   * console.log(`${resident} of ${pages.length} pages are in memory; the first is ${pages[0] === 1 ? "in" : "out"}`);
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/mincore.2.html
   */
  residency(start = 0, length?: number): Residency {
    const { from, count } = this.#span(start, length);
    return this.#mapping.residency(from, count);
  }

  /**
   * Brings a range into memory now, so that later accesses do not wait for the disk. The range is rounded out to pages.
   * Nothing is copied or changed, unless `write` is set. The system may drop the pages again: `lock` keeps them.
   *
   * Linux (5.14) does it in one call, which reports an I/O error as an error and not as a signal. Other systems read each
   * page.
   *
   * @param start Where the range starts, in bytes from the start of the map. By default 0.
   * @param length Its length in bytes. By default, up to the end of the map.
   * @param options `write: true` prepares the pages for writing, as if a byte of each had been written: disk blocks of the
   * file are allocated, private pages are copied, anonymous memory is allocated. Linux only.
   * @throws {RangeError} The range is not within the map.
   * @throws {TypeError} An argument has the wrong type; the map is not readable, or not writable for `write`; the system
   * does not support `MADV_POPULATE_WRITE`.
   * @throws {MMapError} The file was truncated and a part of the range is lost (`ERR_MMAP_TRUNCATED`); or a system call
   * failed: `ENOMEM`, `EFAULT` (the disk failed or is full), `EHWPOISON` (broken memory). Some pages may be in memory then.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("numbers.bin", { create: true, length: 4096 });
   * mm.prefault();
   * console.log(mm.find("three")); // does not wait for the disk
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/madvise.2.html MADV_POPULATE_READ, MADV_POPULATE_WRITE
   */
  prefault(start = 0, length?: number, options: PrefaultOptions = {}): void {
    const { write = false } = checkObject(options, PREFAULT_OPTIONS, "prefault()");
    boolean("write", write);
    const { from, count } = this.#span(start, length);
    this.#readable();
    if (write) this.#writable();
    if (count > 0) this.#mapping.prefault(from, count, write);
  }

  /**
   * Like `prefault`, without blocking while the disk is read. The pages are read in parts of 8 MiB.
   *
   * The map may be closed or resized meanwhile: the promise then resolves when the part that is being read has come. Without a
   * descriptor (`trackfd: false`), and on Windows and OpenBSD, each part blocks while it is read.
   *
   * @param start Where the range starts, in bytes from the start of the map. By default 0.
   * @param length Its length in bytes. By default, up to the end of the map.
   * @throws {RangeError} The range is not within the map.
   * @throws {TypeError} An argument is not an integer; the map is not readable.
   * @throws {MMapError} As for `prefault`; `EAGAIN`: too many run at once; `EIO`: the disk failed. All errors reject the promise.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("numbers.bin", { create: true, length: 4096 });
   * await mm.prefaultAsync();
   * console.log(mm.find("three")); // does not wait for the disk
   * ```
   *
   * @see https://man7.org/linux/man-pages/man7/aio.7.html
   */
  async prefaultAsync(start = 0, length?: number): Promise<void> {
    const { from, count } = this.#span(start, length);
    this.#readable();
    await this.#mapping.prefaultAsync(from, count);
  }

  /**
   * Blocks this thread until the 32-bit word at `byteOffset` is no longer `value`: `Atomics.wait`, for every thread and
   * process that maps the same file or memory. Change the word by `Atomics` on a view, then call `notify`.
   *
   * "ok" may come early, so call it in a loop that looks at the word. On Linux a wake-up takes about 4 µs. Systems
   * without such a call poll: there only a changed word ends a wait, after up to 16 ms.
   *
   * It blocks everything that the thread does, its signal handlers too: in servers, use `waitAsync`. A worker that waits can
   * be terminated, within 100 ms.
   *
   * @param byteOffset Where the word is, in bytes from the start of the map. A multiple of 4 in the file.
   * @param value The value to wait for the end of. Those from 2^31 on are of unsigned words.
   * @param timeout How long to wait at most, in milliseconds. By default without end.
   * @returns "ok": the word has changed, or `notify` was called. "not-equal": the word was another at once. "timed-out".
   * @throws {RangeError} The word is not within the map, or not aligned; `value` does not have 32 bits.
   * @throws {TypeError} An argument has the wrong type; the map does not share its memory (`access: "read"` or "copy",
   * `MAP_PRIVATE`), or is not readable.
   * @throws {MMapError} The file was truncated and the word is lost (`ERR_MMAP_TRUNCATED`); a system call failed.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("jobs.bin", { create: true, length: 4096 });
   * const jobs = mm.view(Int32Array);
   * const seen = Atomics.load(jobs, 0);
   * console.log(mm.wait(0, seen, 10)); // timed-out: nobody has added a job
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/futex.2.html
   */
  wait(byteOffset: number, value: number, timeout?: number): WaitResult {
    const word = wordValue(value);
    const most = milliseconds(timeout);
    const index = wordIndex(this.#mapping.memory, "wait()", byteOffset);
    return wait(() => this.#mapping.memory, index, word, most);
  }

  /**
   * Like `wait`, without blocking. Any number of waits may be pending. All errors reject the promise, also those of wrong
   * arguments.
   *
   * `close`, `resize` and `remap` end pending waits: their promises reject with `ERR_MMAP_CLOSED`. A pending wait keeps the
   * map from being garbage-collected, and the process running.
   *
   * A partner that is running is seen within microseconds, because a wait first blocks the thread, for 0.1 ms at most and only
   * if no other wait is pending, and then polls in some turns of the event loop. Later, a wake-up takes about 50 µs in Deno and
   * in the main thread of Node with koffi, where one thread waits for all; in Bun, with `node:ffi`, in Node's workers and on
   * other systems up to 16 ms, and only a changed word ends the wait.
   *
   * @param byteOffset Where the word is, in bytes from the start of the map. A multiple of 4 in the file.
   * @param value The value to wait for the end of.
   * @param options `timeout` in milliseconds, by default without end; `signal` ends the wait.
   * @returns As for `wait`.
   * @throws {RangeError} As for `wait`.
   * @throws {TypeError} As for `wait`; an unknown option.
   * @throws {MMapError} As for `wait`; the map was closed or resized (`ERR_MMAP_CLOSED`).
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("jobs.bin", { create: true, length: 4096 });
   * const jobs = mm.view(Int32Array);
   * const waiting = mm.waitAsync(0, Atomics.load(jobs, 0));
   * Atomics.add(jobs, 0, 1); // another process does this
   * mm.notify(0);
   * console.log(await waiting); // ok
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/futex.2.html
   */
  async waitAsync(byteOffset: number, value: number, options: WaitOptions = {}): Promise<WaitResult> {
    const { timeout, signal } = checkObject(options, WAIT_OPTIONS, "waitAsync()");
    const word = wordValue(value);
    const most = milliseconds(timeout);
    const stop = signalOf(signal);
    const index = wordIndex(this.#mapping.memory, "waitAsync()", byteOffset);
    return waitAsync(() => this.#mapping.memory, index, word, most, stop);
  }

  /**
   * Wakes those who `wait` for the word at `byteOffset`, in this process and in others. Change the word first: a wait that
   * polls only sees that.
   *
   * @param byteOffset Where the word is, in bytes from the start of the map. A multiple of 4 in the file.
   * @param count How many to wake at most. By default all.
   * @returns How many were woken. Waits that poll do not count; on FreeBSD always 0.
   * @throws {RangeError} The word is not within the map, or not aligned; `count` is negative.
   * @throws {TypeError} As for `wait`.
   * @throws {MMapError} As for `wait`.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("jobs.bin", { create: true, length: 4096 });
   * Atomics.add(mm.view(Int32Array), 0, 1);
   * console.log(mm.notify(0)); // 0: nobody waits
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/futex.2.html
   */
  notify(byteOffset: number, count: number = Infinity): number {
    const most = count === Infinity ? count : integer("count", count, 0, MAX_INTEGER);
    const { memory } = this.#mapping;
    return notify(memory, wordIndex(memory, "notify()", byteOffset), most);
  }

  /**
   * A mutex in 8 bytes of the map: a lock between all processes and workers that map the same file or memory. Bytes that are
   * zero are one that is free. The same map returns the same object for a place.
   *
   * It survives its owner: if a process dies holding it, however it dies, the next one gets "abandoned" and decides what to
   * do with what it guards. On macOS, only files have mutexes; on FreeBSD and OpenBSD, processes of one user share one. Each map
   * is one owner. While it holds a mutex, `close`, `resize` and `remap` throw. A worker that is terminated keeps its mutexes
   * locked until the process ends, except in Node.
   *
   * @param byteOffset Where the 8 bytes are, in bytes from the start of the map. A multiple of 8 in the file.
   * @throws {RangeError} They are not within the map, or not aligned.
   * @throws {TypeError} The map is not writable, does not share its memory, or has neither a descriptor
   * (`trackfd: false`) nor a name; the system does not support it.
   * @throws {MMapError} A system call failed: the file is opened once more, on Linux by /proc; FreeBSD and OpenBSD have a file
   * for each owner in `~/.mmap-ffi`. Another program has locked all of the file (`EBUSY`).
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("shared.bin", { create: true, length: 4096 });
   * const mutex = mm.mutex(4088);
   * {
   *   using held = mutex.hold(); // released at the end of the block
   *   mm.write(held.abandoned ? "a process died in here" : "only one process writes this at a time");
   * }
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/fcntl_locking.2.html
   */
  mutex(byteOffset: number): Mutex {
    const memory = this.#writable();
    const index = wordIndex(memory, "mutex()", byteOffset, 8);
    this.#mutexes ??= new Map();
    const known = MapPrototypeGet(this.#mutexes, index);
    if (known !== undefined) return known;
    const mapping = this.#mapping;
    mapping.owner();
    const mutex = new Mutex(
      () => this.#mapping.memory,
      () => mapping.owner(),
      index,
    );
    MapPrototypeSet(this.#mutexes, index, mutex);
    return mutex;
  }

  /**
   * Names anonymous memory: /proc/PID/maps then shows it as `[anon:NAME]`, or `[anon_shmem:NAME]` if it is shared. Only memory
   * without a descriptor has a name: that of `access: "copy"` or `trackfd: false`. A `resize` may lose it.
   *
   * Linux 5.17 and later, built with `CONFIG_ANON_VMA_NAME`.
   *
   * @param name At most 79 characters of printable ASCII, without \ ` $ [ and ].
   * @throws {TypeError} `name` is not a string; the map is of a file, or has a descriptor; the system does not support it.
   * @throws {RangeError} `name` is too long, or has other characters.
   * @throws {MMapError} A system call failed: with `EINVAL` if the kernel does not support it.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(4096, { access: "copy" });
   * try {
   *   mm.setName("cache");
   * } catch (error) {
   *   console.log(`no name: ${error}`); // another system, or a kernel without names
   * }
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/PR_SET_VMA.2const.html
   */
  setName(name: string): void {
    const checked = memoryName("name", name);
    this.#mapping.setName(checked);
  }

  /**
   * Closes the map: detaches every view, closes the descriptor and unmaps the memory. Changes are not lost: the system
   * writes those of a shared map to its file. A second call does nothing.
   *
   * Memory of which a view was handed out (`bytes`, `buffer`, `view`) stays mapped until no operation of the runtime can
   * be using it: what a socket was given before `close` is sent as it was. The file stays open for as long, and the disk
   * space of a deleted file taken. `release: true` ends that.
   *
   * @param options `release: true` releases the file and the memory at once. Operations of the runtime that are still
   * under way on a view then fail (`EFAULT`), or see zeros.
   * @throws {TypeError} `release` is not a boolean; the map holds a mutex.
   * @throws {MMapError} The system call failed; or the file shrank and writes may have been lost that no earlier call
   * reported (`ERR_MMAP_TRUNCATED`). The map is closed either way.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * const mm = MMap.anonymous(13);
   * try {
   *   mm.write("Hello world!");
   * } finally {
   *   mm.close(); // as "using mm = …" does
   * }
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/munmap.2.html
   */
  close(options?: CloseOptions): void {
    // Other arguments are ignored: close() also serves as an event listener, which is called with what the event brings.
    const { release = false } = typeof options === "object" && options !== null ? options : {};
    boolean("release", release);
    this.#mapping.requireReleased("close()");
    // Throws while the map is being resized, and it stays registered then.
    if (!this.#mapping.closed) this.#checkOpen();
    cancel(this.#registration);
    this.#mapping.close(release);
  }

  /**
   * `close`, for `using`.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * {
   *   using mm = MMap.anonymous(13);
   *   mm.write("Hello world!");
   * }
   * console.log("the map is closed");
   * ```
   */
  [Symbol.dispose](): void {
    this.close();
  }

  #range(start: unknown, end: unknown): { memory: Memory; from: number; to: number } {
    const memory = this.#readable();
    const { length } = memory;
    return { memory, from: bound("start", start, length, 0), to: bound("end", end, length, length) };
  }

  /** The start and the length of a range that must lie within the map. */
  #span(start: number, length: number | undefined): { from: number; count: number } {
    const all = this.#mapping.memory.length;
    const from = integer("start", start, 0, all);
    return { from, count: length === undefined ? all - from : integer("length", length, 0, all - from) };
  }

  /** What to do if something does not fit. */
  #growHint(): string {
    return this.#access === "copy" ? "" : "; resize() the map first";
  }

  /** @throws {MMapError} `ERR_MMAP_CLOSED` */
  #checkOpen(): void {
    this.#mapping.memory;
  }

  /** The map's memory, which may be read. It must be asked for again after user code has run. */
  #readable(): Memory {
    const { memory } = this.#mapping;
    if (memory.protection.readable) return memory;
    throw new TypeError("the map cannot be read: its prot lacks PROT_READ");
  }

  /** The map's memory, which may be written. */
  #writable(): Memory {
    const { memory } = this.#mapping;
    if (memory.protection.writable) return memory;
    const why = this.#access === "read" ? 'its access is "read"; use access: "write"' : "its prot lacks PROT_WRITE";
    throw new TypeError(`the map cannot be written: ${why}`);
  }

  static {
    const isMap = (value: unknown): value is MMap => typeof value === "object" && value !== null && #mapping in value;

    // Not by name, because bundlers rename classes that name themselves.
    // biome-ignore lint/complexity/noThisInStatic: see above
    const { prototype } = this;
    const describe = {
      configurable: true,
      value(this: unknown): string {
        // The prototype itself, or an object that inherits from it.
        if (!isMap(this)) return "MMap {}";
        const { closed, access } = this;
        const name = classNameOf(this, prototype) ?? "MMap";
        if (closed) return `${name} { closed: true, access: "${access}" }`;
        return (
          `${name} { closed: false, access: "${access}", length: ${this.length}, pos: ${this.#position}, ` +
          `offset: ${this.offset} }`
        );
      },
    };
    ObjectDefineProperty(prototype, Symbol.for("nodejs.util.inspect.custom"), describe);
    ObjectDefineProperty(prototype, Symbol.for("Deno.customInspect"), describe);
    // Not for the prototype itself: Jest's automock mocks only what it takes for a plain object.
    ObjectDefineProperty(prototype, Symbol.toStringTag, {
      configurable: true,
      get(this: unknown): string | undefined {
        return isMap(this) ? "MMap" : undefined;
      },
    });

    const placeOf = (length: number, index: number, advice = ""): number => {
      const place = index < 0 ? index + length : index;
      if (!NumberIsInteger(index)) throw new TypeError(`index must be an integer: got ${show(index)}`);
      if (length === 0) throw new RangeError(`index must be within the map, which is empty: got ${index}${advice}`);
      if (place < 0 || place >= length)
        throw new RangeError(`index must be from ${-length} to ${length - 1}: got ${index}${advice}`);
      return place;
    };

    // The prototype of the prototype is a Proxy, which is reached only for keys that are found nowhere else. So mm[index]
    // costs the methods nothing; a Proxy around the map would slow down everything.
    const plain = {};
    const indexer = new Proxy(plain, {
      get(target, key, receiver) {
        const index = indexOf(key);
        if (index === undefined || !isMap(receiver)) return ReflectGet(target, key, receiver);
        const { length, window } = receiver.#readable();
        return window.byte(placeOf(length, index));
      },
      set(target, key, value, receiver) {
        const index = indexOf(key);
        if (index === undefined || !isMap(receiver)) return ReflectSet(target, key, value, receiver);
        const checked = byte("value", value);
        const { length, window } = receiver.#writable();
        window.setByte(placeOf(length, index, receiver.#growHint()), checked);
        return true;
      },
    });
    ObjectSetPrototypeOf(prototype, indexer);
  }
}

/**
 * Makes the map of a file that `open` has opened. Only `MMap` itself may adopt the descriptor: a subclass could make two maps
 * of it, or close it. A function outside of the class, because bundlers rename classes that name themselves.
 */
function mapOpened<T extends MMap>(
  Class: new (fd: number, length: number, options?: MMapOptions) => T,
  file: OpenedFile,
  length: number,
  options: MMapOptions,
  descriptor: number = file.descriptor,
): T {
  const Any: new (fd: number, length: number, options: MMapOptions, file?: OpenedFile) => T = Class;
  const handed = (Class as unknown) === MMap ? file : file.withoutDescriptor();
  return new Any(descriptor, length, options, handed);
}

brand(MMap, "MMap");

/** The number that a property key represents, if any: "3" and "-1", but also "1.5" and "NaN", which are not valid indices. */
function indexOf(key: string | symbol): number | undefined {
  if (typeof key !== "string") return undefined;
  const index = Number(key);
  return String(index) === key || key === "-0" ? index : undefined;
}
