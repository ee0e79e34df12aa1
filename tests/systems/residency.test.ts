/**
 * lock(), unlock(), residency() and prefault(), call by call, on each POSIX system.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { over, setErrno } from "../helpers/recorder.ts";
import { NAMES_OTHER_ERRORS, refuses, unless } from "../helpers/support.ts";
import { darwin, freebsd, linux, MAPPED, openbsd, playBlocks, played, type System } from "../helpers/systems.ts";

const test = suite("systems/residency");

/** What the calls that bring pages into memory ask a system for, on a file that is mapped for reading. */
function inMemory(system: System): Record<string, string[]> {
  const ffi = played(system, 200_000);
  return over(system.open, ffi, () => {
    const take = (act: () => unknown) => {
      ffi.take();
      act();
      return ffi.take();
    };
    using mm = new MMap(9, 0, { access: "read", guard: false });
    return {
      lock: take(() => mm.lock(70_000, 10)),
      unlock: take(() => mm.unlock(70_000, 10)),
      residency: take(() => (system === openbsd ? undefined : mm.residency(70_000, 10))),
      prefault: take(() => mm.prefault(70_000, 10)),
    };
  });
}

test("lock(), unlock(), residency() and prefault() on Linux call mlock2, mincore and madvise", () => {
  assert.equal(inMemory(linux), {
    // mlock2(2): MLOCK_ONFAULT "Lock pages that are currently resident and mark the entire range so that the remaining
    // nonresident pages are locked when they are populated by a page fault"; it is 1. madvise(2): MADV_POPULATE_READ is 22.
    lock: ["mlock2(0x100011000, 378, 1)", "madvise(0x100011000, 378, 22)"],
    unlock: ["munlock(0x100011000, 378)"],
    // mincore(2): "The vec argument must point to an array containing at least (length+PAGE_SIZE-1) / PAGE_SIZE bytes."
    residency: ["mincore(0x100011000, 378, &memory[1])"],
    prefault: ["madvise(0x100011000, 378, 22)"],
  });
  const ffi = played(linux, 0);
  over(linux.open, ffi, () => {
    using mm = MMap.anonymous(10_000, { access: "copy" });
    ffi.take();
    mm.lock();
    mm.prefault(4096, 1, { write: true });
    // MADV_POPULATE_WRITE is 23.
    assert.equal(ffi.take(), ["mlock(0x100000000, 10000)", "madvise(0x100001000, 1, 23)"]);
  });
});

test("lock(), unlock(), residency() and prefault() on macOS, FreeBSD and OpenBSD call mlock and read the pages", () => {
  for (const system of [darwin, freebsd, openbsd]) {
    const { lock, unlock, residency, prefault } = inMemory(system);
    const lead = 70_000 % system.page;
    const range = `0x${(MAPPED + 70_000 - lead).toString(16)}, ${lead + 10}`;
    const touched = `memcpy(&memory[10], 0x${(MAPPED + 70_000).toString(16)}, 10)`;
    assert.equal(lock, [`mlock(${range})`, touched]);
    assert.equal(unlock, [`munlock(${range})`]);
    // OpenBSD 6.5 removed mincore.
    assert.equal(residency, system === openbsd ? [] : [`mincore(${range}, &memory[1])`]);
    assert.equal(prefault, [touched]);
  }
});

test("lock() undoes itself where the pages cannot be brought in, however many mappings there are", () => {
  const ffi = played(linux, 200_000);
  const unlocked: unknown[][] = [];
  // The system refuses to change a part of a mapping when there are many.
  const open: System["open"] = (...opened) => ({
    ...linux.open(...opened),
    unlock(...range) {
      unlocked.push(range);
      if (range[2]) throw new Error("too many mappings");
    },
  });
  over(open, ffi, () => {
    using mm = new MMap(9, 0, { access: "read", guard: false });
    ffi.play({ madvise: () => -1 });
    setErrno(ffi, 5);
    assert.throws(
      () => mm.lock(70_000, 10),
      (error: Error) => error.message.startsWith("madvise"),
    );
    assert.equal(unlocked, [[0x100011000, 378]]);
  });
});

test("residency() takes the lowest bit of what mincore says", () => {
  // mincore(2) of macOS and FreeBSD: MINCORE_INCORE 0x1, MINCORE_REFERENCED 0x2, MINCORE_MODIFIED 0x4,
  // MINCORE_REFERENCED_OTHER 0x8, MINCORE_MODIFIED_OTHER 0x10. Of Linux: "The settings of the other bits in each byte are
  // undefined".
  for (const system of [darwin, freebsd, linux]) {
    const ffi = played(system, 5 * system.page);
    ffi.play({
      mincore: (_address: number, _length: number, pages: Uint8Array) => {
        pages.set([0, 1, 0x1e, 0x1f, 0x61]);
        return 0;
      },
    });
    over(system.open, ffi, () => {
      using mm = new MMap(9, 0, { access: "read", guard: false });
      assert.equal(mm.residency(), { pages: Uint8Array.of(0, 1, 0, 1, 1), resident: 3 });
    });
  }
});

test("residency() of an empty range asks the system nothing", () => {
  const ffi = played(linux, 200_000);
  over(linux.open, ffi, () => {
    using mm = new MMap(9, 0, { access: "read", guard: false });
    ffi.take();
    assert.equal(mm.residency(70_000, 0), { pages: new Uint8Array(0), resident: 0 });
    assert.equal(ffi.take(), []);
  });
});

