/**
 * Keeps the process alive when a mapped file is truncated (Linux, x64 and arm64).
 *
 * Accessing a page that the file no longer has raises SIGBUS. The handler that is installed here, machine code whose source
 * is x64.s and arm64.s in this folder, replaces such a page by zeros if it lies in a region of the table, and counts it. All
 * other signals go to the handler that was replaced.
 *
 * One handler and one table serve the whole process. A worker has its own instance of this module, which finds them by
 * querying the current handler: a mark and the address of the table precede its entry. They stay until the process ends, so
 * a worker may be terminated at any time.
 *
 * @see https://man7.org/linux/man-pages/man2/sigaction.2.html
 * @module
 */

import { lengthOf } from "../../ffi/array-buffer.ts";
import { arch as runningArch } from "../../ffi/builtins.ts";
import {
  ArrayBuffer,
  BigInt,
  BigUint64Array,
  MathFloor,
  Number,
  NumberParseInt,
  Uint8Array,
  Uint32Array,
} from "../../ffi/primordials.ts";
import type { Ffi, Functions } from "../../ffi/types.ts";
import type { Guard } from "../types.ts";
import { arm64 } from "./arm64.ts";
import { Table } from "./table.ts";
import { x64 } from "./x64.ts";

/** The handler's machine code in hexadecimal, by the architecture's name in `process.arch`. */
export const CODE: Readonly<Record<string, string>> = { x64, arm64 };

export const SIGNATURES = {
  // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  // int munmap(void *addr, size_t length);
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  // int mprotect(void *addr, size_t len, int prot);
  mprotect: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  // int sigaction(int signum, const struct sigaction *act, struct sigaction *oldact);
  // libc's and not the system call: it adds the trampoline by which a handler returns.
  sigaction: { parameters: ["i32", "bytes", "pointer"], result: "i32" },
} as const;

// The same function with other types: the library is opened a second time for it.
export const QUERY_SIGNATURES = {
  // int sigaction(int signum, const struct sigaction *act, struct sigaction *oldact); here with act NULL
  sigaction: { parameters: ["i32", "pointer", "bytes"], result: "i32" },
} as const;

/** From the headers of Linux on x64 and arm64. */
export const NUMBERS = {
  PROT_READ: 0x1,
  PROT_WRITE: 0x2,
  PROT_EXEC: 0x4,
  MAP_PRIVATE: 0x02,
  MAP_ANONYMOUS: 0x20,
  MAP_NORESERVE: 0x4000,
  SIGBUS: 7,
  SIG_IGN: 1,
  SA_SIGINFO: 0x4,
  SA_ONSTACK: 0x08000000,
  SA_RESTART: 0x10000000,
  SA_NODEFER: 0x40000000,
} as const;

const { MAP_ANONYMOUS, MAP_NORESERVE, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE } = NUMBERS;
const { SA_NODEFER, SA_ONSTACK, SA_RESTART, SA_SIGINFO, SIG_IGN, SIGBUS } = NUMBERS;

/** The length of what precedes the handler's entry: its mark, 16 bytes, and two addresses, at these multiples of 8. */
const HEAD = 64;
const MARK = 16;
const TABLE_ADDRESS = 2;
const REPLACED_ADDRESS = 3;

/** The length in bytes of libc's `struct sigaction`. */
export const ACTION = 152;

// What the handler knows about the replaced one: libc's struct sigaction, and then these, at multiples of 8 bytes.
const EXPECTED_HANDLER = 19;
const EXPECTED_FLAGS = 20;
/** The length of all that in bytes, with the zeros at its end. */
const REPLACED = 200;

// What no struct sigaction has as its handler and its flags: the handler waits until libc overwrites both.
const UNKNOWN_HANDLER = 2;
const UNKNOWN_FLAGS = 0xffffffff;

// Where `struct sigaction` has the flags, in multiples of 4 bytes.
export const FLAGS = 34;

/**
 * libc's `struct sigaction`, which is the same in glibc and musl on both architectures: the handler, 64 bits; the mask, 1024
 * bits; the flags, 32 bits at byte 136; the trampoline, 64 bits at byte 144.
 */
