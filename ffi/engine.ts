/**
 * The engine's own classes and functions that stand between a program and its memory, taken when the library is loaded.
 *
 * What other code puts in their place later is not called here: it could close a map while its address is in use, or be
 * handed memory that is unmapped later, or answer with a length that C would believe. For the same reason the library has no
 * loop over, no destructuring of, and no `push` to an array where it holds an address: each asks a prototype.
 *
 * @module
 */

export const { isInteger, parseInt: toInteger } = Number;
const { defineProperty, keys } = Object;
export const { ceil, clz32, floor, log2, max, min } = Math;
export const { add, compareExchange, load, store } = Atomics;
export const { apply } = Reflect;
export const toNumber = Number;
export const toBigInt = BigInt;
export const Buffers = ArrayBuffer;
export const Bytes = Uint8Array;
export const Words = Int32Array;
export const UnsignedWords = Uint32Array;
export const LongWords = BigUint64Array;
export const Longs = BigInt64Array;
export const Halves = Uint16Array;

/** What a getter is applied to. */
export const NONE: never[] = [];

/** A getter, as the function that `apply` takes: `call` may be replaced like any other. */
export function getterOf(object: object, name: PropertyKey): () => unknown {
  return Object.getOwnPropertyDescriptor(object, name)?.get as () => unknown;
}

/** What `make` makes of each of an object's own properties. */
export function mapValues<T, R>(object: Readonly<Record<string, T>>, make: (value: T, name: string) => R) {
  const names = keys(object);
  const result: Record<string, R> = {};
  for (let index = 0; index < names.length; index++) {
    const name = names[index] as string;
    define(result, name, make(object[name] as T, name));
  }
  return result;
}

/** What `make` makes of each element. */
export function mapped<T, R>(list: readonly T[], make: (value: T) => R): R[] {
  const result: R[] = [];
  for (let index = 0; index < list.length; index++) define(result, index, make(list[index] as T));
  return result;
}

/** Gives an object a property of its own, whatever its prototype has of that name. */
export function define(object: object, name: PropertyKey, value: unknown): void {
  const own = { __proto__: null, value, writable: true, enumerable: true, configurable: true };
  defineProperty(object, name, own as unknown as PropertyDescriptor);
}

/** As many arguments as fill 64 KiB of stack: what a resize takes, when some of its code is compiled on the way. */
const DEEP = 8192;

const manyArguments = new Array<number>(DEEP).fill(0);
const nothing = () => undefined;

/** @throws {RangeError} Little is left of the stack: a call that must not end in its middle is not to be begun. */
export function needStack(): void {
  apply(nothing, undefined, manyArguments);
}
