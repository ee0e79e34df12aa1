/**
 * A way to call C that calls nothing: it writes down every call and plays what the test tells it to. It shows what the
 * platforms ask of systems that the tests don't run on.
 *
 * @module
 */

import type { Ffi, Functions, Signatures } from "../../ffi/types.ts";
import { errorFactory } from "../../lib/errors.ts";
import { usePlatform } from "../../lib/platform.ts";
import type { ErrorFactory, Platform } from "../../platform/types.ts";

/** What a C function gives, from its arguments; it may fill the memory that it is passed. */
export type Played = Record<string, (...values: never[]) => number>;

export interface Recorder extends Ffi {
  /** The calls so far, as C writes them; memory that is passed is `&memory[LENGTH]`. */
  calls: string[];
  /** Not readonly, so that a test can play it. */
  openLater: Ffi["openLater"];
  /** The libraries and the C functions that were looked up. */
  readonly opened: { libraries: readonly string[]; signatures: Signatures }[];
  /** Returns the calls so far and forgets them. */
  take(): string[];
  /** Plays these functions too. */
  play(more: Played): void;
}

/** The address of errno in the played system. */
export const ERRNO = 0xe000;

/** Makes a recorder. A function that is not played returns 0. */
export function recorder(played: Played = {}): Recorder {
  const functions: Played = { ...played };
  const memory = new Map<number, ArrayBuffer>();
  const made: Recorder = {
    maxViewLength: 2 ** 40,
    smallCopyLimit: 0,
    operationsKeepBuffers: true,
    readInt32: undefined,
    calls: [],
    opened: [],
    take: () => made.calls.splice(0),
    play: (more) => Object.assign(functions, more),
    open<const S extends Signatures>(libraries: readonly string[], signatures: S): Functions<S> {
      made.opened.push({ libraries, signatures });
      const callable = Object.keys(signatures).map((name) => [
        name,
        (...values: (number | Uint8Array)[]) => {
          const { parameters } = signatures[name] as Signatures[string];
          if (values.length !== parameters.length) throw new Error(`${name} takes ${parameters.length} arguments`);
          made.calls.push(`${name}(${values.map(written).join(", ")})`);
          return (functions[name] as ((...all: unknown[]) => number) | undefined)?.(...values) ?? 0;
        },
      ]);
      return Object.fromEntries(callable) as Functions<S>;
    },
    openLater: undefined,
    view(address, length) {
      const known = memory.get(address);
      if (known !== undefined && known.byteLength >= length) return known;
      const buffer = new ArrayBuffer(length);
      memory.set(address, buffer);
      return buffer;
    },
  };
  return made;
}

const ADDRESSES = 0x10000;

/** Numbers as C's programmers write them: addresses in hexadecimal, what is smaller in decimal. */
function written(value: number | Uint8Array): string {
  if (typeof value !== "number") return `&memory[${value.length}]`;
  return value >= ADDRESSES ? `0x${value.toString(16)}` : String(value);
}

/** Sets the played system's errno. */
export function setErrno(ffi: Recorder, number: number): void {
  new Int32Array(ffi.view(ERRNO, 4))[0] = number;
}

/** Runs `act` while the library runs over a platform that a recorder plays. */
export function over<T>(
  open: (ffi: Recorder, errors: ErrorFactory) => Platform,
  ffi: Recorder,
  act: (platform: Platform) => T,
): T {
  const platform = open(ffi, errorFactory);
  const before = usePlatform(platform);
  try {
    return act(platform);
  } finally {
    usePlatform(before);
  }
}
