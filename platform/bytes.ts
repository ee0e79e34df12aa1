/**
 * The lengths of arrays and buffers, by which C is told how far memory goes.
 *
 * @module
 */

// The engine's own getters, taken before any code could replace them or hide them behind an object's own properties.
const byteLength = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), "byteLength")
  ?.get as () => number;
const bufferLength = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength")?.get as () => number;

/** The engine's own count of an array's bytes: C believes what it is told. */
export function lengthOf(bytes: Uint8Array): number {
  return byteLength.call(bytes);
}

/** No buffer is made with length 0, so one that has it was detached. */
export function isDetached(buffer: ArrayBuffer): boolean {
  return bufferLength.call(buffer) === 0;
}
