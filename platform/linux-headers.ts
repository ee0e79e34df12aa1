/**
 * What Linux's headers say: numbers and layouts, for each architecture that the library supports. `npm run test:headers`
 * compares them with the headers of glibc and musl.
 *
 * @module
 */

import { ObjectKeys } from "../ffi/primordials.ts";
import type { Field, StatusLayout } from "./status.ts";
import type { Constants } from "./types.ts";

/** From asm-generic/mman.h, asm-generic/mman-common.h and linux/mman.h of the kernel's uapi headers. */
const COMMON = {
  PROT_NONE: 0x0,
  PROT_READ: 0x1,
  PROT_WRITE: 0x2,
  PROT_EXEC: 0x4,
  MAP_SHARED: 0x01,
  MAP_PRIVATE: 0x02,
  MAP_SHARED_VALIDATE: 0x03,
  MAP_FIXED: 0x10,
  MAP_ANON: 0x20,
  MAP_ANONYMOUS: 0x20,
  MAP_GROWSDOWN: 0x100,
  MAP_DENYWRITE: 0x800,
  MAP_EXECUTABLE: 0x1000,
  MAP_LOCKED: 0x2000,
  MAP_NORESERVE: 0x4000,
  MAP_POPULATE: 0x8000,
  MAP_NONBLOCK: 0x10000,
  MAP_STACK: 0x20000,
  MAP_HUGETLB: 0x40000,
  MAP_SYNC: 0x80000,
  MAP_FIXED_NOREPLACE: 0x100000,
  MAP_HUGE_SHIFT: 26,
  MADV_NORMAL: 0,
  MADV_RANDOM: 1,
  MADV_SEQUENTIAL: 2,
  MADV_WILLNEED: 3,
  MADV_DONTNEED: 4,
  MADV_FREE: 8,
  MADV_REMOVE: 9,
  MADV_DONTFORK: 10,
  MADV_DOFORK: 11,
  MADV_MERGEABLE: 12,
  MADV_UNMERGEABLE: 13,
  MADV_HUGEPAGE: 14,
  MADV_NOHUGEPAGE: 15,
  MADV_DONTDUMP: 16,
  MADV_DODUMP: 17,
  MADV_WIPEONFORK: 18,
  MADV_KEEPONFORK: 19,
  MADV_COLD: 20,
  MADV_PAGEOUT: 21,
  MADV_POPULATE_READ: 22,
  MADV_POPULATE_WRITE: 23,
  MADV_DONTNEED_LOCKED: 24,
  MADV_COLLAPSE: 25,
  MADV_HWPOISON: 100,
  MADV_SOFT_OFFLINE: 101,
  MS_ASYNC: 0x1,
  MS_INVALIDATE: 0x2,
  MS_SYNC: 0x4,
  _SC_PAGESIZE: 30,
};

export type LinuxConstants = typeof COMMON & Constants;

/** An architecture's own constants, where they are not the common ones. */
const OWN: Readonly<Record<string, Constants>> = {
  // The x86 architecture alone has MAP_32BIT.
  x64: { MAP_32BIT: 0x40 },
  arm64: {},
  riscv64: {},
  loong64: {},
  s390x: {},
  ppc64: { MAP_NORESERVE: 0x40, MAP_LOCKED: 0x80 },
};

/** The architectures whose numbers are known, by their names in `process.arch`. */
export const architectures: readonly string[] = ObjectKeys(OWN);

/** The constants of an architecture. */
export function constantsFor(arch: string): LinuxConstants {
  return { ...COMMON, ...OWN[arch] };
}

/** Numbers that only the library uses, from sys/mman.h, fcntl.h, linux/stat.h, errno.h, linux/magic.h and linux/prctl.h. */
export const NUMBERS = {
  EINVAL: 22,
  ENOMEM: 12,
  MREMAP_MAYMOVE: 1,
  MREMAP_FIXED: 2,
  MFD_CLOEXEC: 1,
  MLOCK_ONFAULT: 1,
  F_DUPFD_CLOEXEC: 1030,
  AT_EMPTY_PATH: 0x1000,
  STATX_TYPE: 0x1,
  STATX_SIZE: 0x200,
  HUGETLBFS_MAGIC: 0x958458f6,
  PR_SET_VMA: 0x53564d41,
  PR_SET_VMA_ANON_NAME: 0,
} as const;

/** From glibc's and musl's aio.h, fcntl.h and bits/siginfo.h. */
export const AIO = { O_SYNC: 0x101000, EINPROGRESS: 115, SIGEV_NONE: 1, offsetAt: 128, notifyAt: 44 } as const;

/** `struct statx` is the same on every architecture. */
export const STATX: StatusLayout = {
  name: "statx",
  length: 256,
  mode: { at: 28, bytes: 2 },
  size: { at: 40, bytes: 8 },
  blockSize: { at: 4, bytes: 4 },
};

/** `struct stat`, which differs, of an architecture. */
export function statFor(arch: string): StatusLayout {
  const hasLongLinkCount = arch === "x64" || arch === "ppc64" || arch === "s390x";
  return {
    name: "fstat",
    length: 144,
    mode: { at: hasLongLinkCount ? 24 : 16, bytes: 4 },
    size: { at: 48, bytes: 8 },
    blockSize: { at: arch === "s390x" ? 104 : 56, bytes: hasLongLinkCount ? 8 : 4 },
  };
}

/** The part of `struct statfs` that is read, of an architecture: `f_type`, which comes first. */
export function statfsFor(arch: string): { length: number; type: Field } {
  return { length: 128, type: { at: 0, bytes: arch === "s390x" ? 4 : 8 } };
}
