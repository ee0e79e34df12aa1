/**
 * Opens the first library of several that exists. The runtimes' files share this.
 *
 * @module
 */

import { FfiUnavailable } from "./types.ts";

/**
 * Returns what `open` returns for the first library for which it does not throw.
 *
 * @throws {FfiUnavailable} `open` threw for all of them. The message has the last error.
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
  throw new FfiUnavailable(`cannot load the C library: tried ${libraries.join(", ")}: ${failure}`);
}
