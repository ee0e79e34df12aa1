/**
 * Android, in Termux for example: Linux's kernel with Android's C library, bionic.
 *
 * @see https://android.googlesource.com/platform/bionic/+/refs/heads/main/docs/status.md
 * @module
 */

import { arch } from "../ffi/builtins.ts";
import type { Ffi } from "../ffi/types.ts";
import { type CLibrary, linuxPlatform } from "./linux.ts";
import { constantsFor } from "./linux-headers.ts";
import type { Constants, ErrorFactory, Platform } from "./types.ts";

/** The architectures with 64-bit addresses that Android runs on. */
export const architectures: readonly string[] = ["x64", "arm64", "riscv64"];

/** The kernel's constants, and bionic's own number in bits/sysconf.h. */
function androidConstants(architecture: string): CLibrary["constants"] {
  return { ...constantsFor(architecture), _SC_PAGESIZE: 39 };
}

/** The running architecture's constants. */
export const constants: Constants = androidConstants(arch);

export function androidPlatform(ffi: Ffi, errors: ErrorFactory, architecture: string = arch): Platform {
  const linux = linuxPlatform(ffi, errors, architecture, {
    libraries: ["libc.so"],
    errno: "__errno",
    constants: androidConstants(architecture),
    // bionic has no asynchronous I/O, and its struct sigaction begins with the flags.
    aio: undefined,
    canGuard: false,
  });
  // Android kills a process that makes a system call that apps may not make, such as futex_waitv.
  return { ...linux, waiting: undefined };
}
