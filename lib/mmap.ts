/**
 * The class `MMap`: checks what users pass in, keeps the position, and leaves the memory to `Mapping`.
 *
 * @module
 */

import type { Channel } from "node:diagnostics_channel";
import { lengthOf } from "../ffi/array-buffer.ts";
import { builtins } from "../ffi/builtins.ts";
import {
  ArrayBuffer,
  getterOf,
  MathFloor,
  MathMax,
  MathMin,
  NO_ARGUMENTS,
  Number,
  NumberIsInteger,
  ReflectApply,
  Uint8Array,
} from "../ffi/primordials.ts";
import { MADV_REMOVE, SEEK_CUR, SEEK_END, SEEK_SET } from "./constants.ts";
import { show } from "./errors.ts";
import { cancel, type Registration, registerLater } from "./finalizer.ts";
import { Mapping } from "./mapping.ts";
import { OpenedFile, openAndMap } from "./open.ts";
import {
  type Access,
  checkObject,
  checkOptions,
  type FileURL,
  type MMapOptions,
  type OpenOptions,
  type PrefaultOptions,
  type ResizeOptions,
} from "./options.ts";
import { lineEnd, lines } from "./search/lines.ts";
import { type ByteMatch, find, findLast, matches } from "./search/search.ts";
import { copiedLine } from "./slab.ts";
import { type BytesLike, boolean, bound, byte, bytesOf, integer, MAX_INTEGER, slice } from "./validate.ts";
import { elementSize, type ViewConstructor } from "./view-types.ts";

/** Which pages are in memory. */
export interface Residency {
  /** One byte a page: 1 where it is in memory, 0 where it is not. The first stands for the page on which the range begins. */
  readonly pages: Uint8Array<ArrayBuffer>;
  /** How many of them are in memory. */
  readonly resident: number;
}

/** Publishes each map that is made, like Python's audit event `mmap.__new__`. */
let opening: Channel | undefined;

