/**
 * The lengths of arrays and buffers. C trusts the lengths that it is passed.
 *
 * @module
 */

import {
  ArrayBuffer,
  getterOf,
  type Int32Array,
  NO_ARGUMENTS,
  ObjectGetPrototypeOf,
  ReflectApply,
  Uint8Array,
} from "./primordials.ts";

const byteLength = getterOf(ObjectGetPrototypeOf(Uint8Array.prototype), "byteLength") as () => number;
const bufferLength = getterOf(ArrayBuffer.prototype, "byteLength") as () => number;

/** The length of an array in bytes, as the engine has it: its `length` and `byteLength` may be overridden. */
export function lengthOf(bytes: Uint8Array | Int32Array): number {
  return ReflectApply(byteLength, bytes, NO_ARGUMENTS);
}

/** Whether a buffer was detached. The library makes none of length 0, so one with length 0 was. */
export function isDetached(buffer: ArrayBuffer): boolean {
  return ReflectApply(bufferLength, buffer, NO_ARGUMENTS) === 0;
}
