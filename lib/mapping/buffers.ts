/**
 * How the ArrayBuffers over mapped memory are detached.
 *
 * @module
 */

import { isDetached } from "../../ffi/array-buffer.ts";
import { List } from "../../ffi/list.ts";
import { type ArrayBuffer, ArrayBufferPrototypeTransfer } from "../../ffi/primordials.ts";

/** Whether the runtime can detach a buffer at all. Node 20 cannot. */
export const canDetach: boolean = ArrayBufferPrototypeTransfer !== undefined;

/** Whether a buffer is detached. Before the library has detached any, that means that the user transferred it away. */
export function anyDetached(buffers: List<ArrayBuffer> | undefined): boolean {
  return buffers?.some(isDetached) ?? false;
}

/** Detaches buffers. Returns those that the runtime does not detach: all in Node 20, and in Bun those that it is using. */
export function detachAll(buffers: List<ArrayBuffer>): List<ArrayBuffer> | undefined {
  let attached: List<ArrayBuffer> | undefined;
  buffers.each((buffer) => {
    if (!isDetached(buffer)) ArrayBufferPrototypeTransfer?.(buffer, 0);
    if (isDetached(buffer)) return;
    attached ??= new List();
    attached.add(buffer);
  });
  return attached;
}