// aio.h of glibc and of musl: aio_fildes, aio_lio_opcode, aio_reqprio (4 bytes each), aio_buf (at 16), aio_nbytes (at 24),
// aio_sigevent (64 bytes, at 32), 32 bytes of its own, aio_offset (at 128). sys/aio.h of macOS and FreeBSD: aio_fildes, aio_offset
// (at 8), aio_buf (at 16), aio_nbytes (at 24).
for (const [name, system, offsetAt] of [
  ["Linux", linux, 128],
  ["macOS", darwin, 8],
  ["FreeBSD", freebsd, 8],
] as const) {
  test(`prefaultAsync() on ${name} reads by aio_read, and faults in what was read`, async () => {
    const size = 2 ** 34;
    const ffi = played(system, size);
    const blocks: BigInt64Array[] = [];
    playBlocks(ffi, (block) => {
      if (blocks.length === 0) blocks.push(new BigInt64Array(block.buffer));
    });
    const promise = over(system.open, ffi, () => {
      const mm = new MMap(9, 0, { access: "read", guard: false });
      ffi.take();
      return mm.prefaultAsync(size - 20_000, 10_000);
    });
    await promise;
    const calls = ffi.take().filter((call) => !/^(fcntl|dup|ioctl)/.test(call));
    assert.equal(calls.slice(0, 6), [
      "malloc(10256)",
      "memcpy(28672, &memory[256], 256)",
      "aio_read(28672)",
      "aio_error(28672)",
      "aio_return(28672)",
      "free(28672)",
    ]);
    assert.match(calls[6] as string, system === linux ? /^madvise\(0x4fff/ : /^memcpy\(&memory\[10000\], 0x4ff/);
    assert.equal(calls.slice(7), ["close(31)"]);
    const [block] = blocks as [BigInt64Array];
    assert.equal([block[2], block[3], block[offsetAt / 8]], [BigInt(28_672 + 256), 10_000n, BigInt(size - 20_000)]);
    assert.is(Number((block[0] as bigint) & 0xffff_ffffn), 31);
  });
}

const posix = unless(NAMES_OTHER_ERRORS, test);

posix("residency() and prefault() say what a system lacks; prefault() reads the pages on Linux before 5.14", () => {
  const ffi = played(openbsd, 20_000);
  over(openbsd.open, ffi, () => {
    using mm = new MMap(9, 0, { access: "write" });
    ffi.take();
    refuses(TypeError, () => mm.residency(), "residency", "mincore");
    refuses(TypeError, () => mm.prefault(0, 1, { write: true }), "write", "MADV_POPULATE_WRITE");
    assert.equal(ffi.take(), []);
  });
  const old = played(linux, 3_000_000);
  old.play({
    madvise: () => {
      // EINVAL: "advice is not a valid."
      setErrno(old, 22);
      return -1;
    },
  });
  over(linux.open, old, () => {
    using mm = new MMap(9, 0, { access: "write", guard: false });
    old.take();
    mm.prefault();
    assert.equal(old.take().slice(1), [
      "memcpy(&memory[1048576], 0x100000000, 0x100000)",
      "memcpy(&memory[1048576], 0x100100000, 0x100000)",
      "memcpy(&memory[902848], 0x100200000, 0xdc6c0)",
    ]);
    refuses(TypeError, () => mm.prefault(0, 1, { write: true }), "MADV_POPULATE_WRITE");
  });
});

posix("prefault() reports what madvise says of memory that the kernel may not access", () => {
  // madvise(2), MADV_POPULATE_WRITE: "EINVAL: advice is MADV_POPULATE_READ or MADV_POPULATE_WRITE, and addr, length ... contains
  // secret memory regions created using memfd_secret(2)". An empty range tells that from an unknown advice.
  const ffi = played(linux, 20_000);
  ffi.play({
    madvise: (_address: number, length: number) => {
      setErrno(ffi, 22);
      return length === 0 ? 0 : -1;
    },
  });
  over(linux.open, ffi, () => {
    using mm = new MMap(9, 0, { access: "write", guard: false });
    ffi.take();
    refuses("EINVAL", () => mm.prefault(0, 1, { write: true }), "madvise");
    assert.equal(ffi.take(), ["madvise(0x100000000, 1, 23)", "madvise(0x100000000, 0, 23)"]);
    mm.prefault(0, 1);
    assert.equal(ffi.take(), ["madvise(0x100000000, 1, 22)", "memcpy(&memory[1], 0x100000000, 1)"]);
  });
});

posix("lock() undoes a lock whose pages cannot be read, and each error names its call", () => {
  const ffi = played(linux, 20_000);
  const failing = (errno: number) => () => {
    setErrno(ffi, errno);
    return -1;
  };
  over(linux.open, ffi, () => {
    using mm = new MMap(9, 0, { access: "read", guard: false });
    ffi.play({ mlock2: failing(12), munlock: failing(1), mincore: failing(11) });
    refuses("ENOMEM", () => mm.lock(), "mlock2");
    refuses("EPERM", () => mm.unlock(), "munlock");
    refuses("EAGAIN", () => mm.residency(), "mincore");
    ffi.play({ mlock2: () => 0, munlock: () => 0, madvise: failing(133) });
    ffi.take();
    // EHWPOISON: a page is broken.
    refuses("E133", () => mm.lock(), "madvise");
    assert.equal(ffi.take(), [
      "mlock2(0x100000000, 20000, 1)",
      "madvise(0x100000000, 20000, 22)",
      "munlock(0x100000000, 20000)",
    ]);
    // EFAULT where the file has all of the range: the disk.
    ffi.play({ madvise: failing(14) });
    refuses("EFAULT", () => mm.prefault(), "madvise");
  });
});

test.run();
