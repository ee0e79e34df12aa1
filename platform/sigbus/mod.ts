/**
 * Keeps the process alive when a mapped file is truncated (Linux, x64 and arm64).
 *
 * A touch of a page that its file no longer has raises SIGBUS. The handler installed here, machine code whose source is
 * x64.s and arm64.s beside this file, puts zeros in place of such a page if it lies in a region of the table, and counts
 * that; every other signal goes to the handler that was there before.
 *
 * One handler and one table serve the whole process, however many workers have an instance of this module: each finds
 * them by asking for the current handler, which has a mark and the table's address before its entry. They stay until the
 * process ends, so a worker may be terminated at any moment.
 *
 * @see https://man7.org/linux/man-pages/man2/sigaction.2.html
 * @module
 */

import { lengthOf } from "../../ffi/array-buffer.ts";
import { arch } from "../../ffi/builtins.ts";
import {
  ArrayBuffer,
  BigInt,
  BigUint64Array,
  MathFloor,
  Number,
  Uint8Array,
  Uint32Array,
} from "../../ffi/primordials.ts";
import type { Ffi, Functions } from "../../ffi/types.ts";
import type { Guard } from "../types.ts";
import { arm64 } from "./arm64.ts";
import { Table } from "./table.ts";
import { x64 } from "./x64.ts";

/** The handler's machine code by the architecture's name in `process.arch`, in hexadecimal. */
export const CODE: Readonly<Record<string, string>> = { x64, arm64 };

const SIGNATURES = {
  // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  // int munmap(void *addr, size_t length);
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  // int mprotect(void *addr, size_t len, int prot);
  mprotect: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  // int sigaction(int signum, const struct sigaction *act, struct sigaction *oldact);
  // libc's and not the system call: it adds the trampoline by which a handler returns.
  sigaction: { parameters: ["i32", "bytes", "bytes"], result: "i32" },
} as const;

// The same function with other types, for which the library is opened a second time.
const QUERY_SIGNATURES = {
  // int sigaction(int signum, const struct sigaction *act, struct sigaction *oldact); here with act NULL
  sigaction: { parameters: ["i32", "pointer", "bytes"], result: "i32" },
} as const;

const PROT_READ = 0x1;
const PROT_WRITE = 0x2;
const PROT_EXEC = 0x4;
const MAP_PRIVATE = 0x02;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const SIGBUS = 7;
const SIG_IGN = 1;
const SA_SIGINFO = 0x4;
const SA_ONSTACK = 0x08000000;
const SA_RESTART = 0x10000000;
const SA_NODEFER = 0x40000000;

/** The length of what lies before the handler's entry: its mark, 16 bytes, and two addresses, at these multiples of 8. */
const HEAD = 64;
const MARK = 16;
const TABLE_ADDRESS = 2;
const BEFORE_ADDRESS = 3;

/** The length in bytes of libc's `struct sigaction`. */
const ACTION = 152;

/**
 * libc's `struct sigaction`, the same in glibc and musl on both architectures: the handler, 64 bits; the mask, 1024 bits;
 * the flags, 32 bits at byte 136; the trampoline, 64 bits at byte 144.
 */
