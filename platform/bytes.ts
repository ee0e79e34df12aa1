/**
 * The length of bytes that C is told of.
 *
 * @module
 */

// The engine's own getter, taken before any code could replace it or hide it behind an object's own property.
const byteLength = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), "byteLength")
  ?.get as () => number;

/** The engine's own count of an array's bytes: C believes what it is told. */
export function lengthOf(bytes: Uint8Array): number {
  return byteLength.call(bytes);
}
