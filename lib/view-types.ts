/**
 * The classes that `view` makes objects of, and the sizes of their elements.
 *
 * @module
 */

import {
  BigInt64Array,
  BigUint64Array,
  DataView,
  Float32Array,
  Float64Array,
  FunctionPrototypeToString,
  Int8Array,
  Int16Array,
  Int32Array,
  ObjectGetOwnPropertyDescriptor,
  Uint8Array,
  Uint8ClampedArray,
  Uint16Array,
  Uint32Array,
} from "../ffi/primordials.ts";
import { show } from "./errors.ts";

/** The classes that `view` makes objects of. */
export type ViewConstructor =
  | Int8ArrayConstructor
  | Uint8ArrayConstructor
  | Uint8ClampedArrayConstructor
  | Int16ArrayConstructor
  | Uint16ArrayConstructor
  | Int32ArrayConstructor
  | Uint32ArrayConstructor
  | Float32ArrayConstructor
  | Float64ArrayConstructor
  | BigInt64ArrayConstructor
  | BigUint64ArrayConstructor
  | DataViewConstructor
  // `never` if the runtime's types, or this version of TypeScript's own, have no `Float16Array`.
  | (typeof globalThis extends {
      Float16Array: infer Class extends new (buffer: globalThis.ArrayBuffer) => ArrayBufferView;
    }
      ? Class
      : never);

/** What `view` makes of a class. TypeScript's own types do not tell that a `DataView` is over an `ArrayBuffer`. */
export type ViewOf<T extends ViewConstructor> = T extends DataViewConstructor
  ? globalThis.DataView<globalThis.ArrayBuffer>
  : InstanceType<T>;

const { Float16Array } = globalThis as { Float16Array?: object };

const VIEWS = [
  { type: Int8Array, name: "Int8Array", size: 1 },
  { type: Uint8Array, name: "Uint8Array", size: 1 },
  { type: Uint8ClampedArray, name: "Uint8ClampedArray", size: 1 },
  { type: Int16Array, name: "Int16Array", size: 2 },
  { type: Uint16Array, name: "Uint16Array", size: 2 },
  { type: Int32Array, name: "Int32Array", size: 4 },
  { type: Uint32Array, name: "Uint32Array", size: 4 },
  // Not every runtime has it.
  ...(Float16Array === undefined ? [] : [{ type: Float16Array, name: "Float16Array", size: 2 }]),
  { type: Float32Array, name: "Float32Array", size: 4 },
  { type: Float64Array, name: "Float64Array", size: 8 },
  { type: BigInt64Array, name: "BigInt64Array", size: 8 },
  { type: BigUint64Array, name: "BigUint64Array", size: 8 },
  { type: DataView, name: "DataView", size: 1 },
];
const { length: VIEW_COUNT } = VIEWS;

/** The name of a built-in class, also of another realm; undefined for any other value. */
function builtInName(type: unknown): unknown {
  if (typeof type !== "function" || !/\[native code\]\s*\}$/.test(FunctionPrototypeToString(type))) return undefined;
  return ObjectGetOwnPropertyDescriptor(type, "name")?.value;
}

/**
 * The size in bytes of the elements of a view class; 1 for `DataView`.
 *
 * @throws {TypeError} It is none of the classes above.
 */
export function elementSize(type: unknown): number {
  for (let index = 0; index < VIEW_COUNT; index++) {
    const view = VIEWS[index] as (typeof VIEWS)[number];
    if (view.type === type) return view.size;
  }
  // Only for classes of other realms, because it takes microseconds.
  const name = builtInName(type);
  for (let index = 0; index < VIEW_COUNT; index++) {
    const view = VIEWS[index] as (typeof VIEWS)[number];
    if (view.name === name) return view.size;
  }
  throw new TypeError(`type must be a typed array's class or DataView: got ${show(type)}`);
}
