/**
 * Lets `instanceof` hold for objects of another copy of the library: a program may import the ES module in one place and
 * require the CommonJS build in another.
 *
 * Anybody can forge a brand. It says what an object is to a reader of errors, and never decides about memory.
 *
 * @module
 */

const { [Symbol.hasInstance]: isOrdinaryInstance } = Function.prototype;
const { apply } = Reflect;

/** Makes `instanceof` hold for the instances of every class that is branded by the same name. Not for subclasses of it. */
export function brand(Class: { prototype: object }, name: string): void {
  const key = Symbol.for(`mmap-ffi.${name}`);
  Object.defineProperty(Class.prototype, key, { value: true });
  Object.defineProperty(Class, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      if (apply(isOrdinaryInstance, this as () => void, [value])) return true;
      return this === Class && typeof value === "object" && value !== null && key in value;
    },
  });
}