class Action {
  readonly #memory = new ArrayBuffer(ACTION);
  readonly bytes = new Uint8Array(this.#memory);
  readonly #words = new Uint32Array(this.#memory);

  get handler(): number {
    return (this.#words[0] as number) + (this.#words[1] as number) * 2 ** 32;
  }

  get flags(): number {
    return this.#words[34] as number;
  }

  /** Makes it what is to be installed: `handler`, in place of `before`, under whose mask the one before then runs. */
  replace(before: Action, handler: number): void {
    const called = before.handler > SIG_IGN;
    copy(before.bytes, this.bytes, ACTION);
    this.#words[0] = handler % 2 ** 32;
    this.#words[1] = MathFloor(handler / 2 ** 32);
    this.#words[34] = SA_SIGINFO | SA_ONSTACK | (called ? before.flags & (SA_RESTART | SA_NODEFER) : SA_RESTART);
  }
}

/** The handler, as one thread sees it. */
class Handler {
  readonly #ffi: Ffi;
  readonly #pageSize: number;
  readonly #code: Uint8Array;
  readonly #c: Functions<typeof SIGNATURES>;
  readonly #query: Functions<typeof QUERY_SIGNATURES>;
  readonly #current = new Action();
  /** The entry of the handler that was found or installed last, and its table. */
  #entry = -1;
  #table: Table | undefined;

  constructor(ffi: Ffi, libraries: readonly string[], pageSize: number, code: Uint8Array) {
    this.#ffi = ffi;
    this.#pageSize = pageSize;
    this.#code = code;
    this.#c = ffi.open(libraries, SIGNATURES);
    this.#query = ffi.open(libraries, QUERY_SIGNATURES);
  }

  /**
   * The table of the handler that answers now. One call into C where nothing has changed, at every map: somebody may have
   * put another handler in place of ours since the last one.
   *
   * @throws {Error} The system refused.
   */
  table(): Table {
    check(this.#query.sigaction(SIGBUS, 0, this.#current.bytes) === 0);
    const entry = this.#current.handler;
    if (entry === this.#entry && this.#table !== undefined) return this.#table;
    const address = this.#tableOf(entry);
    if (address === undefined) return this.#install();
    this.#entry = entry;
    if (this.#table?.address !== address) this.#table = new Table(this.#ffi, address);
    return this.#table;
  }

  /** The address of the table, if the handler is ours. */
  #tableOf(entry: number): number | undefined {
    // Ours begins at the beginning of a page. Of any other that lies so within its page, what is read below is in the same
    // page as the handler itself, and so is there.
    if (entry <= SIG_IGN || entry % this.#pageSize !== HEAD) return undefined;
    const head = this.#ffi.view(entry - HEAD, HEAD);
    const mark = new Uint8Array(head, 0, MARK);
    for (let index = 0; index < MARK; index++) if (mark[index] !== this.#code[index]) return undefined;
    return Number(new BigUint64Array(head)[TABLE_ADDRESS]);
  }

  /** Puts our handler in place of the current one. */
  #install(): Table {
    const table = this.#table ?? new Table(this.#ffi, this.#map(Table.size(this.#pageSize)), this.#pageSize);
    const page = this.#pageSize;
    const address = this.#map(2 * page);
    const memory = this.#ffi.view(address, 2 * page);
    const addresses = new BigUint64Array(memory, 0, HEAD / 8);
    // The second page, which stays writable: the handler that was there before.
    const before = new BigUint64Array(memory, page, 2);
    const installed = new Action();
    const replaced = new Action();
    copy(this.#code, new Uint8Array(memory), lengthOf(this.#code));
    addresses[TABLE_ADDRESS] = BigInt(table.address);
    addresses[BEFORE_ADDRESS] = BigInt(address + page);
    describe(this.#current, before);
    installed.replace(this.#current, address + HEAD);
    try {
      // Never writable and executable at once. The kernel makes the caches agree when a page becomes executable. Nothing
      // writes to the first page from here on.
      if (this.#c.mprotect(address, page, PROT_READ | PROT_EXEC) !== 0) throw new Forbidden();
      check(this.#c.sigaction(SIGBUS, installed.bytes, replaced.bytes) === 0);
    } catch (error) {
      this.#c.munmap(address, 2 * page);
      if (this.#table === undefined) this.#c.munmap(table.address, Table.size(page));
      throw error;
    }
    // Another thread may have been faster between the question and here.
    if (replaced.handler !== this.#current.handler) describe(replaced, before);
    this.#entry = address + HEAD;
    this.#table = table;
    return table;
  }

  /** Maps zeros, which nobody ever unmaps once a handler knows them. */
  #map(length: number): number {
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    const address = this.#c.mmap(0, length, PROT_READ | PROT_WRITE, flags, -1, 0);
    check(address !== -1);
    return address;
  }
}

/** Writes down a handler for the machine code. */
function describe(action: Action, words: BigUint64Array): void {
  words[1] = BigInt(action.flags);
  words[0] = BigInt(action.handler);
}

/** What the system refuses here costs one map its guard and nothing else, so that the errors need no names. */
class Refused extends Error {}

/** The system allows no new executable pages: it would not fare better the next time. */
class Forbidden extends Refused {}

function check(worked: boolean): void {
  if (!worked) throw new Refused();
}

/** Copies the first bytes of an array, and asks neither for anything. */
function copy(source: Uint8Array, target: Uint8Array, count: number): void {
  for (let index = 0; index < count; index++) target[index] = source[index] as number;
}

/**
 * Makes the function that guards a region, which gives `undefined` where that can't be: on another architecture; where the
 * system allows no new executable pages; with the table full.
 */
export function sigbusGuard(
  ffi: Ffi,
  libraries: readonly string[],
  pageSize: number,
): (address: number, length: number) => Guard | undefined {
  const code = CODE[arch];
  let handler: Handler | undefined;
  // Not asked of an array, whose length may be a getter by now: code that answers must not run within a resize.
  let works = code !== undefined;
  return (address, length) => {
    if (!works) return undefined;
    try {
      handler ??= new Handler(ffi, libraries, pageSize, bytesOf(code as string));
      return handler.table().claim(address, length);
    } catch (error) {
      // A stack that ran over: the map is not made.
      if (!(error instanceof Refused)) throw error;
      if (error instanceof Forbidden) works = false;
      return undefined;
    }
  };
}

/** The values of hexadecimal digits. */
const DIGITS = {
  __proto__: null,
  0: 0,
  1: 1,
  2: 2,
  3: 3,
  4: 4,
  5: 5,
  6: 6,
  7: 7,
  8: 8,
  9: 9,
  a: 10,
  b: 11,
  c: 12,
  d: 13,
  e: 14,
  f: 15,
} as unknown as Record<string, number | undefined>;

/** Not by `parseInt` and its like, which may have been replaced: the result is run. */
function bytesOf(hexadecimal: string): Uint8Array {
  const { length } = hexadecimal;
  const nibbles = new Uint8Array(length);
  let count = 0;
  for (let index = 0; index < length; index++) {
    const value = DIGITS[hexadecimal[index] as string];
    if (value !== undefined) nibbles[count++] = value;
  }
  const bytes = new Uint8Array(count / 2);
  for (let index = 0; index < count / 2; index++) {
    bytes[index] = ((nibbles[2 * index] as number) << 4) | (nibbles[2 * index + 1] as number);
  }
  return bytes;
}
