/**
 * Anonymous memory, call by call, on each POSIX system.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap, type MMapOptions } from "../../lib/mod.ts";
import { over } from "../helpers/recorder.ts";
import { darwin, freebsd, linux, openbsd, played, type System } from "../helpers/systems.ts";

const test = suite("systems/anonymous");

// mm/mremap.c: "Don't allow remap expansion, because the underlying hugetlb reservation is not yet split to handle expansion".
test("resize() on Linux copies private huge pages, which mremap does not extend", () => {
  const flags = 0x40002 | (21 << 26);
  const ffi = played(linux, 0);
  over(linux.open, ffi, () => {
    const mm = MMap.anonymous(10, { flags });
    ffi.take();
    mm.resize(2 ** 21 + 1);
    const joined = `0x${(flags | 0x20).toString(16)}`;
    assert.equal(ffi.take(), [
      `mmap(0, 0x400000, 3, ${joined}, -1, 0)`,
      "memmove(0x100100000, 0x100000000, 10)",
      "munmap(0x100000000, 0x200000)",
    ]);
    mm.close();
  });
});

/** What an anonymous map asks a system for: to be made, to be given more memory, and to be closed. */
function anonymous(system: System, options?: MMapOptions): Record<string, string[]> {
  const ffi = played(system, 0);
  return over(system.open, ffi, () => {
    ffi.take();
    const mm = MMap.anonymous(5000, options);
    const open = ffi.take();
    mm.resize(50_000);
    const grow = ffi.take();
    mm.close();
    return { open, grow, close: ffi.take() };
  });
}

test("anonymous() on macOS maps memory without a descriptor, and resize() copies it", () => {
  assert.equal(anonymous(darwin), {
    // MAP_ANON | MAP_SHARED is 0x1001. mmap(2): "the file descriptor [...] can be specified as -1".
    open: ["mmap(0, 16384, 3, 4097, -1, 0)"],
    // shm_open(2): `int shm_open(const char *name, int oflag, ...)`: its mode would be a variadic argument.
    grow: ["mmap(0, 0x10000, 3, 4097, -1, 0)", "memmove(0x100100000, 0x100000000, 5000)", "munmap(0x100000000, 16384)"],
    close: ["munmap(0x100100000, 0x10000)"],
  });
});

test("anonymous() on FreeBSD maps a shared memory object without a name", () => {
  assert.equal(anonymous(freebsd), {
    open: [
      // shm_open(2): "the constant SHM_ANON may be used for the path argument to shm_open(). In this case, an anonymous, unnamed
      // shared memory object is created"; "The new descriptor is set to close during execve(2)". sys/mman.h: `#define SHM_ANON ((char *)1)`. O_RDWR
      // is 2, 0600 is 384.
      "shm_open(1, 2, 384)",
      "ftruncate(21, 5000)",
      "mmap(0, 8192, 3, 1, 21, 0)",
    ],
    grow: [
      "fstat(21, &memory[224])",
      "ftruncate(21, 50000)",
      "mmap(0, 53248, 3, 1, 21, 0)",
      "munmap(0x100000000, 8192)",
    ],
    close: ["munmap(0x100100000, 53248)", "close(21)"],
  });
});

test("anonymous() on OpenBSD maps a shared memory object and removes its name at once", () => {
  assert.equal(anonymous(openbsd), {
    open: [
      // shm_open(3): "If a temporary shared memory object is desired, the shm_mkstemp() function should be preferred [...] The
      // template argument is a string with at least six trailing Xs"; shm_unlink(): "The object is not freed until all
      // references to it have been released". lib/libc/gen/shm_open.c: `flags |= O_CLOEXEC | O_NOFOLLOW`.
      "shm_mkstemp(&memory[21])",
      "shm_unlink(&memory[21])",
      "ftruncate(21, 5000)",
      "mmap(0, 8192, 3, 1, 21, 0)",
    ],
    grow: [
      "fstat(21, &memory[128])",
      "ftruncate(21, 50000)",
      "mmap(0, 53248, 3, 1, 21, 0)",
      "munmap(0x100000000, 8192)",
    ],
    close: ["munmap(0x100100000, 53248)", "close(21)"],
  });
});

test("resize() copies private anonymous memory where there is no mremap", () => {
  // MAP_ANON | MAP_PRIVATE is 0x1002.
  for (const system of [freebsd, openbsd]) {
    assert.equal(anonymous(system, { flags: 2 }), {
      open: ["mmap(0, 8192, 3, 4098, -1, 0)"],
      grow: ["mmap(0, 53248, 3, 4098, -1, 0)", "memmove(0x100100000, 0x100000000, 5000)", "munmap(0x100000000, 8192)"],
      close: ["munmap(0x100100000, 53248)"],
    });
  }
});

// Huge pages come from a pool of their own, without a memfd. MAP_HUGETLB | MAP_SHARED is 0x40001, and the power of two in the
// bits from 26 on is the size of the pages. A machine's default is one of these at most.
for (const power of [16, 21, 30]) {
  test(`resize() on Linux copies shared memory that has no descriptor, by huge pages of 2 ** ${power} bytes`, () => {
    const flags = 0x40001 | (power << 26);
    const [one, two] = [`0x${(2 ** power).toString(16)}`, `0x${(2 * 2 ** power).toString(16)}`];
    const joined = `0x${(flags | 0x20).toString(16)}`;
    const ffi = played(linux, 0);
    over(linux.open, ffi, () => {
      ffi.take();
      const mm = MMap.anonymous(10, { flags });
      assert.equal(ffi.take(), [`mmap(0, ${one}, 3, ${joined}, -1, 0)`]);
      mm.resize(50_000);
      // The page has room for it.
      assert.equal(ffi.take(), []);
      mm.resize(2 ** power + 1);
      assert.equal(ffi.take(), [
        `mmap(0, ${two}, 3, ${joined}, -1, 0)`,
        "memmove(0x100100000, 0x100000000, 50000)",
        `munmap(0x100000000, ${one})`,
      ]);
      mm.close();
      assert.equal(ffi.take(), [`munmap(0x100100000, ${two})`]);
    });
  });
}

test("resize() clears the rest of the last page of memory that belongs to no file", () => {
  for (const [system, options] of [
    [darwin, {}],
    [darwin, { flags: 2 }],
    [freebsd, { flags: 2 }],
    [openbsd, { flags: 2 }],
  ] as const) {
    const ffi = played(system, 0);
    over(system.open, ffi, () => {
      using mm = MMap.anonymous(1000, options);
      ffi.take();
      mm.resize(5);
      const rest = system.page - 5;
      assert.is(ffi.take().at(-1), `memmove(0x100000005, &memory[${rest}], ${rest})`);
    });
  }
});

test.run();
