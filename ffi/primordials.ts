/**
 * Built-in classes and functions, captured when the library is loaded, under the names that Node core gives its primordials.
 *
 * A built-in that is replaced later is not called: it could close a map while its address is in use, keep an array over
 * memory that is unmapped later, or return a length that C would believe.
 *
 * @module
 */

// Each with its type: JSR requires it of whatever occurs in exported types.
export const Array: typeof globalThis.Array = globalThis.Array;
export const ArrayBuffer: typeof globalThis.ArrayBuffer = globalThis.ArrayBuffer;
export const BigInt: typeof globalThis.BigInt = globalThis.BigInt;
export const BigInt64Array: typeof globalThis.BigInt64Array = globalThis.BigInt64Array;
export const BigUint64Array: typeof globalThis.BigUint64Array = globalThis.BigUint64Array;
export const DataView: typeof globalThis.DataView = globalThis.DataView;
export const FinalizationRegistry: typeof globalThis.FinalizationRegistry = globalThis.FinalizationRegistry;
export const Float32Array: typeof globalThis.Float32Array = globalThis.Float32Array;
export const Float64Array: typeof globalThis.Float64Array = globalThis.Float64Array;
export const Int8Array: typeof globalThis.Int8Array = globalThis.Int8Array;
export const Int16Array: typeof globalThis.Int16Array = globalThis.Int16Array;
export const Int32Array: typeof globalThis.Int32Array = globalThis.Int32Array;
export const Map: typeof globalThis.Map = globalThis.Map;
export const Number: typeof globalThis.Number = globalThis.Number;
export const Object: typeof globalThis.Object = globalThis.Object;
export const Promise: typeof globalThis.Promise = globalThis.Promise;
export const queueMicrotask: typeof globalThis.queueMicrotask = globalThis.queueMicrotask;
export const SharedArrayBuffer: typeof globalThis.SharedArrayBuffer = globalThis.SharedArrayBuffer;
export const String: typeof globalThis.String = globalThis.String;
/** For Bun alone: elsewhere an environment that replaces the globals (jsdom) may have none. */
export const TextDecoder: typeof globalThis.TextDecoder = globalThis.TextDecoder;
export const TextEncoder: typeof globalThis.TextEncoder = globalThis.TextEncoder;
export const Uint8Array: typeof globalThis.Uint8Array = globalThis.Uint8Array;
export const Uint8ClampedArray: typeof globalThis.Uint8ClampedArray = globalThis.Uint8ClampedArray;
export const Uint16Array: typeof globalThis.Uint16Array = globalThis.Uint16Array;
export const Uint32Array: typeof globalThis.Uint32Array = globalThis.Uint32Array;
export const WeakMap: typeof globalThis.WeakMap = globalThis.WeakMap;
export const WeakRef: typeof globalThis.WeakRef = globalThis.WeakRef;

const { Atomics, Function, Math, Reflect, RegExp } = globalThis;

export const { isArray: ArrayIsArray } = Array;
export const { isInteger: NumberIsInteger, parseInt: NumberParseInt } = Number;
export const { fromCharCode: StringFromCharCode } = String;
export const {
  ceil: MathCeil,
  clz32: MathClz32,
  floor: MathFloor,
  log2: MathLog2,
  max: MathMax,
  min: MathMin,
  random: MathRandom,
} = Math;
export const {
  add: AtomicsAdd,
  compareExchange: AtomicsCompareExchange,
  exchange: AtomicsExchange,
  load: AtomicsLoad,
  store: AtomicsStore,
  wait: AtomicsWait,
} = Atomics;
export const { apply: ReflectApply, get: ReflectGet, set: ReflectSet } = Reflect;
export const {
  defineProperty: ObjectDefineProperty,
  getOwnPropertyDescriptor: ObjectGetOwnPropertyDescriptor,
  getPrototypeOf: ObjectGetPrototypeOf,
  keys: ObjectKeys,
  setPrototypeOf: ObjectSetPrototypeOf,
} = Object;

const { bind, call } = Function.prototype;

/** A method as a function that takes `this` as its first argument. */
const uncurryThis = bind.bind(call) as <This, Arguments extends unknown[], Result>(
  method: (this: This, ...values: Arguments) => Result,
) => (self: This, ...values: Arguments) => Result;

export const FunctionPrototypeToString = uncurryThis(Function.prototype.toString);
export const ArrayPrototypeIncludes = uncurryThis(Array.prototype.includes);

/** Undefined in Node 20. */
const { transfer } = ArrayBuffer.prototype as { transfer?: (length: number) => globalThis.ArrayBuffer };
export const ArrayBufferPrototypeTransfer = transfer && uncurryThis(transfer);
export const FinalizationRegistryPrototypeRegister = uncurryThis(FinalizationRegistry.prototype.register) as <T>(
  registry: globalThis.FinalizationRegistry<T>,
  target: object,
  held: T,
  token?: object,
) => void;
export const WeakMapPrototypeSet = uncurryThis(WeakMap.prototype.set) as <K extends object, V>(
  map: globalThis.WeakMap<K, V>,
  key: K,
  value: V,
) => void;

export const WeakRefPrototypeDeref = uncurryThis(WeakRef.prototype.deref) as <T extends object>(
  reference: globalThis.WeakRef<T>,
) => T | undefined;

/** To be called as a method, because an own property is faster than a call by `ReflectApply`. */
export const { set: TypedArrayPrototypeSet } = Uint8Array.prototype;

const mapPrototype = Map.prototype as globalThis.Map<unknown, unknown>;
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

export const RegExpPrototypeExec = uncurryThis(RegExp.prototype.exec);
export const StringPrototypeCharCodeAt = uncurryThis(String.prototype.charCodeAt);
export const StringPrototypeIndexOf = uncurryThis(String.prototype.indexOf);
export const StringPrototypeSlice = uncurryThis(String.prototype.slice);
export const StringPrototypeIncludes = uncurryThis(String.prototype.includes);
export const StringPrototypeStartsWith = uncurryThis(String.prototype.startsWith);

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
  for (let index = 0; index < list.length; index++) {
    // Not by `define`: after that many calls Bun would optimize it during the first map, which takes longer than the calls.
    const element = {
      __proto__: null,
      value: make(list[index] as T),
      writable: true,
      enumerable: true,
      configurable: true,
    };
    ObjectDefineProperty(result, index, element as unknown as PropertyDescriptor);
  }
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
