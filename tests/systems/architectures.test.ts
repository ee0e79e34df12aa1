/**
 * Linux on architectures that differ, and Android, call by call.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Ffi, Signatures } from "../../ffi/types.ts";
import { MMap } from "../../lib/mod.ts";
import { androidPlatform } from "../../platform/android.ts";
import { linuxPlatform } from "../../platform/linux.ts";
import { over, type Recorder } from "../helpers/recorder.ts";
import { refuses } from "../helpers/support.ts";
import { assertCalls, linux, played, type System } from "../helpers/systems.ts";

const test = suite("systems/architectures");

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Linux on an architecture. */
function linuxOn(arch: string): System {
  return { ...linux, open: (ffi, errors) => linuxPlatform(ffi, errors, arch) };
}

/** Plays a C library without some functions. */
function without(ffi: Recorder, ...names: string[]): Recorder {
  const open = ffi.open as (libraries: readonly string[], signatures: Signatures) => ReturnType<Ffi["open"]>;
  ffi.open = ((libraries: readonly string[], signatures: Signatures) => {
    const missing = names.find((name) => name in signatures);
    if (missing !== undefined) throw new Error(`Symbol not found: ${missing}`);
    return open(libraries, signatures);
  }) as Ffi["open"];
  return ffi;
}

test("open() for reading on Linux uses the architecture's MAP_NORESERVE", () => {
  const flagsOf = (arch: string) => {
    const system = linuxOn(arch);
    const ffi = played(system, 20_000);
    return over(system.open, ffi, () => {
      ffi.take();
      new MMap(9, 0, { access: "read", guard: false }).close();
      return ffi.take().find((call) => call.startsWith("mmap"));
    });
  };
  // arch/powerpc/include/uapi/asm/mman.h: `#define MAP_NORESERVE 0x40`; asm-generic/mman.h: 0x4000. MAP_PRIVATE is 2.
  for (const arch of ["x64", "arm64", "riscv64", "loong64", "s390x"]) {
    assert.is(flagsOf(arch), "mmap(0, 20480, 3, 16386, 20, 0)", arch);
  }
  assert.is(flagsOf("ppc64"), "mmap(0, 20480, 3, 66, 20, 0)");
});

/**
 * struct stat, from glibc's bits/struct_stat.h of each architecture. st_mode has 32 bits, st_size 64. st_blksize is an int of 32
 * bits in the generic structure, and a long elsewhere.
 */
const STAT: Record<string, { mode: number; size: number; blockSize: number; isLong: boolean }> = {
  x64: { mode: 24, size: 48, blockSize: 56, isLong: true },
  arm64: { mode: 16, size: 48, blockSize: 56, isLong: false },
  riscv64: { mode: 16, size: 48, blockSize: 56, isLong: false },
  loong64: { mode: 16, size: 48, blockSize: 56, isLong: false },
  ppc64: { mode: 24, size: 48, blockSize: 56, isLong: true },
  s390x: { mode: 24, size: 48, blockSize: 104, isLong: true },
};

for (const [arch, { mode, size, blockSize, isLong }] of Object.entries(STAT)) {
  test(`size() on ${arch} without statx reads all of each field of its struct stat`, () => {
    const system = linuxOn(arch);
    const ffi = without(played(system, 0), "statx");
    ffi.play({
      // Every field in the machine's byte order, between bytes that belong to others.
      fstat: (_descriptor: number, bytes: Uint8Array) => {
        const memory = new DataView(bytes.fill(0xff).buffer);
        memory.setUint32(mode, 0o100644, LITTLE_ENDIAN);
        memory.setBigInt64(size, 2n ** 40n + 5n, LITTLE_ENDIAN);
        if (isLong) memory.setBigInt64(blockSize, 4096n, LITTLE_ENDIAN);
        else memory.setInt32(blockSize, 4096, LITTLE_ENDIAN);
        return 0;
      },
    });
    over(system.open, ffi, (platform) => {
      assert.equal(platform.status(9), { regular: true, size: 2 ** 40 + 5, hugePageSize: undefined });
      assert.not.ok(ffi.take().some((call) => call.startsWith("fstatfs")));
    });
  });
}

