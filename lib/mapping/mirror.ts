/**
 * A second mapping of one page, for the thread that waits for a word in it: the map can be closed or resized while the kernel
 * still has the address of the word.
 *
 * @module
 */

import type { Memory } from "./memory.ts";
import { ignoreErrors } from "./region.ts";

/** The word of a map, mapped once more. */
export interface Mirror {
  readonly address: number;
  /** Unmaps it. */
  release(): void;
}

/** Maps the page of the word at an index once more. Returns undefined if the system does not support that. */
export function mirrorWord(memory: Memory, index: number): Mirror | undefined {
  const { platform, start } = memory;
  if (platform.mirror === undefined) return undefined;
  const { address: page } = memory.pages(index, 4);
  try {
    const address = platform.mirror(page);
    return {
      address: address + (start + index - page),
      // SAFETY: only the waiting thread has the address, and it is released when that has returned.
      release: () => ignoreErrors(() => platform.unmap(address, platform.pageSize)),
    };
  } catch {
    // Huge pages, or too many mappings.
    return undefined;
  }
}
