/**
 * The library's own tables, system by system: everything that it takes from C headers.
 *
 * @module
 */

import type { Signatures } from "../../ffi/types.ts";
import * as addressWait from "../../platform/address-wait.ts";
import * as aio from "../../platform/aio.ts";
import * as darwin from "../../platform/darwin.ts";
import * as fileLock from "../../platform/file-lock.ts";
import * as freebsd from "../../platform/freebsd.ts";
import * as futex from "../../platform/futex.ts";
import * as libc from "../../platform/libc.ts";
import * as linux from "../../platform/linux.ts";
import * as linuxHeaders from "../../platform/linux-headers.ts";
import * as lockFiles from "../../platform/lock-files.ts";
import * as ofdLock from "../../platform/ofd-lock.ts";
import * as openbsd from "../../platform/openbsd.ts";
import * as posix from "../../platform/posix.ts";
import * as shmObjects from "../../platform/shm-objects.ts";
import * as sigbus from "../../platform/sigbus/mod.ts";
import { MODES, type StatusLayout } from "../../platform/status.ts";
import * as windowsErrors from "../../platform/windows/errors.ts";
import * as windowsFiles from "../../platform/windows/files.ts";
import * as windowsKernel from "../../platform/windows/kernel.ts";
import * as windowsMapping from "../../platform/windows/mapping.ts";
import * as windows from "../../platform/windows/mod.ts";
import * as windowsOwnerLocks from "../../platform/windows/owner-locks.ts";
import * as windowsViews from "../../platform/windows/views.ts";
import { constants, type Fact, field, functions, size } from "./facts.ts";

/** The functions in the tables that a module exports. */
function functionsOf(module: object): Fact[] {
  return Object.entries(module)
    .filter(([name]) => name.endsWith("SIGNATURES"))
    .flatMap(([, signatures]) => functions(signatures as Signatures));
}

function status(struct: string, prefix: string, { length, mode, size: bytes, blockSize }: StatusLayout): Fact[] {
  return [
    size(struct, length),
    field(struct, `${prefix}mode`, mode),
    field(struct, `${prefix}size`, bytes),
    ...(blockSize === undefined ? [] : [field(struct, `${prefix}blksize`, blockSize)]),
  ];
}

interface AioTable {
  readonly O_SYNC: number;
  readonly EINPROGRESS: number;
  readonly SIGEV_NONE: number;
  readonly offsetAt: number;
  readonly notifyAt: number;
}

function asynchronousIo({ O_SYNC, EINPROGRESS, SIGEV_NONE, offsetAt, notifyAt }: AioTable): Fact[] {
  return [
    ...constants({ O_SYNC, EINPROGRESS, SIGEV_NONE }),
    size("struct aiocb", aio.BLOCK),
    field("struct aiocb", "aio_fildes", { at: 0, bytes: 4 }),
    field("struct aiocb", "aio_buf", { at: 16, bytes: 8 }),
    field("struct aiocb", "aio_nbytes", { at: 24, bytes: 8 }),
    field("struct aiocb", "aio_offset", { at: offsetAt, bytes: 8 }),
    field("struct aiocb", "aio_sigevent.sigev_notify", { at: notifyAt, bytes: 4 }),
    ...functionsOf(aio),
  ];
}

const POSIX = [
  ...constants({ ...MODES, ...posix.NUMBERS, ...fileLock.NUMBERS }),
  ...functions(posix.SIGNATURES),
  ...functions(libc.SIGNATURES),
  ...functions(libc.STORE_SIGNATURES),
  ...functionsOf(fileLock),
];

function linuxFacts(arch: string): Fact[] {
  const { gnu_get_libc_version, wmemchr } = libc.WORD_SIGNATURES;
  const guarded = sigbus.CODE[arch] === undefined ? [] : guard();
  const { length, type } = linuxHeaders.statfsFor(arch);
  return [
    ...POSIX,
    ...constants(linuxHeaders.constantsFor(arch)),
    ...constants(linuxHeaders.NUMBERS),
    ...asynchronousIo(linuxHeaders.AIO),
    ...status("struct statx", "stx_", linuxHeaders.STATX),
    ...status("struct stat", "st_", linuxHeaders.statFor(arch)),
    size("struct statfs", length),
    field("struct statfs", "f_type", type),
    ...functions(linux.SIGNATURES),
    ...functions(linux.NEWER_SIGNATURES),
    ...functions({ __errno_location: linux.ERRNO_SIGNATURES.__errno_location }),
    ...functions({ ...linux.STATX_SIGNATURES, ...linux.FSTATFS_SIGNATURES, ...linux.FSTAT_SIGNATURES }),
    ...functions({ ...posix.ALLOCATE_SIGNATURES, ...libc.FAST_SIGNATURES }),
    ...functions({ gnu_get_libc_version }),
    // Elsewhere it is not called, and wchar_t may have no sign.
    ...(arch === "x64" ? functions({ wmemchr }) : []),
    ...waiting(arch),
    ...ofdLocks(ofdLock.NUMBERS, ofdLock.FLOCK),
    ...functions(ofdLock.SIGNATURES),
    ...guarded,
  ];
}

function ofdLocks(numbers: Record<string, number>, layout: typeof ofdLock.FLOCK): Fact[] {
  return [
    ...constants(numbers),
    size("struct flock", layout.length),
    field("struct flock", "l_type", { at: layout.type, bytes: 2 }),
    field("struct flock", "l_start", { at: layout.start, bytes: 8 }),
    field("struct flock", "l_len", { at: layout.len, bytes: 8 }),
  ];
}

