/**
 * Hostile arguments: values of wrong types, values that lie about themselves, values that run code when they are looked at.
 *
 * @module
 */

import { type Given, WRONG } from "./model.ts";
import type { Random } from "./random.ts";

/** What the code inside of hostile values does: close or resize some map, throw. */
export type Mischief = () => unknown;

const encoder = new TextEncoder();
const given = (value: unknown, means: Given["means"]): Given => ({ value, means });
const wrong = (value: unknown): Given => ({ value, means: WRONG });

/** Something that is no integer. */
export function noInteger(random: Random, mischief: Mischief): unknown {
  const makers: (() => unknown)[] = [
    () => random.pick([Number.NaN, 1.5, -0.5, 5e-324, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]),
    () => random.pick(["3", "", "abc", "-1", true, false, 10n, -1n, 2n ** 64n, Symbol("3"), Symbol.iterator]),
    () => ({ valueOf: mischief, toString: mischief, [Symbol.toPrimitive]: mischief }),
    () => new Proxy({}, { get: mischief, has: () => true, getPrototypeOf: () => Number.prototype }),
    () =>
      random.pick([{}, [], [3], new Number(3), new Date(0), () => 3, /3/, new Uint8Array(1), new Map(), globalThis]),
  ];
  return random.pick(makers)();
}

/** A number, or what is none. `limit` is about the map's length. */
export function number(random: Random, limit: number, mischief: Mischief): Given {
  if (random.oneIn(4)) return wrong(noInteger(random, mischief));
  const values = [
    () => random.below(limit + 1),
    () => random.below(limit + 1),
    () => -random.below(limit + 1),
    () => limit - 1 + random.below(3),
    () => random.pick([0, -0, 1, -1, 255, 256]),
    () => random.pick([2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, -(2 ** 31), -(2 ** 53), 1e300, -1e300]),
  ];
  const value = random.pick(values)();
  return given(value, value + 0);
}

export function optional(random: Random, limit: number, mischief: Mischief): Given {
  return random.oneIn(3) ? given(undefined, undefined) : number(random, limit, mischief);
}

/** Bytes, or what are none. The contents are what the engine says they are, whatever the object's properties say. */
export function bytes(random: Random, room: number, mischief: Mischief): Given {
  const length = random.oneIn(3) ? random.below(room + 2) : random.below(Math.min(room, 20) + 1);
  const content = Uint8Array.from({ length }, () => random.pick([97, 98, 10, 0, 255]));
  const makers: (() => Given)[] = [
    () => given(content, content),
    () => given(content.buffer, content),
    () => given(new DataView(content.buffer), content),
    () =>
      given(
        String.fromCharCode(...content.subarray(0, 1000).map((byte) => byte % 128)),
        content.subarray(0, 1000).map((byte) => byte % 128),
      ),
    () => text(random),
    () => shared(content),
    () => resizable(content, random),
    () => lying(content, random, mischief),
    () => wrong(detached()),
    () =>
      wrong(
        random.pick([1, null, undefined, {}, [1, 2], true, 1n, Symbol("bytes"), new SharedArrayBuffer(3), () => 1]),
      ),
    () => wrong({ byteLength: 5, byteOffset: 0, buffer: content.buffer, length: 5, toString: mischief }),
    () => wrong(new Proxy(content, { get: mischief })),
    () => wrong(Object.create(Uint8Array.prototype)),
  ];
  return random.pick(makers)();
}

function text(random: Random): Given {
  const value = random.pick(["é", "\ud800", "a\u{1f600}b", "", "\0"]);
  return given(value, encoder.encode(value));
}

function shared(content: Uint8Array): Given {
  const array = new Uint8Array(new SharedArrayBuffer(content.length));
  array.set(content);
  return given(array, content);
}

function resizable(content: Uint8Array, random: Random): Given {
  const Resizable = ArrayBuffer as unknown as new (
    length: number,
    options: object,
  ) => ArrayBuffer & { resize(n: number): void };
  const buffer = new Resizable(content.length + 16, { maxByteLength: content.length + 64 });
  const tracking = new Uint8Array(buffer);
  const fixed = new Uint8Array(buffer, 0, content.length + 16);
  tracking.set(content);
  buffer.resize?.(content.length);
  // A view that is now partly outside of its buffer has length 0.
  if (random.oneIn(4)) return given(fixed, new Uint8Array(0));
  return given(tracking, tracking.slice());
}

/** A real array whose own properties say something else. */
function lying(content: Uint8Array, random: Random, mischief: Mischief): Given {
  const array = random.oneIn(2) ? content.slice() : new DataView(content.slice().buffer);
  const lie = random.pick([
    { get: mischief },
    { value: 2 ** 32 },
    { value: -1 },
    { value: 0 },
    { value: { valueOf: mischief } },
    { value: new ArrayBuffer(1) },
  ]);
  for (const name of ["length", "byteLength", "byteOffset", "buffer", "constructor", "slice", "subarray", "set"]) {
    if (random.oneIn(2)) Object.defineProperty(array, name, { configurable: true, ...lie });
  }
  Object.defineProperty(array, Symbol.iterator, { configurable: true, get: mischief });
  return given(array, content);
}

function detached(): unknown {
  const array = new Uint8Array(8);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

/** An expression that may have hostile properties, and what the engine knows it to be. */
export function expression(random: Random, mischief: Mischief): { value: RegExp; plain: RegExp } {
  const plain = random.pick(EXPRESSIONS);
  if (random.oneIn(2)) return { value: plain, plain };
  class Hostile extends RegExp {}
  const value = new Hostile(plain);
  const lies = ["\\", "(", "[", 3, {}, null, "gy", "a".repeat(1000)];
  const trap = { configurable: true, get: random.oneIn(2) ? mischief : () => random.pick(lies) };
  for (const name of ["source", "flags", "exec", "global", "sticky", "constructor", Symbol.match, Symbol.matchAll]) {
    if (random.oneIn(2)) Object.defineProperty(value, name, trap);
  }
  return { value, plain };
}

const EXPRESSIONS: readonly RegExp[] = [
  /a/,
  /[ab]+/,
  /a*/,
  /(a)(?<named>b)?/,
  /\n/m,
  /^a/m,
  /[\s\S]/y,
  /(?<=a)b/,
  /b(?!a)/u,
  /(a|b)\1/i,
  /a.b/s,
];

/** Options in which one property is wrong, or does mischief. */
export function options(random: Random, mischief: Mischief): unknown {
  const name = random.pick(["access", "prot", "flags", "offset", "tagname", "trackfd", "length", "create", "mode"]);
  const makers: (() => unknown)[] = [
    () => ({ [name]: noInteger(random, mischief) }),
    () => Object.defineProperty({ access: "copy" }, name, { enumerable: true, get: mischief }),
    () => new Proxy({}, { get: mischief, ownKeys: mischief as () => string[] }),
    () => random.pick([1, "read", null, Symbol("options"), () => 1, true]),
    () => ({ offset: random.pick([-1, 2 ** 53, 1e300, 2 ** 40]) }),
    () => ({ flags: random.pick([0, 16, 17, 18, 0x100000, -1, 2 ** 32, 3, 0x40000 | 2]), prot: 3 }),
    () => ({ prot: random.pick([-1, 2 ** 31, 2 ** 20, 64]) }),
  ];
  return random.pick(makers)();
}
