/**
 * Changes the built-in classes as a hostile (or a careless) program can, and back.
 *
 * @module
 */

import type { Random } from "./random.ts";
import type { Mischief } from "./values.ts";

const TypedArray = Object.getPrototypeOf(Uint8Array) as { prototype: object };

/**
 * What may be replaced: the properties through which a library could be led astray where memory is concerned. Not
 * `Uint8Array.prototype.buffer`, by which Node 20's own Buffers go wrong for good.
 */
const TARGETS: [object, PropertyKey][] = [
  [Uint8Array.prototype, "slice"],
  [Uint8Array.prototype, "set"],
  [Uint8Array.prototype, "subarray"],
  [Uint8Array.prototype, "indexOf"],
  [Uint8Array.prototype, "length"],
  [Uint8Array.prototype, "byteLength"],
  [Uint8Array.prototype, "byteOffset"],
  [Uint8Array.prototype, "constructor"],
  [Uint8Array, Symbol.species],
  [TypedArray, Symbol.species],
  [TypedArray.prototype, "length"],
  [TypedArray.prototype, "slice"],
  [ArrayBuffer.prototype, "byteLength"],
  [ArrayBuffer.prototype, "transfer"],
  [ArrayBuffer.prototype, "slice"],
  [ArrayBuffer, Symbol.species],
  [ArrayBuffer, "isView"],
  [RegExp.prototype, "exec"],
  [RegExp.prototype, "flags"],
  [RegExp.prototype, "source"],
  [RegExp.prototype, Symbol.match],
  [RegExp.prototype, Symbol.replace],
  ...functionsOf(Array.prototype, ["push", "pop", "map", "filter", "some", "every", "includes", Symbol.iterator]),
  ...functionsOf(Object.getPrototypeOf([].values()), ["next"]),
  ...functionsOf(Math, ["min", "max", "floor", "ceil", "log2", "clz32"]),
  ...functionsOf(Number, ["isInteger"]),
  ...functionsOf(Atomics, ["add", "load", "store", "compareExchange"]),
  ...functionsOf(Map.prototype, ["get", "set", "has"]),
  ...functionsOf(WeakMap.prototype, ["get", "set"]),
  ...functionsOf(FinalizationRegistry.prototype, ["register", "unregister"]),
  ...functionsOf(String.prototype, ["indexOf", "charCodeAt", "slice"]),
  // What no object has of itself.
  ...functionsOf(Object.prototype, [
    "mapPrivateView",
    "releaseName",
    "withPath",
    "return",
    "BYTES_PER_ELEMENT",
    "name",
  ]),
];

function functionsOf(object: object, names: PropertyKey[]): [object, PropertyKey][] {
  return names.map((name) => [object, name]);
}

const ABSENT = ["mapPrivateView", "releaseName", "withPath", "return"];

/** Replaces one of them; gives what puts it back. */
export function pollute(random: Random, mischief: Mischief, tell: (name: string) => void): () => void {
  const [object, name] = random.pick(TARGETS);
  const before = Object.getOwnPropertyDescriptor(object, name);
  const lie = random.pick([0, 1, 2 ** 31, -1, undefined, null]);
  const original = before?.value;
  const isFunction =
    typeof original === "function" ||
    (typeof name === "string" && (/^(slice|set|subarray|indexOf)$/.test(name) || ABSENT.includes(name)));
  const trap = random.pick([() => lie, mischief]);
  // As a function it is called; as a getter it is read.
  const descriptor = isFunction && name !== "constructor" ? { value: trap } : { get: trap };
  tell(`${String(name)} (${isFunction ? "function" : "getter"}), ${trap === mischief ? "mischief" : String(lie)}`);
  Object.defineProperty(object, name, { configurable: true, ...descriptor });
  return () => {
    if (before === undefined) Reflect.deleteProperty(object, name);
    else Object.defineProperty(object, name, before);
  };
}
