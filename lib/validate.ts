/**
 * Validates arguments. Each function returns the value in the form that the rest of the library works with, or throws an
 * error that names the argument.
 *
 * @module
 */

import { builtins } from "../ffi/builtins.ts";
import {
  ArrayBuffer,
  ArrayIsArray,
  DataView,
  getterOf,
  MathCeil,
  MathMax,
  MathMin,
  NO_ARGUMENTS,
  Number,
  NumberIsInteger,
  ObjectGetPrototypeOf,
  ReflectApply,
  RegExpPrototypeExec,
  TextEncoder,
  Uint8Array,
} from "../ffi/primordials.ts";
import { classNameOf, show } from "./errors.ts";

/** Bytes to write or to search for. A string is encoded as UTF-8. */
export type BytesLike = string | globalThis.ArrayBuffer | ArrayBufferView;

/** The largest integer that a number represents exactly, as are all below it. */
export const MAX_INTEGER: number = Number.MAX_SAFE_INTEGER;

/** Made when it is first used: jsdom has none of its own, and the runtime's modules are not loaded on import. */
let encoder: TextEncoder | undefined;

/** @throws {TypeError | RangeError} The value is not an integer, or is outside [min, max]. */
export function integer(name: string, value: unknown, least: number, most: number, advice = ""): number {
  const checked = anyInteger(name, value, advice);
  if (checked < least || checked > most)
    throw new RangeError(`${name} must be from ${least} to ${most}: got ${show(value)}`);
  return checked;
}

function anyInteger(name: string, value: unknown, advice = ""): number {
  if (!NumberIsInteger(value)) throw new TypeError(`${name} must be an integer: got ${show(value)}${advice}`);
  // Turns -0 into 0.
  return (value as number) + 0;
}

/** @throws {TypeError} The value is not a boolean. */
export function boolean(name: string, value: unknown): boolean {
  if (typeof value !== "boolean") throw new TypeError(`${name} must be true or false: got ${show(value)}`);
  return value;
}

