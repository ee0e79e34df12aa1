/**
 * The engine's own classes and functions that stand between a program and its memory, taken when the library is loaded.
 *
 * What other code puts in their place later is not called here: it could close a map while its address is in use, or be
 * handed memory that is unmapped later, or answer with a length that C would believe. For the same reason the library has no
 * loop over, no destructuring of, and no `push` to an array where it holds an address: each asks a prototype.
 *
 * @module
 */

export const { isInteger } = Number;
export const { abs, ceil, clz32, floor, log2, max, min } = Math;
export const { add, compareExchange, load, store } = Atomics;
export const { apply } = Reflect;
export const toNumber = Number;
export const toBigInt = BigInt;
export const Buffers = ArrayBuffer;
export const Bytes = Uint8Array;
export const Words = Int32Array;
export const UnsignedWords = Uint32Array;
export const LongWords = BigUint64Array;

/** What a getter is applied to. */
export const NONE: never[] = [];

/** A getter, as the function that `apply` takes: `call` may be replaced like any other. */
export function getterOf(object: object, name: PropertyKey): () => unknown {
  return Object.getOwnPropertyDescriptor(object, name)?.get as () => unknown;
}

type Method<T, P extends unknown[], R> = (this: T, ...parameters: P) => R;

/** A function of a method, which takes its object first. */
export function unbound<T, P extends unknown[], R>(method: Method<T, P, R>): (self: T, ...parameters: P) => R {
  return (self, ...parameters) => apply(method, self, parameters) as R;
}

/** As many arguments as fill 64 KiB of stack: what a resize takes, when some of its code is compiled on the way. */
const DEEP = 8192;

let argumentsOfRoom: number[] | undefined;
const nothing = () => undefined;

/** @throws {RangeError} Little is left of the stack: a call that must not end in its middle is not to be begun. */
export function needStack(): void {
  argumentsOfRoom ??= new Array<number>(DEEP).fill(0);
  apply(nothing, undefined, argumentsOfRoom);
}