test("open() on s390x reads the 32 bits that its struct statfs has for f_type", () => {
  for (const [arch, isLong] of [
    ["s390x", false],
    ["x64", true],
    ["ppc64", true],
  ] as const) {
    const system = linuxOn(arch);
    const ffi = played(system, 0);
    ffi.play({
      statx: (...values: (number | Uint8Array)[]) => {
        const memory = new DataView((values.at(-1) as Uint8Array).buffer);
        memory.setUint32(4, 2 ** 21, LITTLE_ENDIAN);
        memory.setUint16(28, 0o100644, LITTLE_ENDIAN);
        return 0;
      },
      fstatfs: (_descriptor: number, bytes: Uint8Array) => {
        const memory = new DataView(bytes.fill(0xff).buffer);
        // include/uapi/linux/magic.h: HUGETLBFS_MAGIC.
        if (isLong) memory.setBigInt64(0, 0x958458f6n, LITTLE_ENDIAN);
        else memory.setUint32(0, 0x958458f6, LITTLE_ENDIAN);
        return 0;
      },
    });
    over(system.open, ffi, (platform) => assert.is(platform.status(9).hugePageSize, 2 ** 21, arch));
  }
});

test("mutexes have no locks of owners on s390x, whose struct flock is big-endian", () => {
  for (const [arch, has] of [
    ["x64", true],
    ["ppc64", true],
    ["s390x", false],
  ] as const) {
    const system = linuxOn(arch);
    over(system.open, played(system, 0), (platform) => assert.is(platform.ownerLocks !== undefined, has, arch));
  }
  const s390x = linuxOn("s390x");
  over(s390x.open, played(s390x, 4096), () => {
    using mm = new MMap(9, 0, { access: "write", guard: false });
    refuses(TypeError, () => mm.mutex(0), "mutex() is not supported on this system");
  });
});

// bionic, libc/include/bits/sysconf.h: _SC_PAGESIZE 0x0027. errno.h: `int* __errno(void); #define errno (*__errno())`. The file
// name of the library is libc.so.
const android: System = {
  ...linux,
  open: (ffi, errors) => androidPlatform(ffi, errors, "arm64"),
  pageName: 39,
  errno: "__errno",
};

test("Android: the calls of open, flush, madvise, resize, size and close", () => {
  assertCalls(android, {
    start: ["__errno()", "sysconf(39)"],
    open: ["statx(9, &memory[1], 4096, 513, &memory[256])", "fcntl(9, 1030, 0)", "mmap(0, 20480, 3, 1, 20, 0)"],
    flush: ["msync(0x100004000, 626, 4)"],
    advise: ["madvise(0x100001000, 15904, 3)"],
    grow: [
      "statx(20, &memory[1], 4096, 513, &memory[256])",
      "ftruncate(20, 40000)",
      "mmap(0, 40960, 3, 1, 20, 0)",
      "munmap(0x100000000, 20480)",
    ],
    shrink: ["statx(20, &memory[1], 4096, 513, &memory[256])", "ftruncate(20, 10000)", "munmap(0x100103000, 28672)"],
    size: ["statx(20, &memory[1], 4096, 513, &memory[256])"],
    close: ["munmap(0x100100000, 12288)", "close(20)"],
  });
});

test("Android loads libc.so alone, and installs no SIGBUS handler: its struct sigaction is another", async () => {
  const ffi = played(android, 20_000);
  await over(android.open, ffi, async () => {
    using mm = new MMap(9, 0, { access: "write" });
    assert.is(mm.guarded, false);
    // Apps that make a system call which the seccomp filter of Android does not know are ended: futex_waitv, for one.
    mm.notify(0);
    assert.not.ok(ffi.take().some((call) => call.startsWith("syscall")));
    // bionic has no aio.h.
    await mm.flushAsync(0, 100);
    assert.equal(ffi.take(), ["fcntl(20, 1030, 0)", "msync(0x100000000, 100, 4)", "close(20)"]);
  });
  assert.equal([...new Set(ffi.opened.map(({ libraries }) => libraries.join()))], ["libc.so"]);
  assert.not.ok(
    ffi.opened.some(
      ({ signatures }) => "syscall" in signatures || "sigaction" in signatures || "aio_fsync" in signatures,
    ),
  );
});

test("Android before version 11 has no statx, memfd_create and mlock2", () => {
  const older: System = { ...android, stat: "fstat", modeAt: 16, sizeAt: 48 };
  const ffi = without(played(older, 20_000), "statx", "memfd_create", "mlock2");
  over(older.open, ffi, () => {
    using file = new MMap(9, 0, { access: "read" });
    assert.is(file.size(), 20_000);
    ffi.take();
    file.lock();
    assert.ok(ffi.take().includes("mlock(0x100000000, 20000)"));
    using memory = MMap.anonymous(5000);
    assert.is(memory.fd, -1);
    // MAP_SHARED | MAP_ANONYMOUS.
    assert.equal(ffi.take(), ["mmap(0, 8192, 3, 33, -1, 0)"]);
    memory.resize(50_000);
    assert.equal(ffi.take(), [
      "mmap(0, 53248, 3, 33, -1, 0)",
      "memmove(0x100200000, 0x100100000, 5000)",
      "munmap(0x100100000, 8192)",
    ]);
  });
});

test.run();