class Action {
  readonly #memory = new ArrayBuffer(ACTION);
  readonly bytes = new Uint8Array(this.#memory);
  readonly #words = new Uint32Array(this.#memory);

  get handler(): number {
    return (this.#words[0] as number) + (this.#words[1] as number) * 2 ** 32;
  }

  get flags(): number {
    return this.#words[FLAGS] as number;
  }

  /** Describes the installation of `handler` in place of `replaced`, which then runs under its own mask. */
  replace(replaced: Action, handler: number): void {
    const called = replaced.handler > SIG_IGN;
    copy(replaced.bytes, this.bytes, ACTION);
    this.#words[0] = handler % 2 ** 32;
    this.#words[1] = MathFloor(handler / 2 ** 32);
    this.#words[FLAGS] = SA_SIGINFO | SA_ONSTACK | (called ? replaced.flags & (SA_RESTART | SA_NODEFER) : SA_RESTART);
  }
}

/** The process's handler, as one thread sees it. */
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
   * The table of the current handler. Installs the handler if the current one is not the library's, which is checked at every
   * map, because other code may have installed a handler since the last one. If nothing has changed, that is one call into C.
   *
   * @throws {Error} A system call failed.
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

  /** What `table` returned last. */
  get lastTable(): Table | undefined {
    return this.#table;
  }

  /** The address of the table, if the handler is the library's. */
  #tableOf(entry: number): number | undefined {
    if (entry <= SIG_IGN || entry % this.#pageSize !== HEAD) return undefined;
    // SAFETY: whose ever the handler is, it is mapped, and the head that is read here lies in the same page, before it.
    const head = this.#ffi.view(entry - HEAD, HEAD);
    const mark = new Uint8Array(head, 0, MARK);
    for (let index = 0; index < MARK; index++) if (mark[index] !== this.#code[index]) return undefined;
    return Number(new BigUint64Array(head)[TABLE_ADDRESS]);
  }

  /** Installs the handler in place of the current one. */
  #install(): Table {
    const page = this.#pageSize;
    const table = this.#table ?? new Table(this.#ffi, this.#map(Table.size(page)), page);
    try {
      this.#entry = this.#installFor(table);
    } catch (error) {
      // SAFETY: no handler knows a table that was made just now.
      if (this.#table === undefined) this.#c.munmap(table.address, Table.size(page));
      throw error;
    }
    this.#table = table;
    return table;
  }

  /** Installs a handler that reads this table, and returns its entry. */
  #installFor(table: Table): number {
    const page = this.#pageSize;
    const address = this.#map(2 * page);
    const memory = this.#ffi.view(address, 2 * page);
    const addresses = new BigUint64Array(memory, 0, HEAD / 8);
    const installed = new Action();
    copy(this.#code, new Uint8Array(memory), lengthOf(this.#code));
    addresses[TABLE_ADDRESS] = BigInt(table.address);
    addresses[REPLACED_ADDRESS] = BigInt(address + page);
    this.#describeReplaced(memory);
    installed.replace(this.#current, address + HEAD);
    try {
      // SAFETY: no page is writable and executable at once, and nothing writes to the first page after this. The kernel makes
      // the instruction and data caches agree when a page becomes executable.
      if (this.#c.mprotect(address, page, PROT_READ | PROT_EXEC) !== 0) throw new Forbidden();
      // SAFETY: the handler may run in another thread before this call has returned. libc stores the replaced handler right
      // where the machine code reads it, and until then a fault is repeated: so no signal goes to a handler that another
      // thread had replaced between the query and this call, even if this thread is terminated now.
      check(this.#c.sigaction(SIGBUS, installed.bytes, address + page) === 0);
    } catch (error) {
      // SAFETY: nobody knows these pages, because the handler was not installed.
      this.#c.munmap(address, 2 * page);
      throw error;
    }
    return address + HEAD;
  }

  /** Fills the second page, which stays writable, for the time until libc has stored the replaced handler there. */
  #describeReplaced(memory: ArrayBuffer): void {
    const longs = new BigUint64Array(memory, this.#pageSize, REPLACED / 8);
    const words = new Uint32Array(memory, this.#pageSize, REPLACED / 4);
    longs[0] = BigInt(UNKNOWN_HANDLER);
    words[FLAGS] = UNKNOWN_FLAGS;
    longs[EXPECTED_HANDLER] = BigInt(this.#current.handler);
    longs[EXPECTED_FLAGS] = BigInt(this.#current.flags);
  }

  /** Maps zeros. Once a handler knows them, they are never unmapped. */
  #map(length: number): number {
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    const address = this.#c.mmap(0, length, PROT_READ | PROT_WRITE, flags, -1, 0);
    check(address !== -1);
    return address;
  }
}

/** A system call failed. That leaves one map without a guard and has no other effect, so these errors need no details. */
class Failed extends Error {}

/** The system allows no new executable pages. It would not allow them the next time either. */
class Forbidden extends Failed {}

function check(worked: boolean): void {
  if (!worked) throw new Failed();
}

/** Copies the first bytes of an array. Not by `set`, which may have been replaced. */
function copy(source: Uint8Array, target: Uint8Array, count: number): void {
  for (let index = 0; index < count; index++) target[index] = source[index] as number;
}

export interface SigbusGuard {
  /**
   * Guards a region. Returns `undefined` if that is not supported: on other architectures, if the system allows no new
   * executable pages, or if the table is full.
   */
  guard(address: number, length: number): Guard | undefined;
  /** The table that the threads of the process share; `undefined` before a region was guarded. */
  readonly table: Pick<Table, "descriptor" | "share"> | undefined;
}

export function sigbusGuard(
  ffi: Ffi,
  libraries: readonly string[],
  pageSize: number,
  arch: string = runningArch,
): SigbusGuard {
  const code = CODE[arch];
  let handler: Handler | undefined;
  let works = code !== undefined;
  return {
    guard(address, length) {
      if (!works) return undefined;
      try {
        handler ??= new Handler(ffi, libraries, pageSize, bytesOf(code as string));
        return handler.table().claim(address, length);
      } catch (error) {
        // A stack overflow, for example: the map is not made.
        if (!(error instanceof Failed)) throw error;
        if (error instanceof Forbidden) works = false;
        return undefined;
      }
    },
    get table() {
      return handler?.lastTable;
    },
  };
}

/** Decodes hexadecimal digits, and skips everything else. */
function bytesOf(hexadecimal: string): Uint8Array {
  const { length } = hexadecimal;
  const digits = new Uint8Array(length);
  let count = 0;
  for (let index = 0; index < length; index++) {
    const digit = NumberParseInt(hexadecimal[index] as string, 16);
    if (digit >= 0) digits[count++] = digit;
  }
  const bytes = new Uint8Array(count / 2);
  for (let index = 0; index < count / 2; index++) {
    bytes[index] = ((digits[2 * index] as number) << 4) | (digits[2 * index + 1] as number);
  }
  return bytes;
}