/** A name that the kernel takes for memory. */
export function memoryName(name: string, value: unknown): string {
  if (typeof value !== "string") throw new TypeError(`${name} must be a string: got ${show(value)}`);
  if (RegExpPrototypeExec(/^(?:(?![\\`$[\]])[ -~]){0,79}$/, value) !== null) return value;
  throw new RangeError(
    `${name} must have at most 79 characters of printable ASCII, without \\ \` $ [ ]: got ${show(value)}`,
  );
}

/** A byte: an integer from 0 to 255. */
export function byte(name: string, value: unknown): number {
  return integer(name, value, 0, 255);
}

/** One of the strings in `allowed`. */
export function oneOf<T extends string>(name: string, value: unknown, allowed: readonly T[]): T {
  if (!allowed.includes(value as T)) {
    throw new TypeError(`${name} must be one of ${allowed.map((one) => show(one)).join(", ")}: got ${show(value)}`);
  }
  return value as T;
}

/** A bound of a range by the rules of slices: a negative one counts from the end, one out of range is clamped. */
export function bound(name: string, value: unknown, length: number, absent: number): number {
  if (value === undefined) return absent;
  const checked = anyInteger(name, value);
  return checked < 0 ? MathMax(0, checked + length) : MathMin(checked, length);
}

/** The elements of a slice: `count` of them, the first at `start`, each `step` after the previous one. */
export interface Slice {
  start: number;
  step: number;
  count: number;
}

/** Resolves the bounds of a slice by Python's rules. */
export function slice(start: unknown, end: unknown, step: unknown, length: number): Slice {
  const by = step === undefined ? 1 : anyInteger("step", step);
  if (by === 0) throw new RangeError("step must not be zero: got 0");
  const forward = by > 0;
  const resolve = forward ? bound : backwardBound;
  const from = resolve("start", start, length, forward ? 0 : length - 1);
  const to = resolve("end", end, length, forward ? length : -1);
  return { start: from, step: by, count: MathMax(0, MathCeil((to - from) / by)) };
}

/** A bound of a slice with a negative step, which may lie one before the first element. */
function backwardBound(name: string, value: unknown, length: number, absent: number): number {
  if (value === undefined) return absent;
  const checked = anyInteger(name, value);
  return checked < 0 ? MathMax(-1, checked + length) : MathMin(checked, length - 1);
}

const typedArray = gettersOf(ObjectGetPrototypeOf(Uint8Array.prototype));
const dataView = gettersOf(DataView.prototype);
const bufferLength = getterOf(ArrayBuffer.prototype, "byteLength");
const { isView } = ArrayBuffer;

function gettersOf(prototype: object) {
  return {
    type: getterOf(prototype, Symbol.toStringTag),
    buffer: getterOf(prototype, "buffer") as () => ArrayBuffer,
    byteOffset: getterOf(prototype, "byteOffset") as () => number,
    byteLength: getterOf(prototype, "byteLength") as () => number,
  };
}

/**
 * The bytes of a `BytesLike`, without a copy. Always a new, plain `Uint8Array` with the length that the engine reports: the
 * properties of the user's object may be overridden, and C would read past its end.
 */
export function bytesOf(name: string, value: unknown): Uint8Array {
  if (typeof value === "string") return utf8(value);
  try {
    if (isView(value)) return viewedBytes(value);
    if (isArrayBuffer(value)) return new Uint8Array(value);
  } catch (error) {
    // Only a detached buffer makes these throw.
    throw new TypeError(`${name} must not be detached: got bytes whose buffer was transferred away`, { cause: error });
  }
  throw new TypeError(
    `${name} must be a string, an ArrayBuffer or a view of one: got ${show(value)}${bytesAdvice(value)}`,
  );
}

function utf8(text: string): Uint8Array {
  encoder ??= new (TextEncoder ?? builtins().TextEncoder)();
  return viewedBytes(encoder.encode(text));
}

/** What to do with a value that is no bytes. */
function bytesAdvice(value: unknown): string {
  if (isRegExp(value)) return "; search() and matchAll() take a RegExp";
  if (typeof value === "number") return "; Uint8Array.of() makes bytes of numbers, and writeByte() writes one";
  if (typeof value !== "object" || value === null) return "";
  if (ArrayIsArray(value)) return "; Uint8Array.from() makes bytes of an array of numbers";
  const name = classNameOf(value);
  if (name === "MMap") return "; pass its bytes";
  return name === "SharedArrayBuffer" ? "; pass a Uint8Array over it" : "";
}

const regExpSource = getterOf(RegExp.prototype, "source") as () => string;
const regExpFlags = getterOf(RegExp.prototype, "flags") as () => string;

/** Whether a value is a RegExp, of any realm. */
function isRegExp(value: unknown): value is RegExp {
  try {
    ReflectApply(regExpSource, value, NO_ARGUMENTS);
    return true;
  } catch {
    return false;
  }
}

/** The source and the flags of a RegExp, of any realm. */
export function regExpOf(name: string, value: unknown): { source: string; flags: string } {
  if (!isRegExp(value)) {
    const advice = typeof value === "string" ? "; find() takes a string" : "";
    throw new TypeError(`${name} must be a RegExp: got ${show(value)}${advice}`);
  }
  // Of a copy, and by the engine's own getters: a subclass may override `source` and `flags`.
  const copy = new RegExp(value);
  return {
    source: ReflectApply(regExpSource, copy, NO_ARGUMENTS),
    flags: ReflectApply(regExpFlags, copy, NO_ARGUMENTS),
  };
}

function viewedBytes(view: ArrayBufferView): Uint8Array {
  // The getter returns undefined for a DataView. `call` is faster than `Reflect.apply`; if it was replaced, the constructor
  // below still makes no array that is larger than its buffer.
  const { buffer, byteOffset, byteLength } = typedArray.type.call(view) === undefined ? dataView : typedArray;
  return new Uint8Array(buffer.call(view), byteOffset.call(view), byteLength.call(view));
}

function isArrayBuffer(value: unknown): value is ArrayBuffer {
  try {
    ReflectApply(bufferLength, value, NO_ARGUMENTS);
    return true;
  } catch {
    return false;
  }
}