/**
 * A file, or memory that belongs to no file, mapped into memory. It is an array of bytes (`mm[3]`), a file with a position
 * (`read`, `seek`), and memory that other code can work on without a copy (`bytes`, `view`).
 *
 * A closed map throws `MMapError` with the code `ERR_MMAP_CLOSED` from everything but `close`, `closed`, `access`,
 * `offset` and `fd` (-1 then). A call that throws has changed nothing.
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

  /**
   * The byte at an index; a negative one counts from the end. Slower than `bytes[index]`.
   *
   * Throws `RangeError` for an index outside of the map, `TypeError` for one that is not an integer; setting throws
   * `TypeError` on a map for reading, and `RangeError` for a value that is not from 0 to 255.
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
   * Maps `length` bytes of an open file, which stays open and can be closed at once. The map keeps a duplicate of the
   * descriptor.
   *
   * Publishes `{ fd, length, access, offset }` to the `node:diagnostics_channel` "mmap:open" first.
   *
   * @param fd A file's descriptor, or -1 for memory that belongs to no file and begins as zeros.
   * @param length How many bytes to map. 0: to the end of the file.
   * @param options How to map them.
   * @throws {TypeError} An argument of a wrong type; `access` together with `flags` or `prot`; `tagname` off Windows.
   * @throws {RangeError} The file is empty, or has not the bytes that are asked for.
   * @throws {MMapError} The system refused; or there is no way to call C here (`ERR_MMAP_FFI`).
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
  // `opened` comes from `open` alone: it is no part of the API, and any other value is ignored.
  constructor(fd: number, length: number, options: MMapOptions = {}, opened?: unknown) {
    const descriptor = integer("fd", fd, -1, 2 ** 31 - 1);
    const bytes = integer("length", length, 0, MAX_INTEGER);
    const request = checkOptions(options, bytes, descriptor);
    const { access, offset } = request;
    this.#access = access;
    opening ??= builtins().channel("mmap:open");
    if (opening.hasSubscribers) opening.publish({ fd: descriptor, length: bytes, access, offset });
    this.#mapping = new Mapping(request, OpenedFile.from(opened));
    this.#registration = registerLater(this, this.#mapping);
  }

  /**
   * Opens a file, maps it and closes it again. Opens it for reading unless `access` is "write" or "default", or `create` is
   * set, or `flags` and `prot` make a map whose writes reach the file (`prot: PROT_READ` and `flags: MAP_PRIVATE` do not).
   *
   * A file that `create` makes or extends is sparse: its blocks are found when its bytes are written, and on a full disk that
   * is too late for an error. `reserve: true` has the system set them aside at once.
   *
   * @throws {MMapError} The system refused to open, to reserve (`ENOSPC`) or to map the file; the error has its `path`.
   * @throws {RangeError} The file is empty, or has not the bytes that are asked for; `create` of a new file without `length`.
   * @throws {TypeError} As the constructor; `reserve` of a file that is opened for reading, or where the system can't.
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
   * Maps memory that belongs to no file and begins as zeros. The same as the constructor with the descriptor -1.
   *
   * By default it is shared: a process that inherits the map's `fd` can map the same memory.
   *
   * @throws {RangeError} `length` is 0.
   * @throws {MMapError} The system refused.
   * @throws {TypeError} As the constructor.
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
    return this.#mapping.length;
  }

  /**
   * Where in the file the map begins, in bytes.
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
   * What may be done with the map, as it was asked for.
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
   * Was the map closed?
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
   * The map's own descriptor of its file, or -1 where it has none (`trackfd: false`, private anonymous memory, a closed
   * map). For handing it to a child process, which can then map the same memory; it is closed with the map.
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
   * Does the process survive a file that shrinks under the map? A touch of a page that the file no longer has then finds
   * zeros, and what the map's own methods would have made of them is an `MMapError` with the code `ERR_MMAP_TRUNCATED`.
   *
   * false with `guard: false`, of memory that belongs to no file, and where the guard is not to be had: off Linux, on
   * architectures other than x64 and arm64, where the system allows no new executable pages.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("numbers.bin", { create: true, length: 4096 });
   * if (!mm.guarded) console.log("nobody may shorten numbers.bin now");
   * ```
   */
  get guarded(): boolean {
    return this.#mapping.guarded;
  }

  /**
   * How many pages were replaced by zeros since the map was made or resized, because they were touched and the file no
   * longer had them. Code that works on `bytes` or a `view` asks here whether what it read was the file's.
   *
   * The first 64 are replaced one at a time, and then, with the next, all that follow it.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("numbers.bin", { create: true, length: 4096 });
   * let sum = 0;
   * for (const byte of mm.bytes) sum += byte;
   * if (mm.faults > 0) throw new Error("the file shrank, and zeros were read in its place");
   * ```
   */
  get faults(): number {
    return this.#mapping.faults;
  }

  /**
   * All bytes, without a copy: reading and writing it reads and writes the map. The same array each time, made at the
   * first use. This is the fast way to loop over bytes, and what to pass to functions that take a `Uint8Array`.
   *
   * `close` and `resize` detach it: it then has length 0. (Node 20 cannot detach; there it keeps the old memory alive.)
   * Writes to the array of a map with `access: "read"` stay in this process.
   *
   * @throws {RangeError} The map is longer than any ArrayBuffer of the runtime: use `view` for parts of it.
   * @throws {TypeError} The map cannot be read.
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
  get bytes(): Uint8Array<ArrayBuffer> {
    this.#checkReadable();
    return this.#mapping.bytes();
  }

  /**
   * The `ArrayBuffer` of `bytes`, which begins with the map's first byte.
   *
   * @throws {RangeError} As `bytes`.
   * @throws {TypeError} As `bytes`.
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
  get buffer(): ArrayBuffer {
    return this.bytes.buffer;
  }

  /**
   * A typed array or `DataView` over a part of the map, without a copy. It works on maps of any size.
   *
   * @param type The class to make an object of: `Float64Array`, `DataView`, …
   * @param byteOffset Where the part begins, in bytes from the start of the map. By default 0.
   * @param length How many elements (of a `DataView`: bytes) it has. By default, all up to the end of the map.
   * @throws {RangeError} The part is not within the map; the byte of the file where it begins is not a multiple of the
   * element's size; or it is longer than any ArrayBuffer of the runtime.
   * @throws {TypeError} An argument of a wrong type; the map cannot be read.
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
  view<T extends ViewConstructor>(type: T, byteOffset = 0, length?: number): InstanceType<T> {
    const size = elementSize(type);
    const start = integer("byteOffset", byteOffset, 0, MAX_INTEGER);
    const wanted = length === undefined ? undefined : integer("length", length, 0, MAX_INTEGER);
    this.#checkReadable();
    const room = this.#mapping.length - start;
    if (room < 0) throw new RangeError(`byteOffset must be from 0 to ${this.#mapping.length}: got ${start}`);
    if ((this.#mapping.offset + start) % size !== 0) {
      const place = this.#mapping.offset === 0 ? "" : `, at ${this.#mapping.offset + start} in the file`;
      throw new RangeError(
        `byteOffset must be at a multiple of ${size} in the file for ${type.name}: got ${start}${place}; ` +
          "a DataView reads and writes at any offset",
      );
    }
    if (wanted === undefined && room % size !== 0) {
      throw new RangeError(`length must be given: the ${room} bytes from ${start} on are no multiple of ${size}`);
    }
    const count = wanted ?? room / size;
    if (count * size > room) {
      throw new RangeError(`length must be at most ${MathFloor(room / size)}, from byteOffset ${start}: got ${count}`);
    }
    // The types of the constructors do not meet in one call.
    const View = type as unknown as new (buffer: ArrayBuffer, byteOffset: number, length: number) => InstanceType<T>;
    if (count === 0) return new View(new ArrayBuffer(0), 0, 0);
    const part = this.#mapping.part(start, count * size);
    return new View(part.buffer, part.byteOffset, count);
  }

  /**
   * The byte at an index, `undefined` outside of the map; a negative index counts from the end.
   *
   * @throws {TypeError} The index is not an integer; the map cannot be read.
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
    this.#checkReadable();
    const { length } = this.#mapping;
    const from = place < 0 ? place + length : place;
    return from >= 0 && from < length ? this.#mapping.byte(from) : undefined;
  }

  /**
   * A copy of the bytes from `start` up to `end`, or of every `step`th of them, by the rules of Python's slices: negative
   * bounds count from the end, those out of range are clamped, a negative step goes backwards.
   *
   * @throws {RangeError} `step` is 0.
   * @throws {TypeError} An argument is not an integer; the map cannot be read.
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
  slice(start?: number, end?: number, step?: number): Uint8Array<ArrayBuffer> {
    const part = slice(start, end, step, this.#mapping.length);
    this.#checkReadable();
    if (part.step === 1) return this.#mapping.read(part.start, part.start + part.count);
    const copy = new Uint8Array(part.count);
    for (let index = 0; index < part.count; index++) copy[index] = this.#mapping.byte(part.start + index * part.step);
    return copy;
  }

  /**
   * Writes bytes to a slice: Python's `mm[start:end:step] = bytes`. The source must have exactly the slice's length.
   *
   * @throws {RangeError} The source has another length than the slice; `step` is 0.
   * @throws {TypeError} An argument of a wrong type; the map is for reading.
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
    this.#checkWritable();
    const part = slice(start, end, step, this.#mapping.length);
    const length = lengthOf(source);
    if (length !== part.count) {
      throw new RangeError(`bytes must have the slice's length, ${part.count}: got ${length}`);
    }
    if (part.step === 1) {
      this.#mapping.write(part.start, source, length);
      return;
    }
    // A copy first: the source may be a view of this map, and change as it is read.
    const copy = new Uint8Array(source);
    for (let index = 0; index < length; index++) {
      this.#mapping.setByte(part.start + index * part.step, copy[index] as number);
    }
  }

  /**
   * The bytes, one after the other. Slower than a loop over `bytes`, but not bound by its length.
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
    this.#checkReadable();
    for (let index = 0; index < this.#mapping.length; index++) yield this.#mapping.byte(index);
  }

  /**
   * A copy of the next `n` bytes, past which the position moves. `undefined`, `null` or a negative number: all bytes up to
   * the end. Past the end, what is left.
   *
   * @throws {TypeError} `n` is not an integer; the map cannot be read.
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
  read(n?: number | null): Uint8Array<ArrayBuffer> {
    const count = n === undefined || n === null ? -1 : integer("n", n, -MAX_INTEGER, MAX_INTEGER);
    this.#checkReadable();
    const start = this.#position;
    const rest = MathMax(0, this.#mapping.length - start);
    const end = start + (count < 0 ? rest : MathMin(count, rest));
    const bytes = this.#mapping.read(start, end);
    this.#position = end;
    return bytes;
  }

  /**
   * The byte at the position, which moves by one.
   *
   * @throws {RangeError} The position is at the end.
   * @throws {TypeError} The map cannot be read.
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
    this.#checkReadable();
    if (this.#position >= this.#mapping.length)
      throw new RangeError(`the position is at the end, ${this.#mapping.length}: no byte to read`);
    const value = this.#mapping.byte(this.#position);
    this.#position++;
    return value;
  }

  /**
   * A copy of the bytes up to and including the next newline, or up to the end, past which the position moves. A short
   * line may share its `buffer` with others, as Node's small Buffers do.
   *
   * @throws {TypeError} The map cannot be read.
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
  readline(): Uint8Array<ArrayBuffer> {
    this.#checkReadable();
    const start = this.#position;
    const length = this.#mapping.copyLine(start);
    if (length !== -1) {
      this.#position += length;
      return copiedLine(length);
    }
    const end = lineEnd(this.#mapping, start, this.#mapping.length);
    const bytes = this.#mapping.read(start, end);
    this.#position = end;
    return bytes;
  }

  /**
   * The lines from `start` up to `end`, by the rules of slices, each with its newline. The position stays.
   *
   * Each is a copy, made up to 32 KiB before it is asked for: what is written to the map meanwhile may not show in it. Lines
   * that were copied together share their `buffer`; `line.slice()` is one of its own, for a few lines kept of many.
   *
   * @throws {TypeError} A bound is not an integer; the map cannot be read.
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
  lines(start?: number, end?: number): IteratorObject<Uint8Array<ArrayBuffer>, undefined> {
    const { from, to } = this.#range(start, end);
    return lines(() => this.#mapping, from, to);
  }

  /**
   * Writes bytes at the position, which moves past them; a string is written as UTF-8. Gives their number.
   *
   * @throws {RangeError} The bytes do not fit: none is written.
   * @throws {TypeError} `bytes` has a wrong type; the map is for reading.
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
    this.#checkWritable();
    const length = lengthOf(source);
    const room = this.#mapping.length - this.#position;
    if (length > room) {
      throw new RangeError(`bytes must fit behind the position ${this.#position}, ${room} at most: got ${length}`);
    }
    this.#mapping.write(this.#position, source, length);
    this.#position += length;
    return length;
  }

  /**
   * Writes one byte at the position, which moves by one.
   *
   * @throws {RangeError} `value` is not from 0 to 255; the position is at the end.
   * @throws {TypeError} `value` is not an integer; the map is for reading.
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
    this.#checkWritable();
    if (this.#position >= this.#mapping.length)
      throw new RangeError(`the position is at the end, ${this.#mapping.length}: no room for value`);
    this.#mapping.setByte(this.#position, checked);
    this.#position++;
  }

  /**
   * Moves the position, and gives the new one.
   *
   * @param pos How far, in bytes.
   * @param whence From where: `SEEK_SET` (0, the start; the default), `SEEK_CUR` (1, the position) or `SEEK_END` (2, the end).
   * @throws {RangeError} The new position would be before the start or behind the end; `whence` is none of the three.
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
    const { length } = this.#mapping;
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
    this.#mapping.check();
    return this.#position;
  }

  /**
   * A map can always seek.
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
    this.#mapping.check();
    return true;
  }

  /**
   * The index of the first occurrence of `sub` between `start` and `end`, by the rules of slices, or -1. An empty `sub` is
   * found at `start`.
   *
   * @throws {TypeError} An argument of a wrong type; the map cannot be read.
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
    const { from, to } = this.#range(start, end);
    return find(this.#mapping, needle, from, to);
  }

  /**
   * The index of the last occurrence of `sub` between `start` and `end`, by the rules of slices, or -1. An empty `sub` is
   * found at `end`.
   *
   * @throws {TypeError} An argument of a wrong type; the map cannot be read.
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
    const { from, to } = this.#range(start, end);
    return findLast(this.#mapping, needle, from, to);
  }

  /**
   * The first match of a regular expression between `start` and `end`, by the rules of slices, or `undefined`.
   *
   * Each byte is one character from U+0000 to U+00FF, as Python's `re` takes bytes: an ï in UTF-8 is matched by
   * `/\xc3\xaf/`. `^` and `$` stand for `start` and `end`, with the flag `m` for the lines' too. The flag `y` wants the match
   * at `start`; `g` and `lastIndex` mean nothing here. A lookbehind sees at most 64 KiB.
   *
   * @throws {TypeError} An argument of a wrong type; the map cannot be read.
   * @throws {RangeError} The expression needs more than 512 MiB at once to know where its match ends.
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
   * All matches of a regular expression between `start` and `end`, one behind the other, as `search` finds them. The map
   * is read as the matches are asked for, a window at a time.
   *
   * @throws {TypeError} As `search`.
   * @throws {RangeError} As `search`.
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
    if (!(pattern instanceof RegExp)) throw new TypeError(`pattern must be a RegExp: got ${show(pattern)}`);
    // What the engine knows of it: the properties of a user's own object may lie, and change.
    const copy = new RegExp(pattern);
    const expression = {
      source: ReflectApply(sourceOf, copy, NO_ARGUMENTS),
      flags: ReflectApply(flagsOf, copy, NO_ARGUMENTS),
    };
    const { from, to } = this.#range(start, end);
    return matches(() => this.#mapping, expression, from, to);
  }

  /**
   * Copies `count` bytes from `src` to `dest` within the map; the two ranges may overlap.
   *
   * @throws {RangeError} A range is not within the map.
   * @throws {TypeError} An argument is not an integer; the map is for reading.
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
    this.#checkWritable();
    this.#checkReadable();
    const { length } = this.#mapping;
    if (to + bytes > length) throw new RangeError(`dest + count must be at most ${length}: got ${to} + ${bytes}`);
    if (from + bytes > length) throw new RangeError(`src + count must be at most ${length}: got ${from} + ${bytes}`);
    this.#mapping.move(to, from, bytes);
  }

  /**
   * Changes the length of the map, and with it the size of its file, which then ends where the map does. What both lengths
   * have in common is kept, what is new is zeros. A position behind the new end moves to it.
   *
   * Detaches every view; `bytes` is a new array afterwards.
   *
   * @param newSize The new length in bytes.
   * @param options `reserve: true` reserves the file's blocks for the whole map, so that a full disk is an error here.
   * @throws {RangeError} `newSize` is not positive.
   * @throws {TypeError} The map has `access` "read" or "copy", its `prot` lacks `PROT_WRITE`, or it was made with
   * `trackfd: false`; `reserve` of a map without a file, or where the system can't.
   * @throws {MMapError} The system refused.
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
   *   console.log("the disk is full, and the map is as it was");
   * }
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/mremap.2.html
   */
  resize(newSize: number, options: ResizeOptions = {}): void {
    const length = integer("newSize", newSize, 1, MAX_INTEGER - this.#mapping.offset);
    const { reserve = false } = checkObject(options);
    boolean("reserve", reserve);
    this.#mapping.check();
    if (this.#access === "read" || this.#access === "copy") {
      throw new TypeError(`a map with access "${this.#access}" cannot be resized: only "write" and "default" can`);
    }
    this.#checkWritable();
    this.#mapping.resize(length, reserve);
    this.#position = MathMin(this.#position, length);
  }

  /**
   * The size of the file in bytes, which may be more than the map's length. Of anonymous memory, the map's length.
   *
   * @throws {TypeError} The map was made with `trackfd: false`.
   * @throws {MMapError} The system refused.
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
   * Writes changed bytes to the file and waits until they are there. The range is rounded out to pages.
   *
   * @param offset Where the range begins, in bytes from the start of the map. By default 0.
   * @param size Its length in bytes. By default, up to the end of the map.
   * @throws {RangeError} The range is not within the map.
   * @throws {TypeError} An argument is not an integer.
   * @throws {MMapError} The system refused.
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
  flush(offset = 0, size?: number): void {
    const { start, count } = this.#flushed(offset, size);
    if (count > 0) this.#mapping.flush(start, count);
  }

  /**
   * As `flush`, without blocking: the program goes on while the system writes, and the promise is kept when the bytes are
   * where `flush` brings them. What is written is the whole file, which may be more than the range, and what is changed
   * while it runs may be written or not.
   *
   * The map may be closed or resized meanwhile. Errors come by the promise, those of wrong arguments too. On Windows and
   * OpenBSD, whose systems have no such call, it blocks as `flush` does.
   *
   * @param offset Where the range begins, in bytes from the start of the map. By default 0.
   * @param size Its length in bytes. By default, up to the end of the map.
   * @throws {RangeError} The range is not within the map.
   * @throws {TypeError} An argument is not an integer; the map was made with `trackfd: false`.
   * @throws {MMapError} The system refused: no bytes can be said to be on the disk. (`EAGAIN`: too many run at once.)
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

  /** What there is to flush of a range: private pages have nowhere to go. */
  #flushed(offset: number, size: number | undefined): { start: number; count: number } {
    const { length } = this.#mapping;
    const start = integer("offset", offset, 0, length);
    const count = size === undefined ? length - start : integer("size", size, 0, length - start);
    return { start, count: this.#mapping.protection.shared ? count : 0 };
  }

  /**
   * Tells the system how the memory will be used.
   *
   * @param option One of the system's `MADV_*` constants.
   * @param start Where the range begins, in bytes from the start of the map: where a page begins. By default 0.
   * @param length Its length in bytes, cut at the end of the map; the system rounds it up to pages. By default, to the end.
   * @throws {TypeError} The running system lacks the constant; an argument is not an integer.
   * @throws {RangeError} `start` is not where a page begins, or not within the map; `option` is not one of the constants, or
   * is one that makes the memory unusable.
   * @throws {MMapError} The system refused.
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
    const advice = integer("option", option, -(2 ** 31), 2 ** 31 - 1);
    const from = integer("start", start, 0, this.#mapping.length - 1);
    const rest = this.#mapping.length - from;
    // It punches a hole into the file, whatever the memory's protection is.
    if (advice === MADV_REMOVE) this.#checkWritable();
    const count = length === undefined ? rest : MathMin(integer("length", length, 0, MAX_INTEGER), rest);
    this.#mapping.advise(advice, from, count);
  }

  /**
   * Brings a range into memory and keeps it there: until `unlock`, `resize` or `close`, none of its pages is swapped out or
   * read from the disk again. The range is rounded out to pages. Waits until all of it is there. Locks do not nest.
   *
   * On Linux, pages of a file are not copied, whatever the map's `access` is; elsewhere the system may copy those of a
   * private map ("read", "copy") as it locks them. Where `close` must leave the memory to a view, it stays locked with it.
   *
   * @param start Where the range begins, in bytes from the start of the map. By default 0.
   * @param length Its length in bytes. By default, up to the end of the map.
   * @throws {RangeError} The range is not within the map.
   * @throws {TypeError} An argument is not an integer; the map cannot be read.
   * @throws {MMapError} The system refused: mostly `ENOMEM` (the limit of locked memory, `ulimit -l`; on Windows the
   * working set) or `EPERM`; or the file shrank, and a part of the range is gone (`ERR_MMAP_TRUNCATED`): then none of the
   * range is locked.
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
    this.#checkReadable();
    if (count > 0) this.#mapping.lock(from, count);
  }

  /**
   * Ends what `lock` began, for the pages of a range, which is rounded out to pages. What is not locked stays as it is.
   *
   * @param start Where the range begins, in bytes from the start of the map. By default 0.
   * @param length Its length in bytes. By default, up to the end of the map.
   * @throws {RangeError} The range is not within the map.
   * @throws {TypeError} An argument is not an integer.
   * @throws {MMapError} The system refused.
   *
   * @example
   * ```ts
   * import { MMap, MMapError } from "mmap-ffi";
   *
   * using mm = MMap.anonymous(4096);
   * try {
   *   mm.lock();
   *   mm.write("nothing of this is swapped out");
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
   * Which pages of a range are in memory, at this moment. The range is rounded out to pages.
   *
   * On Linux, a file that the process neither owns nor may write is reported as all in memory. On FreeBSD, only pages that
   * this process has touched are. Not on Windows and OpenBSD.
   *
   * @param start Where the range begins, in bytes from the start of the map. By default 0.
   * @param length Its length in bytes. By default, up to the end of the map.
   * @throws {RangeError} The range is not within the map, or has more than 2^26 pages (256 GiB with pages of 4 KiB): ask for
   * it in parts.
   * @throws {TypeError} An argument is not an integer; the system cannot tell.
   * @throws {MMapError} The system refused.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("numbers.bin", { create: true, length: 4096 });
   * const { resident, pages } = mm.residency();
   * console.log(`${resident} of ${pages.length} pages are in memory; the first is ${pages[0] === 1 ? "" : "not "}there`);
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/mincore.2.html
   */
  residency(start = 0, length?: number): Residency {
    const { from, count } = this.#span(start, length);
    return this.#mapping.residency(from, count);
  }

  /**
   * Brings a range into memory now, so that no later touch waits for the disk. The range is rounded out to pages. Nothing is
   * copied and nothing changes, unless `write` is set. What is in memory can be dropped again: `lock` keeps it.
   *
   * Linux (5.14) does it in one call, which reports as an error what would be a signal. Elsewhere each page is read.
   *
   * @param start Where the range begins, in bytes from the start of the map. By default 0.
   * @param length Its length in bytes. By default, up to the end of the map.
   * @param options `write: true` makes the pages ready to be written, as if a byte of each was: a file gets its blocks, private
   * pages get their copies, anonymous memory is allocated. Linux only.
   * @throws {RangeError} The range is not within the map.
   * @throws {TypeError} An argument of a wrong type; the map cannot be read, or for `write` not be written; the system lacks
   * `MADV_POPULATE_WRITE`.
   * @throws {MMapError} The file shrank, and a part of the range is gone (`ERR_MMAP_TRUNCATED`); or the system refused:
   * `ENOMEM`, `EFAULT` (the disk refused to read or is full), `EHWPOISON` (broken memory). Some pages may be in memory then.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("numbers.bin", { create: true, length: 4096 });
   * mm.prefault();
   * console.log(mm.find("three")); // waits for no disk
   * ```
   *
   * @see https://man7.org/linux/man-pages/man2/madvise.2.html MADV_POPULATE_READ, MADV_POPULATE_WRITE
   */
  prefault(start = 0, length?: number, options: PrefaultOptions = {}): void {
    const { write = false } = checkObject(options);
    boolean("write", write);
    const { from, count } = this.#span(start, length);
    this.#checkReadable();
    if (write) this.#checkWritable();
    if (count > 0) this.#mapping.prefault(from, count, write);
  }

  /**
   * Detaches every view and gives the memory and the descriptor back. Changes are not lost: the system writes those of a
   * shared map to its file. A second call does nothing.
   *
   * @throws {MMapError} The system refused; or the file shrank, and writes through `bytes` or a `view` may be lost, of which
   * no earlier call has told (`ERR_MMAP_TRUNCATED`). The map is closed all the same.
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
  close(): void {
    cancel(this.#registration);
    this.#mapping.close();
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

  #range(start: unknown, end: unknown): { from: number; to: number } {
    const { length } = this.#mapping;
    const from = bound("start", start, length, 0);
    const to = bound("end", end, length, length);
    this.#checkReadable();
    return { from, to };
  }

  /** A range that must lie within the map: where it begins, and its length. */
  #span(start: number, length: number | undefined): { from: number; count: number } {
    const all = this.#mapping.length;
    const from = integer("start", start, 0, all);
    return { from, count: length === undefined ? all - from : integer("length", length, 0, all - from) };
  }

  #checkReadable(): void {
    this.#mapping.check();
    if (!this.#mapping.protection.readable) throw new TypeError("the map cannot be read: its prot lacks PROT_READ");
  }

  #checkWritable(): void {
    this.#mapping.check();
    if (this.#mapping.protection.writable) return;
    const why = this.#access === "read" ? 'its access is "read"' : "its prot lacks PROT_WRITE";
    throw new TypeError(`the map cannot be written: ${why}`);
  }

  static {
    const describe = {
      configurable: true,
      value(this: MMap): string {
        const { closed, access } = this;
        const name = classOf(this);
        if (closed) return `${name} { closed: true, access: "${access}" }`;
        return (
          `${name} { closed: false, access: "${access}", length: ${this.length}, pos: ${this.#position}, ` +
          `offset: ${this.offset} }`
        );
      },
    };
    // By `this`, and not by name, for the same reason.
    // biome-ignore lint/complexity/noThisInStatic: see above
    const { prototype } = this;
    Object.defineProperty(prototype, Symbol.for("nodejs.util.inspect.custom"), describe);
    Object.defineProperty(prototype, Symbol.for("Deno.customInspect"), describe);
    Object.defineProperty(prototype, Symbol.toStringTag, { configurable: true, value: "MMap" });

    const placeOf = (map: MMap, index: number): number => {
      const { length } = map.#mapping;
      const place = index < 0 ? index + length : index;
      if (!NumberIsInteger(index)) throw new TypeError(`index must be an integer: got ${show(index)}`);
      if (place < 0 || place >= length)
        throw new RangeError(`index must be from ${-length} to ${length - 1}: got ${index}`);
      return place;
    };

    // Behind the prototype, a Proxy is asked only for what is found nowhere else: it gives mm[index] without a cost for the
    // methods, where one around the object would slow down everything.
    const behind = new Proxy(Object.create(Object.prototype), {
      get(target, key, receiver) {
        const index = indexOf(key);
        if (index === undefined || !isMap(receiver)) return Reflect.get(target, key, receiver);
        receiver.#checkReadable();
        return receiver.#mapping.byte(placeOf(receiver, index));
      },
      set(target, key, value, receiver) {
        const index = indexOf(key);
        if (index === undefined || !isMap(receiver)) return Reflect.set(target, key, value, receiver);
        const checked = byte("value", value);
        receiver.#checkWritable();
        receiver.#mapping.setByte(placeOf(receiver, index), checked);
        return true;
      },
    });
    const isMap = (value: unknown): value is MMap => typeof value === "object" && value !== null && #mapping in value;
    Object.setPrototypeOf(prototype, behind);
  }
}

