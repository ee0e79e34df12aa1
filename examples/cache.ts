/**
 * A cache that all processes of a cluster share: slots of a fixed size, and a mutex for every 64th slot, so that few wait for each
 * other. What a killed process was writing is thrown away. Not for the BSDs, because it needs mutexes.
 *
 *     node examples/cache.ts set FILE greeting '{"text":"Hello"}'
 *     node examples/cache.ts get FILE greeting
 *
 * @module
 */

import process from "node:process";
import { MMap } from "../lib/mod.ts"; // in your program: from "mmap-ffi"

const STRIPES = 64;
const SLOTS = 4096; // a multiple of STRIPES
const SLOT = 1024; // bytes: 8 for the two lengths, then the key and the value
const DATA = 8 * STRIPES;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Cache {
  readonly #mm: MMap;
  readonly #bytes: Uint8Array;

  constructor(path: string) {
    this.#mm = MMap.open(path, { create: true, length: DATA + SLOTS * SLOT });
    this.#bytes = this.#mm.bytes;
  }

  get(key: string): unknown {
    const name = encoder.encode(key);
    const slot = slotOf(name);
    const value = this.#guarded(slot, (at) => {
      const { keyLength, valueLength } = this.#lengths(at);
      const stored = this.#bytes.subarray(at + 8, at + 8 + keyLength);
      if (keyLength !== name.length || !stored.every((byte, index) => byte === name[index])) return undefined;
      return this.#bytes.slice(at + 8 + keyLength, at + 8 + keyLength + valueLength);
    });
    return value === undefined ? undefined : JSON.parse(decoder.decode(value));
  }

  /** Returns false if the value is too large for a slot. */
  set(key: string, value: unknown): boolean {
    const name = encoder.encode(key);
    const text = encoder.encode(JSON.stringify(value));
    if (8 + name.length + text.length > SLOT) return false;
    this.#guarded(slotOf(name), (at) => {
      const lengths = new Uint32Array(this.#bytes.buffer, at, 2);
      lengths.set([name.length, text.length]);
      this.#bytes.set(name, at + 8);
      this.#bytes.set(text, at + 8 + name.length);
    });
    return true;
  }

  close(): void {
    this.#mm.close();
  }

  /** Runs `use` with the place of a slot, while no other process uses it. */
  #guarded<T>(slot: number, use: (at: number) => T): T {
    const stripe = slot % STRIPES;
    using held = this.#mm.mutex(8 * stripe).hold();
    // A process died in here: one of the stripe's slots may be half-written.
    for (let other = stripe; held.abandoned && other < SLOTS; other += STRIPES) {
      this.#bytes.fill(0, DATA + other * SLOT, DATA + other * SLOT + 8);
    }
    return use(DATA + slot * SLOT);
  }

  /** The lengths in a slot. What comes from shared memory is checked. */
  #lengths(at: number): { keyLength: number; valueLength: number } {
    const [keyLength = 0, valueLength = 0] = new Uint32Array(this.#bytes.buffer, at, 2);
    return keyLength + valueLength > SLOT - 8 ? { keyLength: 0, valueLength: 0 } : { keyLength, valueLength };
  }
}

/** FNV-1a. */
function slotOf(name: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of name) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % SLOTS;
}

const [role, path = "cache.bin", key = "", value = "null"] = process.argv.slice(2);
if (role !== undefined) {
  const cache = new Cache(path);
  if (role === "set") console.log(cache.set(key, JSON.parse(value)));
  else console.log(JSON.stringify(cache.get(key)));
  cache.close();
}
