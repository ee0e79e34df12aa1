/**
 * The running system's platform with some functions replaced, to see what the library asks of it and to make it fail.
 *
 * @module
 */

import { MMap } from "../../lib/mod.ts";
import { usePlatform } from "../../lib/platform.ts";
import type { Platform } from "../../platform/types.ts";

/** Runs `act` with a platform of which some functions are others. */
export function withPlatform<T>(change: (real: Platform) => Partial<Platform>, act: () => T): T {
  MMap.anonymous(1).close();
  const real = usePlatform(undefined) as Platform;
  usePlatform({ ...real, ...change(real) });
  try {
    return act();
  } finally {
    usePlatform(real);
  }
}

/** The same function, which records its name, and throws if that is in `refused`. */
export function recorded<P extends unknown[], R>(
  calls: string[],
  name: string,
  call: (...parameters: P) => R,
  refused?: Set<string>,
): (...parameters: P) => R {
  return (...parameters) => {
    calls.push(name);
    if (refused?.has(name)) throw new Error(`${name} was refused`);
    return call(...parameters);
  };
}
