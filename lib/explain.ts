/**
 * Says why a file could not be mapped, and what to do instead.
 *
 * @module
 */

import type { Stats } from "node:fs";
import { builtins } from "../ffi/builtins.ts";
import { Uint8Array } from "../ffi/primordials.ts";
import { MMapError, type MMapErrorDetails, show } from "./errors.ts";

/** Numbers that are the same on every POSIX system. */
const ENODEV = 19;
const EISDIR = 21;

const UNMAPPABLE = ", like those of /proc and /sys: read it with readFileSync()";

/** Adds to the error of mapping a descriptor what is wrong with its file. Other errors are returned unchanged. */
export function explain(error: unknown, descriptor: number, path: string | undefined): unknown {
  if (descriptor === -1) return error;
  if (mayBeUnsized(error) && hasNoSize(descriptor)) {
    const details = { code: "ENODEV", errno: ENODEV, syscall: "mmap", cause: error };
    return withReason(
      new MMapError("mmap: no such device (ENODEV)", details),
      `the file has no size and cannot be mapped${UNMAPPABLE}`,
      path,
    );
  }
  if (!(error instanceof MMapError) || error.errno === undefined) return error;
  const { code } = error;
  if (code === "EBADF") return withReason(error, `descriptor ${descriptor} is not open`, path);
  const status = statusOf(descriptor);
  if (status?.isDirectory()) {
    const details = { ...error, code: "EISDIR", errno: EISDIR, cause: error };
    return withReason(new MMapError(`${error.syscall}: is a directory (EISDIR)`, details), "", path);
  }
  const kind = status && kindOf(status);
  if (kind !== undefined) return withReason(error, `a ${kind} cannot be mapped: read it with node:fs`, path);
  if (!status?.isFile()) return error;
  if (code === "EACCES" && readByte(descriptor) === undefined) {
    const advice = 'open the file with "r", or with "r+" to write to the map';
    return withReason(error, `the descriptor is not open for reading, which every map needs: ${advice}`, path);
  }
  return code === "ENODEV" ? withReason(error, `the file cannot be mapped${UNMAPPABLE}`, path) : error;
}

/** The same error with a reason, instead of one that its message may have already. */
function withReason(error: MMapError, reason: string, path: string | undefined): MMapError {
  const { message, code } = error;
  const system = message.slice(0, message.indexOf(`(${code})`) + code.length + 2);
  const file = path === undefined ? "" : `, ${show(path)}`;
  const details: MMapErrorDetails = { ...error, cause: error.cause };
  if (path !== undefined) details.path = path;
  return new MMapError(`${system}${file}${reason && ": "}${reason}`, details);
}

function statusOf(descriptor: number): Stats | undefined {
  try {
    return builtins().fstatSync(descriptor);
  } catch {
    // Deno on Windows knows nothing of the descriptor.
    return undefined;
  }
}

function kindOf(status: Stats): string | undefined {
  if (status.isFIFO()) return "FIFO";
  if (status.isSocket()) return "socket";
  // Some devices can be mapped.
  return status.isCharacterDevice() ? "character device of this kind" : undefined;
}

/** Whether an error may be that of a file without a size: files of /proc fail with any of these. */
function mayBeUnsized(error: unknown): boolean {
  return (
    error instanceof RangeError || (error instanceof MMapError && (error.code === "ENODEV" || error.code === "EIO"))
  );
}

/** Whether a file has bytes although its size is 0, like most of /proc. */
function hasNoSize(descriptor: number): boolean {
  const status = statusOf(descriptor);
  return status?.isFile() === true && status.size === 0 && readByte(descriptor) === 1;
}

/** Reads one byte, without moving the position. Returns how many were read, or `undefined` if that failed. */
function readByte(descriptor: number): number | undefined {
  try {
    return builtins().readSync(descriptor, new Uint8Array(1), 0, 1, 0);
  } catch {
    return undefined;
  }
}
