/**
 * Built-in classes and functions, captured when the library is loaded, under the names that Node core gives its primordials.
 *
 * A built-in that is replaced later is not called: it could close a map while its address is in use, keep an array over
 * memory that is unmapped later, or return a length that C would believe.
 *
 * @module
 */

export const {
  ArrayBuffer,
  BigInt,
  BigInt64Array,
  BigUint64Array,
  DataView,
  FinalizationRegistry,
  Float32Array,
  Float64Array,
  Int8Array,
  Int16Array,
  Int32Array,
  Map,
  Number,
  queueMicrotask,
  SharedArrayBuffer,
  String,
  Uint8Array,
  Uint8ClampedArray,
  Uint16Array,
  Uint32Array,
  WeakMap,
  WeakRef,
} = globalThis;

export const { isInteger: NumberIsInteger, parseInt: NumberParseInt } = Number;

export const {
  ceil: MathCeil,
  clz32: MathClz32,
  floor: MathFloor,
  log2: MathLog2,
  max: MathMax,
  min: MathMin,
} = globalThis.Math;

export const {
  add: AtomicsAdd,
  compareExchange: AtomicsCompareExchange,
  load: AtomicsLoad,
  store: AtomicsStore,
  wait: AtomicsWait,
} = globalThis.Atomics;

export const { apply: ReflectApply, get: ReflectGet, set: ReflectSet } = globalThis.Reflect;

const { bind, call } = globalThis.Function.prototype;

/** A method as a function that takes `this` as its first argument. */
const uncurryThis = bind.bind(call) as <This, Arguments extends unknown[], Result>(
  method: (this: This, ...values: Arguments) => Result,
) => (self: This, ...values: Arguments) => Result;

export const { isArray: ArrayIsArray } = globalThis.Array;
export const FunctionPrototypeToString = uncurryThis(globalThis.Function.prototype.toString);
export const ArrayPrototypeIncludes = uncurryThis(globalThis.Array.prototype.includes);

/** Undefined in Node 20. */
const transfer = (globalThis.ArrayBuffer.prototype as { transfer?: (length: number) => globalThis.ArrayBuffer })
  .transfer;
export const ArrayBufferPrototypeTransfer = transfer && uncurryThis(transfer);
export const FinalizationRegistryPrototypeRegister = uncurryThis(
  globalThis.FinalizationRegistry.prototype.register,
) as <T>(registry: globalThis.FinalizationRegistry<T>, target: object, held: T, token?: object) => void;
export const WeakMapPrototypeSet = uncurryThis(globalThis.WeakMap.prototype.set) as <K extends object, V>(
  map: globalThis.WeakMap<K, V>,
  key: K,
  value: V,
) => void;

export const WeakRefPrototypeDeref = uncurryThis(globalThis.WeakRef.prototype.deref) as <T extends object>(
  reference: globalThis.WeakRef<T>,
) => T | undefined;

/** To be called as a method, because an own property is faster than a call by `ReflectApply`. */
export const { set: TypedArrayPrototypeSet } = globalThis.Uint8Array.prototype;

const mapPrototype = globalThis.Map.prototype as globalThis.Map<unknown, unknown>;
export const MapPrototypeDelete = uncurryThis(mapPrototype.delete);
export const MapPrototypeGet = uncurryThis(mapPrototype.get) as <K, V>(
  map: globalThis.Map<K, V>,
  key: K,
) => V | undefined;
export const MapPrototypeSet = uncurryThis(mapPrototype.set) as <K, V>(
  map: globalThis.Map<K, V>,
  key: K,
  value: V,
) => void;

export const RegExpPrototypeExec = uncurryThis(globalThis.RegExp.prototype.exec);
export const { fromCharCode: StringFromCharCode } = String;
export const StringPrototypeCharCodeAt = uncurryThis(globalThis.String.prototype.charCodeAt);
export const StringPrototypeIndexOf = uncurryThis(globalThis.String.prototype.indexOf);
export const StringPrototypeSlice = uncurryThis(globalThis.String.prototype.slice);
export const StringPrototypeIncludes = uncurryThis(globalThis.String.prototype.includes);
export const StringPrototypeStartsWith = uncurryThis(globalThis.String.prototype.startsWith);

export const {
  defineProperty: ObjectDefineProperty,
  getOwnPropertyDescriptor: ObjectGetOwnPropertyDescriptor,
  getPrototypeOf: ObjectGetPrototypeOf,
  keys: ObjectKeys,
  setPrototypeOf: ObjectSetPrototypeOf,
} = globalThis.Object;

/** The prototype of all iterators of the language, which has `map`, `take` and the other helpers if the engine does. */
export const IteratorPrototype: object = ObjectGetPrototypeOf(ObjectGetPrototypeOf([].values()));

/** The arguments of a getter that is called by `ReflectApply`. */
export const NO_ARGUMENTS: never[] = [];

/** A getter as a function for `ReflectApply`. Not for `call`, which may be replaced like any other method. */
export function getterOf(object: object, name: PropertyKey): () => unknown {
  return ObjectGetOwnPropertyDescriptor(object, name)?.get as () => unknown;
}

/** An object with the same keys, whose values are what `make` returns for each of the object's own properties. */
export function mapValues<T, R>(object: Readonly<Record<string, T>>, make: (value: T, name: string) => R) {
  const names = ObjectKeys(object);
  const result: Record<string, R> = {};
  for (let index = 0; index < names.length; index++) {
    const name = names[index] as string;
    define(result, name, make(object[name] as T, name));
  }
  return result;
}

/** An array of what `make` returns for each element. */
export function mapArray<T, R>(list: readonly T[], make: (value: T) => R): R[] {
  const result: R[] = [];
  for (let index = 0; index < list.length; index++) define(result, index, make(list[index] as T));
  return result;
}

/** Defines an own property. An assignment would call a setter of that name on the prototype, if there is one. */
export function define(object: object, name: PropertyKey, value: unknown): void {
  const descriptor = { __proto__: null, value, writable: true, enumerable: true, configurable: true };
  ObjectDefineProperty(object, name, descriptor as unknown as PropertyDescriptor);
}

/** Arguments that fill 64 KiB of stack: as much as a resize takes when some of its code is compiled on the way. */
const manyArguments = new Array<number>(8192).fill(0);

const nothing = () => undefined;

/**
 * Call this before code that must not be interrupted by a stack overflow.
 *
 * @throws {RangeError} Less than 64 KiB of stack is left.
 */
export function ensureStackSpace(): void {
  ReflectApply(nothing, undefined, manyArguments);
}
