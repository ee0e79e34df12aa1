/**
 * What the runtimes' files share: trying one library name after the other.
 *
 * @module
 */

import { FfiUnavailable } from "./types.ts";

/**
 * Gives what `open` returns for the first library that it does not throw for.
 *
 * @throws {FfiUnavailable} None is left: what `open` threw for the last one.
 */
export function openFirst<T>(libraries: readonly string[], open: (library: string) => T): T {
  let failure: unknown;
  for (let index = 0; index < libraries.length; index++) {
    try {
      return open(libraries[index] as string);
    } catch (error) {
      failure = error;
    }
  }
  if (failure instanceof FfiUnavailable) throw failure;
  throw new FfiUnavailable(`C's functions are not to be had from ${libraries.join(", ")}: ${failure}`);
}
