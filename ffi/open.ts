/**
 * What the runtimes' files share: trying one library name after the other.
 *
 * @module
 */

/** Gives what `open` returns for the first library that it does not throw for; throws the last error otherwise. */
export function openFirst<T>(libraries: readonly string[], open: (library: string) => T): T {
  let failure: unknown;
  for (const library of libraries) {
    try {
      return open(library);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
