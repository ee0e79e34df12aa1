/**
 * The systems and architectures whose headers are compared, and what each system's headers are known to lack.
 *
 * @module
 */

import type { SystemName } from "./tables.ts";

export interface Target {
  /** The compiler's name for it. */
  readonly triple: string;
  /** The names that `process.platform` and `process.arch` have there. */
  readonly system: SystemName;
  readonly arch: string;
  readonly headers: Headers;
}

/** How a system's headers are read. */
export interface Headers {
  readonly includes: readonly string[];
  /** What comes before the includes. */
  readonly defines?: string;
  /** The names that these headers do not have, with the reason. */
  readonly lacking: Readonly<Record<string, string>>;
}

const POSIX = ["errno.h", "fcntl.h", "signal.h", "string.h", "stdlib.h", "unistd.h", "sys/file.h", "sys/ioctl.h"];
const MAPPING = ["sys/mman.h", "sys/stat.h"];

const LINUX = [
  ...POSIX,
  "aio.h",
  ...MAPPING,
  "sys/vfs.h",
  "linux/magic.h",
  "linux/mman.h",
  "linux/futex.h",
  "sys/syscall.h",
  "time.h",
  "limits.h",
  "sys/prctl.h",
  "wchar.h",
];

const GLIBC: Headers = {
  includes: [...LINUX, "gnu/libc-version.h"],
  // glibc's string.h overloads memchr in C++, unless the compiler is old.
  defines:
    "#define _GNU_SOURCE\n#undef __clang_major__\n#define __clang_major__ 3\n#undef __clang_minor__\n#define __clang_minor__ 0",
  lacking: {},
};

const MUSL: Headers = {
  includes: LINUX,
  defines: "#define _GNU_SOURCE",
  lacking: {
    PR_SET_VMA: "musl's sys/prctl.h is older",
    PR_SET_VMA_ANON_NAME: "musl's sys/prctl.h is older",
    gnu_get_libc_version: "glibc alone has it, and is recognized by it",
  },
};

const NEWER = "macOS 14.4 has it; the compiler's headers do not";

const DARWIN: Headers = {
  includes: [...POSIX, "aio.h", "limits.h", ...MAPPING],
  lacking: { os_sync_wait_on_address_with_timeout: NEWER, os_sync_wake_by_address_any: NEWER },
};

const FREEBSD: Headers = { includes: [...POSIX, "aio.h", ...MAPPING, "sys/umtx.h"], lacking: {} };

const OPENBSD: Headers = { includes: [...POSIX, ...MAPPING], lacking: {} };

const WINDOWS: Headers = {
  includes: ["windows.h", "string.h"],
  defines: "#define _WIN32_WINNT 0x0A00\n#define WINVER 0x0A00",
  lacking: { uv_get_osfhandle: "libuv's, exported by the runtime" },
};

const ZIG_ARCHITECTURES: Record<string, string> = {
  x64: "x86_64",
  arm64: "aarch64",
  riscv64: "riscv64",
  ppc64: "powerpc64le",
  loong64: "loongarch64",
  s390x: "s390x",
};

function targets(system: SystemName, name: string, architectures: readonly string[], headers: Headers): Target[] {
  return architectures.map((arch) => ({ triple: `${ZIG_ARCHITECTURES[arch]}-${name}`, system, arch, headers }));
}

const LINUX_ARCHITECTURES = Object.keys(ZIG_ARCHITECTURES);
const X64_AND_ARM64 = ["x64", "arm64"];

export const TARGETS: readonly Target[] = [
  ...targets("linux", "linux-gnu", LINUX_ARCHITECTURES, GLIBC),
  ...targets("linux", "linux-musl", LINUX_ARCHITECTURES, MUSL),
  ...targets("darwin", "macos", X64_AND_ARM64, DARWIN),
  ...targets("win32", "windows-gnu", X64_AND_ARM64, WINDOWS),
  ...targets("freebsd", "freebsd", X64_AND_ARM64, FREEBSD),
  ...targets("openbsd", "openbsd", X64_AND_ARM64, OPENBSD),
];