const sourceOf = getterOf(RegExp.prototype, "source") as () => string;
const flagsOf = getterOf(RegExp.prototype, "flags") as () => string;

/**
 * Makes the map of a file that `open` has opened. Only `MMap` itself gets the file: a subclass could make two maps of it,
 * or close its descriptor. A function outside of the class, because bundlers rename classes that name themselves.
 */
function mapOpened<T extends MMap>(
  Class: new (fd: number, length: number, options?: MMapOptions) => T,
  file: OpenedFile,
  length: number,
  options: MMapOptions,
): T {
  const Any: new (fd: number, length: number, options: MMapOptions, file?: OpenedFile) => T = Class;
  const { descriptor } = file;
  return (Class as unknown) === MMap
    ? new Any(descriptor, length, options, file)
    : new Any(descriptor, length, options);
}

/** The name of a map's class, without a call of what that class may have in the place of a name. */
function classOf(map: MMap): string {
  for (let prototype = Object.getPrototypeOf(map); prototype !== MMap.prototype && prototype !== null; ) {
    const { value } = Object.getOwnPropertyDescriptor(prototype, "constructor") ?? {};
    const name = typeof value === "function" ? Object.getOwnPropertyDescriptor(value, "name")?.value : undefined;
    if (typeof name === "string" && name !== "") return name;
    prototype = Object.getPrototypeOf(prototype);
  }
  return "MMap";
}

/** The number that a property's key stands for, if it does: "3", "-1", but also "1.5" and "NaN", which are no indices. */
function indexOf(key: string | symbol): number | undefined {
  if (typeof key !== "string") return undefined;
  const index = Number(key);
  return String(index) === key || key === "-0" ? index : undefined;
}
