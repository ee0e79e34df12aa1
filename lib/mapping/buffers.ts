/**
 * The ArrayBuffers over a mapping that the user was given, and how they are detached.
 *
 * @module
 */

import { apply } from "../../ffi/engine.ts";
import { ArrayBuffer } from "../../ffi/primordials.ts";
import { isDetached } from "../../platform/bytes.ts";

/** A linked list of buffers. Not an array: a replaced Array.prototype.push would decide which are detached. */
export interface BufferList {
  readonly buffer: ArrayBuffer;
  readonly next: BufferList | undefined;
}

const transfer = (ArrayBuffer.prototype as { transfer?: (length: number) => ArrayBuffer }).transfer;

/** Whether the runtime can detach a buffer at all. Node 20 cannot. */
export const canDetach: boolean = transfer !== undefined;

/** Whether a buffer is detached. Before the library has detached any, that means that the user transferred it away. */
export function anyDetached(buffers: BufferList | undefined): boolean {
  for (let one = buffers; one !== undefined; one = one.next) if (isDetached(one.buffer)) return true;
  return false;
}

/** Detaches buffers. Returns those that the runtime does not detach: all in Node 20, and in Bun those that it is using. */
export function detachAll(buffers: BufferList | undefined): BufferList | undefined {
  let attached: BufferList | undefined;
  for (let one = buffers; one !== undefined; one = one.next) {
    if (transfer !== undefined && !isDetached(one.buffer)) apply(transfer, one.buffer, [0]);
    if (!isDetached(one.buffer)) attached = { buffer: one.buffer, next: attached };
  }
  return attached;
}