function waiting(arch: string): Fact[] {
  const SYS_futex = futex.SYS_FUTEX[arch];
  if (SYS_futex === undefined) return [];
  // Its result, an index or -1, is read as an int on purpose: these architectures are little-endian.
  const waitv = { syscall: { ...futex.WAITV_SIGNATURES.syscall, result: "i64" } } as const;
  return [
    ...constants({ ...futex.NUMBERS, SYS_futex }),
    ...[futex.WAIT_SIGNATURES, futex.WAKE_SIGNATURES, futex.BACKGROUND_SIGNATURES, waitv].flatMap((table) =>
      functions(table),
    ),
  ];
}

/** What the SIGBUS handler needs. */
function guard(): Fact[] {
  return [
    ...constants(sigbus.NUMBERS),
    size("struct sigaction", sigbus.ACTION),
    field("struct sigaction", "sa_sigaction", { at: 0, bytes: 8 }),
    field("struct sigaction", "sa_flags", { at: 4 * sigbus.FLAGS, bytes: 4 }),
    ...functionsOf(sigbus),
  ];
}

function windowsFacts(): Fact[] {
  const numbers = Object.entries(windowsErrors.ERRORS).map(([name, { number }]) => [name, number] as const);
  const { INVALID_HANDLE_VALUE } = windowsKernel;
  const structs = {
    BY_HANDLE_FILE_INFORMATION: { ...windowsFiles.FILE_INFORMATION, bytes: 4 as const },
    SYSTEM_INFO: { ...windows.SYSTEM_INFO, bytes: 4 as const },
    WIN32_MEMORY_RANGE_ENTRY: { ...windowsMapping.MEMORY_RANGE, bytes: 8 as const },
  };
  return [
    ...constants(Object.fromEntries(numbers)),
    ...constants({ INVALID_HANDLE_VALUE, ...windowsErrors.NUMBERS, ...windowsFiles.NUMBERS, ...windowsViews.NUMBERS }),
    ...Object.entries(structs).flatMap(([struct, { length, fields, bytes }]) => [
      size(struct, length),
      ...Object.entries(fields).map(([name, at]) => field(struct, name, { at, bytes })),
    ]),
    ...functions(libc.SIGNATURES),
    ...functions(libc.STORE_SIGNATURES),
    ...constants(windowsOwnerLocks.NUMBERS),
    ...[windowsErrors, windowsFiles, windowsKernel, windowsMapping, windowsOwnerLocks, windowsViews].flatMap(
      functionsOf,
    ),
  ];
}

function umtx(): Fact[] {
  const { parameters, result } = addressWait.FREEBSD_SIGNATURES._umtx_op;
  // Its fourth parameter is a pointer, which the call uses for a length.
  const declared = parameters.map((type, index) => (index === 3 ? "pointer" : type));
  return [...constants(addressWait.FREEBSD_NUMBERS), ...functions({ _umtx_op: { parameters: declared, result } })];
}

function bsdFacts(system: typeof darwin | typeof freebsd | typeof openbsd): Fact[] {
  return [
    ...POSIX,
    ...constants({ ...system.constants, ...system.NUMBERS }),
    ...status("struct stat", "st_", system.STAT),
    ...("AIO" in system ? asynchronousIo(system.AIO) : []),
    ...functions({ ...system.SIGNATURES, fstat: posix.SHARED_SIGNATURES.fstat }),
    ...(system === freebsd ? functions(posix.ALLOCATE_SIGNATURES) : []),
    ...constants(shmObjects.NUMBERS),
    ...(system === darwin ? [] : [...constants(lockFiles.NUMBERS), ...functions(lockFiles.SIGNATURES)]),
    ...(system === openbsd ? [] : constants(addressWait.NUMBERS)),
    ...(system === darwin ? functions(addressWait.DARWIN_SIGNATURES) : []),
    // Its fcntl is variadic too.
    ...(system === darwin ? ofdLocks(ofdLock.DARWIN_NUMBERS, ofdLock.DARWIN_FLOCK) : []),
    ...(system === darwin ? identity() : []),
    ...(system === freebsd ? umtx() : []),
    // macOS has a variadic shm_open, which is passed its mode in both places where it can be.
    ...functions(system === darwin ? { shm_unlink: shmObjects.SIGNATURES.shm_unlink } : shmObjects.SIGNATURES),
    ...(system === darwin ? [] : functions(libc.FAST_SIGNATURES)),
  ];
}

function identity(): Fact[] {
  const { st_dev, st_ino } = darwin.STAT_IDENTITY;
  return [
    field("struct stat", "st_dev", { at: st_dev, bytes: 4 }),
    field("struct stat", "st_ino", { at: st_ino, bytes: 8 }),
  ];
}

const FACTS = {
  linux: linuxFacts,
  darwin: () => bsdFacts(darwin),
  freebsd: () => bsdFacts(freebsd),
  openbsd: () => bsdFacts(openbsd),
  win32: windowsFacts,
};

export type SystemName = keyof typeof FACTS;

/** All that the library takes from the headers of a system, for an architecture as `process.arch` names it. */
export function factsOf(system: SystemName, arch: string): Fact[] {
  const facts = FACTS[system](arch);
  // Several tables have the same functions.
  return [...new Map(facts.map((fact) => [fact.condition, fact])).values()];
}
