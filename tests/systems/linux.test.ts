/**
 * Linux, call by call, against its headers and manual pages.
 *
 * @module
 */

import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openFirst } from "../../ffi/open-library.ts";
import { errorFactory } from "../../lib/errors.ts";
import { MMap } from "../../lib/mod.ts";
import { librariesFor, linuxPlatform } from "../../platform/linux.ts";
import type { Remapping } from "../../platform/types.ts";
import { over, setErrno } from "../helpers/recorder.ts";
import { NAMES_OTHER_ERRORS, newFile, refuses, thrown, unless, WINDOWS } from "../helpers/support.ts";
import { assertCalls, linux, MAPPED, played, type System } from "../helpers/systems.ts";

const test = suite("systems/linux");

test("Linux: the calls of open, flush, madvise, resize, size and close", () => {
  assertCalls(linux, {
    start: ["__errno_location()", "sysconf(30)"],
    open: [
      // statx(2): AT_EMPTY_PATH is 0x1000; STATX_TYPE | STATX_SIZE is 0x201.
      "statx(9, &memory[1], 4096, 513, &memory[256])",
      // fcntl(2), F_DUPFD_CLOEXEC: 1030.
      "fcntl(9, 1030, 0)",
      "mmap(0, 20480, 3, 1, 20, 0)",
    ],
    flush: ["msync(0x100004000, 626, 4)"],
    advise: ["madvise(0x100001000, 15904, 3)"],
    // mremap(2), EFAULT: "you specified ... an address range that spans several mappings". Advice on a part may have made
    // several of it.
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

test("resize() on Linux maps anew after advice on a part or unlock(), which may have split the mapping", () => {
  const parts: [name: string, act: (mm: MMap) => void, call: string][] = [
    ["nothing", () => {}, "mremap"],
    ["advice on all", (mm) => mm.madvise(3), "mremap"],
    ["advice on all, by its length", (mm) => mm.madvise(3, 0, 20_000), "mremap"],
    ["advice on the start", (mm) => mm.madvise(3, 0, 4096), "mmap"],
    ["advice on the end", (mm) => mm.madvise(3, 4096), "mmap"],
    ["unlock()", (mm) => mm.unlock(0, 4096), "mmap"],
    ["unlock() of all", (mm) => mm.unlock(), "mmap"],
  ];
  for (const [name, act, call] of parts) {
    const ffi = played(linux, 20_000);
    over(linux.open, ffi, () => {
      using mm = new MMap(9, 0, { access: "write", guard: false });
      act(mm);
      ffi.take();
      mm.resize(40_000);
      const calls = ffi.take().filter((one) => /^(mmap|mremap)/.test(one));
      assert.equal(
        calls.map((one) => one.replace(/\(.*/, "")),
        [call],
        name,
      );
    });
  }
});

test("open() on Linux with reserve allocates the blocks from the offset to the end of the file", () => {
  const reserved = (offset: number, length?: number): string[] => {
    const ffi = played(linux, 20_000);
    return over(linux.open, ffi, () => {
      const path = newFile("");
      MMap.open(path, { access: "write", offset, length, reserve: true, guard: false }).close();
      return ffi
        .take()
        .filter((call) => call.startsWith("posix_fallocate"))
        .map((call) => call.replace(/^[^,]*, /, ""));
    });
  };
  assert.equal(reserved(0), ["0, 20000)"]);
  assert.equal(reserved(4096), ["4096, 15904)"]);
  assert.equal(reserved(4096, 100), ["4096, 100)"]);
  // Of nothing, the map itself says why it cannot be.
  refuses(RangeError, () => reserved(20_000), "offset");
});

test("anonymous() on Linux with MAP_HUGETLB rounds up to the machine's huge pages", () => {
  const file = "/proc/meminfo";
  const known = existsSync(file) ? /^Hugepagesize:\s+(\d+) kB$/m.exec(readFileSync(file, "latin1"))?.[1] : undefined;
  const page = known === undefined ? 2 ** 21 : 1024 * Number(known);
  const ffi = played(linux, 0);
  over(linux.open, ffi, () => {
    ffi.take();
    // MAP_HUGETLB | MAP_PRIVATE.
    MMap.anonymous(page + 1, { flags: 0x40002 }).close();
    assert.match(ffi.take()[0] as string, new RegExp(`^mmap\\(0, 0x${(2 * page).toString(16)}, `));
  });
});

const limit = existsSync("/proc/sys/vm/max_map_count")
  ? Number(readFileSync("/proc/sys/vm/max_map_count", "latin1"))
  : Number.POSITIVE_INFINITY;

unless(limit > 1_000_000 && "the system's limit is too far away", test)(
  "map() leaves 4,096 of the mappings of a process to the runtime",
  () => {
    // Documentation/admin-guide/sysctl/vm.rst: max_map_count "contains the maximum number of memory map areas a process may
    // have".
    const ffi = played(linux, 4096);
    const platform = linuxPlatform(ffi, errorFactory);
    const remapping = platform.remapping as Remapping;
    // What a move replaces, or a move that fails leaves to be unmapped, counts no more.
    ffi.play({ mremap: () => -1 });
    for (let failed = 0; failed < 10; failed++) {
      const reserved = remapping.reserve(4096);
      assert.throws(() => remapping.move(MAPPED, 4096, reserved, 4096), "mremap");
      platform.unmap(reserved, 4096);
    }
    ffi.play({ mremap: () => MAPPED });
    for (let moved = 0; moved < 10; moved++) remapping.move(MAPPED, 4096, remapping.reserve(4096), 4096);
    const request = { descriptor: 9, access: "read", prot: undefined, flags: undefined, tagname: undefined } as const;
    const page = { descriptor: 9, length: 4096, offset: 0, protection: platform.protection(request) };
    for (let made = 0; made < limit - 4096; made++) platform.map(page);
    refuses("ENOMEM", () => platform.map(page), "vm.max_map_count", String(limit));
    platform.unmap(MAPPED, 4096);
    platform.map(page);
    refuses("ENOMEM", () => platform.map(page));
    // The kernel joins retired neighbours, so the process's mappings are counted; these are few, because a recorder makes none.
    platform.retire?.(MAPPED, 4096, false);
    platform.map(page);
  },
);

test("retire() maps an empty file where a guard provides zeros, and anonymous memory elsewhere", () => {
  const ffi = played(linux, 4096);
  const descriptors = [-1, 21];
  const { open } = ffi;
  ffi.open = (libraries, signatures) => {
    const functions = open(libraries, signatures);
    if (!("memfd_create" in signatures)) return functions;
    const memfdCreate = () => descriptors.shift() as number;
    return { ...functions, memfd_create: memfdCreate } as typeof functions;
  };
  const platform = linuxPlatform(ffi, errorFactory, "x64");
  platform.guard?.(MAPPED, 4096);
  const retire = (address: number, guarded: boolean) => {
    ffi.take();
    platform.retire?.(address, 8192, guarded);
    return ffi.take();
  };
  // mmap(2): PROT_READ | PROT_WRITE is 3; MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE is 0x4032.
  const anonymous = (address: string) => [`mmap(${address}, 8192, 3, ${0x4032}, -1, 0)`];
  assert.equal(retire(MAPPED, false), anonymous("0x100000000"));
  assert.equal(descriptors.length, 2);
  // No memfd could be made.
  assert.equal(retire(MAPPED, true), anonymous("0x100000000"));
  // MAP_SHARED | MAP_FIXED | MAP_NORESERVE is 0x4011. The file is made once.
  for (const address of ["0x100000000", "0x100002000"])
    assert.equal(retire(Number(address), true), [`mmap(${address}, 8192, 3, ${0x4011}, 21, ${address})`]);
  assert.equal(descriptors, []);
  assert.equal(retire(MAPPED, false), anonymous("0x100000000"));
  ffi.play({ mmap: () => -1 });
  for (const guarded of [false, true]) assert.match(thrown(() => retire(MAPPED, guarded)).message, "mmap");
});

test("retire() closes an empty file when another thread has shared one meanwhile", () => {
  const ffi = played(linux, 4096);
  const { view } = ffi;
  // The guard's table is mapped first. The descriptor that the threads share is its word 4, less 1.
  const table = new ArrayBuffer(2 ** 22);
  ffi.view = (address, length) => (address === MAPPED ? table : view(address, length));
  ffi.play({
    memfd_create: () => {
      new Int32Array(table)[4] = 31;
      return 21;
    },
  });
  const platform = linuxPlatform(ffi, errorFactory, "x64");
  platform.guard?.(MAPPED, 4096);
  ffi.take();
  platform.retire?.(MAPPED, 8192, true);
  assert.equal(ffi.take().slice(-2), ["close(21)", `mmap(0x100000000, 8192, 3, ${0x4011}, 30, 0x100000000)`]);
});

test("librariesFor() names glibc first and then musl", () => {
  assert.equal(librariesFor("x64"), ["libc.so.6", "libc.musl-x86_64.so.1", "/lib/ld-musl-x86_64.so.1"]);
  assert.equal(librariesFor("arm64"), ["libc.so.6", "libc.musl-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"]);
  for (const present of librariesFor("x64")) {
    const tried: string[] = [];
    const opened = openFirst(librariesFor("x64"), (library) => {
      tried.push(library);
      if (library !== present) throw new Error(`${library}: cannot open shared object file`);
      return library;
    });
    assert.is(opened, present);
    assert.equal(tried, librariesFor("x64").slice(0, librariesFor("x64").indexOf(present) + 1));
  }
});

test("functions that glibc lacks are not taken from a musl that is installed beside it", () => {
  const ffi = played(linux, 20_000);
  const { open } = ffi;
  const opened = new Set<string>();
  ffi.open = (libraries, signatures) => {
    const [library] = libraries as [string];
    if (library === "libc.so.6" && "memfd_create" in signatures) throw new Error("Symbol not found: memfd_create");
    for (const name of libraries) opened.add(name);
    return open(libraries, signatures);
  };
  over(linux.open, ffi, () => {
    using mm = new MMap(9, 0, { access: "read", guard: false });
    assert.is(mm.size(), 20_000);
  });
  assert.equal([...opened], ["libc.so.6"]);
});

test("size() calls fstat where the C library has no statx", () => {
  // bits/stat.h in Debian's musl-dev 1.2.3. For x86_64: dev_t, ino_t, nlink_t (8 bytes each), mode_t (4, at 24), uid_t, gid_t,
  // __pad0 (4 each), dev_t (8), off_t st_size (at 48): 144 in all. For aarch64: dev_t, ino_t (8 each), mode_t (4, at 16),
  // nlink_t, uid_t, gid_t (4 each), dev_t, __pad (8 each), off_t st_size (at 48): 128 in all.
  const musl: System = { ...linux, stat: "fstat", modeAt: process.arch === "x64" ? 24 : 16, sizeAt: 48 };
  const ffi = played(musl, 20_000);
  const { open } = ffi;
  ffi.open = (libraries, signatures) => {
    if ("statx" in signatures) throw new Error("Symbol not found: statx");
    return open(libraries, signatures);
  };
  over(musl.open, ffi, () => {
    ffi.take();
    using mm = new MMap(9, 0, { access: "read", guard: false });
    assert.is(mm.size(), 20_000);
    assert.equal(ffi.take(), [
      "fstat(9, &memory[144])",
      "fcntl(9, 1030, 0)",
      "mmap(0, 20480, 3, 16386, 20, 0)",
      "fstat(20, &memory[144])",
    ]);
  });
});

unless(WINDOWS && "the constants are the running system's, and Windows has no MADV_REMOVE", test)(
  "madvise() does not release huge pages, which another map could take",
  () => {
    // include/uapi/asm-generic/mman-common.h: MADV_DONTNEED 4, MADV_REMOVE 9, MADV_DONTNEED_LOCKED 24, MAP_HUGETLB 0x40000.
    const ffi = played(linux, 0);
    over(linux.open, ffi, () => {
      const mm = MMap.anonymous(4096, { flags: 0x40002 | (21 << 26) });
      ffi.take();
      for (const advice of [4, 9, 24]) refuses(RangeError, () => mm.madvise(advice), "huge pages");
      assert.equal(ffi.take(), []);
      mm.close();
    });
  },
);

/** Linux with a file of 4 MiB in blocks of 2 MiB; the magic number of its file system, and what fstatfs returns. */
function playedLargeBlocks(magic: number, result: number) {
  const ffi = played(linux, 2 ** 22);
  ffi.play({
    statx: (...values: (number | Uint8Array)[]) => {
      const memory = new DataView((values.at(-1) as Uint8Array).buffer);
      memory.setUint32(4, 2 ** 21, true);
      memory.setUint16(28, 0o100644, true);
      memory.setBigInt64(40, BigInt(2 ** 22), true);
      return 0;
    },
    fstatfs: (_descriptor: number, memory: Uint8Array) => {
      new DataView(memory.buffer).setUint32(0, magic, true);
      return result;
    },
  });
  return ffi;
}

test("open() of a file on hugetlbfs maps whole huge pages, and close() unmaps them", () => {
  // include/uapi/linux/magic.h: HUGETLBFS_MAGIC is 0x958458f6. fs/hugetlbfs/inode.c: the block size is that of a huge page.
  const ffi = playedLargeBlocks(0x958458f6, 0);
  over(linux.open, ffi, () => {
    ffi.take();
    const mm = new MMap(9, 4096, { access: "write", offset: 2 ** 21 + 100, guard: false });
    assert.equal(ffi.take().slice(-1), ["mmap(0, 0x200000, 3, 1, 20, 0x200000)"]);
    mm.close();
    assert.equal(ffi.take(), ["munmap(0x100000000, 0x200000)", "close(20)"]);
  });
});

test("open() of a file whose blocks are large maps ordinary pages, unless it is on hugetlbfs", () => {
  // include/uapi/linux/magic.h: TMPFS_MAGIC is 0x01021994.
  for (const [magic, result] of [
    [0x01021994, 0],
    [0x958458f6, -1],
  ] as const) {
    const ffi = playedLargeBlocks(magic, result);
    over(linux.open, ffi, () => {
      ffi.take();
      using mm = new MMap(9, 4096, { access: "write", guard: false });
      assert.is(mm.length, 4096);
      assert.equal(ffi.take().slice(-1), ["mmap(0, 4096, 3, 1, 20, 0)"]);
    });
  }
});

test("Linux: setName() passes the region and a terminated name to prctl", () => {
  const ffi = played(linux, 0);
  const names: string[] = [];
  ffi.play({
    prctl: (...values: never[]) => {
      names.push(String.fromCharCode(...(values.at(-1) as unknown as Uint8Array)));
      return 0;
    },
  });
  over(linux.open, ffi, () => {
    using mm = MMap.anonymous(5000, { access: "copy" });
    ffi.take();
    mm.setName("cache");
    // linux/prctl.h: PR_SET_VMA is 0x53564d41, PR_SET_VMA_ANON_NAME 0. The length is that of whole pages.
    assert.equal(ffi.take(), ["prctl(0x53564d41, 0, 0x100000000, 8192, &memory[6])"]);
    assert.equal(names, ["cache\0"]);
  });
});

unless(NAMES_OTHER_ERRORS, test)("Linux: anonymous() reports that memfd_create has failed", () => {
  const ffi = played(linux, 0);
  over(linux.open, ffi, () => {
    ffi.play({ memfd_create: () => -1 });
    // errno.h: EMFILE is 24.
    setErrno(ffi, 24);
    refuses("EMFILE", () => MMap.anonymous(4096), "memfd_create");
  });
});

unless(NAMES_OTHER_ERRORS, test)("Linux: setName() says what an old kernel lacks, and no more of another error", () => {
  const ffi = played(linux, 0);
  ffi.play({ prctl: () => -1 });
  over(linux.open, ffi, () => {
    using mm = MMap.anonymous(4096, { access: "copy" });
    // errno.h: EINVAL is 22, ENOMEM 12.
    setErrno(ffi, 22);
    refuses("EINVAL", () => mm.setName("cache"), "the kernel names no memory");
    setErrno(ffi, 12);
    const { message } = thrown(() => mm.setName("cache"));
    assert.match(message, /ENOMEM/);
    assert.not.match(message, /names no memory/);
  });
});

unless(process.arch !== "x64" && "the search by words is for x64", test)(
  "Linux: prepareSearch() looks wmemchr up once, and where it is missing once too",
  () => {
    for (const missing of [false, true]) {
      const ffi = played(linux, 0);
      let looked = 0;
      const { open } = ffi;
      ffi.open = (libraries, signatures) => {
        if (!("wmemchr" in signatures)) return open(libraries, signatures);
        looked++;
        if (missing) throw new Error("no such function");
        return open(libraries, signatures);
      };
      const platform = linuxPlatform(ffi, errorFactory);
      assert.is(looked, 0);
      platform.prepareSearch();
      platform.prepareSearch();
      assert.is(looked, 1);
    }
  },
);

test.run();
