/**
 * What is made on first use.
 *
 * @module
 */

/** A function that calls `make` the first time, and then returns the same. If `make` throws, the next call tries again. */
export function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
