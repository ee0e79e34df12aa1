/**
 * The lengths of arrays and buffers, by which C is told how far memory goes.
 *
 * @module
 */

import { ArrayBuffer, getterOf, NO_ARGUMENTS, ObjectGetPrototypeOf, ReflectApply, Uint8Array } from "./primordials.ts";

const byteLength = getterOf(ObjectGetPrototypeOf(Uint8Array.prototype), "byteLength") as () => number;
const bufferLength = getterOf(ArrayBuffer.prototype, "byteLength") as () => number;

/** The engine's own count of an array's bytes: C believes what it is told. */
export function lengthOf(bytes: Uint8Array): number {
  return ReflectApply(byteLength, bytes, NO_ARGUMENTS);
}

/** No buffer is made with length 0, so one that has it was detached. */
export function isDetached(buffer: ArrayBuffer): boolean {
  return ReflectApply(bufferLength, buffer, NO_ARGUMENTS) === 0;
}
