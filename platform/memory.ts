/**
 * Searches in mapped memory for systems whose C library searches for a single byte, forwards, and no more.
 *
 * @module
 */

/** What the C library offers. */
export interface Memory {
  /** The index of the first byte equal to `byte`, or -1. */
  findByte(address: number, length: number, byte: number): number;
  /** Are these the bytes at `address`? */
  equals(address: number, bytes: Uint8Array): boolean;
  /** Copies out of mapped memory. */
  load(address: number, target: Uint8Array): void;
}

/** How much is copied at once, in bytes. */
const BLOCK = 64 * 1024;

/** The index of the last byte equal to `byte`, or -1: copies block by block, from the end. */
export function findLastByte(memory: Memory, address: number, length: number, byte: number): number {
  const block = new Uint8Array(Math.min(BLOCK, length));
  for (let end = length; end > 0; ) {
    const start = Math.max(0, end - BLOCK);
    const part = block.subarray(0, end - start);
    memory.load(address + start, part);
    const last = part.lastIndexOf(byte);
    if (last !== -1) return start + last;
    end = start;
  }
  return -1;
}

/** What one candidate costs: two calls into C take about as long as going on for so many bytes without them. */
const CANDIDATE = 512;

/** How much candidates may cost ahead of the bytes that were passed. */
const CREDIT = 64 * 1024;

/**
 * The index of the first occurrence of `needle`, of at least one byte, or -1.
 *
 * C looks for a byte of the needle that is rare in the text, and compares the needle wherever it finds one. Where such
 * candidates come too often, the Two-Way algorithm goes on over a copy: so the time stays linear whatever the bytes are.
 */
export function findBytes(memory: Memory, address: number, length: number, needle: Uint8Array): number {
  const probe = rarest(memory, address, length, needle);
  const byte = needle[probe] as number;
  const last = length - needle.length;
  let spent = 0;
  for (let from = 0; from <= last; from++) {
    const found = memory.findByte(address + from + probe, last - from + 1, byte);
    if (found === -1) return -1;
    from += found;
    spent += CANDIDATE + needle.length;
    if (spent > from + CREDIT) return findInCopies(memory, address, from, length, needle);
    if (memory.equals(address + from, needle)) return from;
  }
  return -1;
}

/** Which byte of the needle occurs least often where the text begins? */
function rarest(memory: Memory, address: number, length: number, needle: Uint8Array): number {
  const sample = new Uint8Array(Math.min(4096, length));
  memory.load(address, sample);
  const counts = new Uint16Array(256);
  for (const byte of sample) (counts[byte] as number)++;
  let best = 0;
  for (let index = 1; index < Math.min(256, needle.length); index++) {
    if ((counts[needle[index] as number] as number) < (counts[needle[best] as number] as number)) best = index;
  }
  return best;
}

/** The same from `start` on, without C: in copies that overlap, for occurrences across their edges. */
function findInCopies(memory: Memory, address: number, start: number, length: number, needle: Uint8Array): number {
  const search = twoWay(needle);
  const block = new Uint8Array(Math.min(length - start, Math.max(4 * BLOCK, 2 * needle.length)));
  for (let from = start; length - from >= needle.length; from += block.length - needle.length + 1) {
    const part = block.subarray(0, Math.min(block.length, length - from));
    memory.load(address + from, part);
    const found = search(part);
    if (found !== -1) return from + found;
  }
  return -1;
}

/**
 * Prepares the Two-Way search for a needle, with a table of how far the window's last byte lets it move: linear at its
 * worst, and less than that on most texts.
 *
 * @see https://doi.org/10.1145/116825.116845 M. Crochemore, D. Perrin: Two-way string-matching
 */
export function twoWay(needle: Uint8Array): (text: Uint8Array) => number {
  const { length } = needle;
  const skips = new Int32Array(256).fill(length);
  for (let index = 0; index < length; index++) skips[needle[index] as number] = length - index - 1;
  const { cut, period } = factorize(needle);
  let repeats = true;
  for (let index = 0; index < cut && repeats; index++) repeats = needle[index] === needle[index + period];
  // How far to move when the part before the cut differs, and how much of the needle is known to match after that.
  const shift = repeats ? period : Math.max(cut, length - cut) + 1;
  const kept = repeats ? length - period : 0;
  return (text) => {
    let known = 0;
    for (let at = 0; at <= text.length - length; ) {
      const skip = skips[text[at + length - 1] as number] as number;
      if (skip > 0) {
        at += Math.max(skip, known);
        known = 0;
        continue;
      }
      let index = Math.max(cut, known);
      while (index < length && needle[index] === text[at + index]) index++;
      if (index < length) {
        at += index - cut + 1;
        known = 0;
        continue;
      }
      index = cut;
      while (index > known && needle[index - 1] === text[at + index - 1]) index--;
      if (index <= known) return at;
      at += shift;
      known = kept;
    }
    return -1;
  };
}

/** Cuts the needle in two where the part behind the cut is its greatest suffix, by the order of bytes or its reverse. */
function factorize(needle: Uint8Array): { cut: number; period: number } {
  const up = greatestSuffix(needle, 1);
  const down = greatestSuffix(needle, -1);
  return up.cut > down.cut ? up : down;
}

/** Where the greatest suffix begins, and its period. */
function greatestSuffix(needle: Uint8Array, order: 1 | -1): { cut: number; period: number } {
  let cut = 0;
  let period = 1;
  let same = 0;
  for (let next = 1; next + same < needle.length; ) {
    const difference = order * ((needle[next + same] as number) - (needle[cut + same] as number));
    if (difference === 0) {
      same++;
      if (same === period) {
        next += period;
        same = 0;
      }
    } else if (difference < 0) {
      next += same + 1;
      same = 0;
      period = next - cut;
    } else {
      cut = next;
      next = cut + 1;
      same = 0;
      period = 1;
    }
  }
  return { cut, period };
}
