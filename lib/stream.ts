/**
 * The bytes of a map as a web stream of copies.
 *
 * @module
 */

import { builtins } from "../ffi/builtins.ts";
import { MathMin } from "../ffi/primordials.ts";
import type { Memory } from "./mapping/memory.ts";

/** The class `ReadableStream`, if the program's types have it: the types of the language alone do not. */
export type ByteStream = typeof globalThis extends { ReadableStream: { prototype: infer T } } ? T : never;

/** The length of each copy, in bytes. */
const BLOCK = 64 * 1024;

/** `memoryOf` returns the map's present memory, and refers to the map, so that it is not finalized while it is read. */
export function stream(memoryOf: () => Memory, start: number, end: number): ByteStream {
  let next = start;
  let source: (() => Memory) | undefined = memoryOf;
  const ReadableStream = builtins().ReadableStream();
  const bytes = new ReadableStream(
    {
      // Without reading ahead, so that the bytes are those of the time when they are asked for. An error here errors the stream.
      pull(controller) {
        const memory = source?.();
        const stop = MathMin(end, memory?.length ?? 0);
        if (memory !== undefined && next < stop) {
          const length = MathMin(BLOCK, stop - next);
          const block = memory.read(next, next + length);
          next += length;
          controller.enqueue(block);
        }
        if (next >= stop) controller.close();
      },
      cancel() {
        source = undefined;
      },
    },
    { highWaterMark: 0 },
  );
  return bytes as unknown as ByteStream;
}
