/**
 * Reads what a system's status structure (`struct stat`, or Linux's `struct statx`) says of a file.
 *
 * @module
 */

import { ArrayBuffer, BigInt64Array, Number, Uint8Array, Uint16Array, Uint32Array } from "../ffi/primordials.ts";
import type { Fail } from "./errno.ts";
import type { Platform } from "./types.ts";

/** An unsigned integer in a structure: its offset and its size, in bytes. */
export interface Field {
  readonly at: number;
  readonly bytes: 2 | 4 | 8;
}

/** Where a system's status structure has what is read of it. */
export interface StatusLayout {
  /** The name of the function that fills it, for errors. */
  readonly name: string;
  /** How many bytes the function may write. */
  readonly length: number;
  /** `st_mode`, whose lowest 16 bits are the file's type on every system. */
  readonly mode: Field;
  readonly size: Field;
  /** `st_blksize`, if `onHugePages` is given. */
  readonly blockSize?: Field;
}

/** The file's type in `st_mode`, from every system's sys/stat.h. */
export const MODES = { S_IFMT: 0o170000, S_IFREG: 0o100000 } as const;

const SMALLEST_HUGE_PAGE = 64 * 1024;

/** Makes the function that reads an integer, in the machine's byte order. */
export function fieldReader(buffer: ArrayBuffer, { at, bytes }: Field): () => number {
  if (bytes === 8) {
    const longs = new BigInt64Array(buffer);
    return () => Number(longs[at / 8]);
  }
  const integers = bytes === 4 ? new Uint32Array(buffer) : new Uint16Array(buffer);
  return () => integers[at / bytes] as number;
}

/** Makes `Platform.status` from the function that fills the system's status structure. */
export function statusReader(
  fill: (descriptor: number, status: Uint8Array) => number,
  { name, length, mode, size, blockSize }: StatusLayout,
  fail: Fail,
  onHugePages?: (descriptor: number) => boolean,
): Platform["status"] {
  const buffer = new ArrayBuffer(length);
  const status = new Uint8Array(buffer);
  const readMode = fieldReader(buffer, mode);
  const readSize = fieldReader(buffer, size);
  const readBlockSize = blockSize === undefined ? () => 0 : fieldReader(buffer, blockSize);
  return (descriptor) => {
    if (fill(descriptor, status) !== 0) fail(name);
    // The block size of a file on huge pages is such a page. Few other file systems have blocks that large.
    const unit = readBlockSize();
    const isHuge = unit >= SMALLEST_HUGE_PAGE && onHugePages?.(descriptor);
    return {
      regular: (readMode() & MODES.S_IFMT) === MODES.S_IFREG,
      size: readSize(),
      hugePageSize: isHuge ? unit : undefined,
    };
  };
}
