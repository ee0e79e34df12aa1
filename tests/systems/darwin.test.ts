/**
 * macOS, call by call, against Apple's headers and manual pages.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errorFactory } from "../../lib/errors.ts";
import { MMap } from "../../lib/mod.ts";
import { darwinPlatform } from "../../platform/darwin.ts";
import { over, recorder, setErrno } from "../helpers/recorder.ts";
import { thrown } from "../helpers/support.ts";
import { assertCalls, darwin, darwinIntel, MAPPED, played } from "../helpers/systems.ts";

const test = suite("systems/darwin");

test("macOS on Apple silicon: the calls of open, flush, madvise, resize, size and close", () => {
  assertCalls(darwin, {
    start: ["__error()", "sysconf(29)"],
    open: [
      "fstat(9, &memory[144])",
      "dup(9)",
      // bsd/sys/filio.h: `#define FIOCLEX _IO('f', 1) /* set close on exec on fd */`; bsd/sys/ioccom.h: _IO is IOC_VOID,
      // 0x20000000, or 'f' << 8 or 1: "no parameters".
      "ioctl(20, 0x20006601)",
      // fcntl(2): "F_FULLFSYNC: Does the same thing as fsync(2) then asks the drive to flush all buffered data to the permanent
      // storage device (arg is ignored)." sys/fcntl.h: 51. Python's mmap page: the file "is internally automatically
      // synchronized with the physical backing store on macOS".
      "fcntl(20, 51)",
      // mmap(2): "EINVAL: The offset argument was not page-aligned"; PROT_READ | PROT_WRITE, MAP_SHARED.
      "mmap(0, 32768, 3, 1, 20, 0)",
    ],
    // sys/mman.h: MS_SYNC is 0x10. The address is where a page begins.
    flush: ["msync(0x100004000, 626, 16)"],
    advise: ["madvise(0x100004000, 3616, 3)"],
    // There is no mremap: the file is mapped anew, and what was mapped goes. A file grows before and shrinks after.
    grow: [
      "fstat(20, &memory[144])",
      "ftruncate(20, 40000)",
      "fcntl(20, 51)",
      "mmap(0, 49152, 3, 1, 20, 0)",
      "munmap(0x100000000, 32768)",
    ],
    shrink: ["fstat(20, &memory[144])", "ftruncate(20, 10000)", "munmap(0x100104000, 32768)"],
    size: ["fstat(20, &memory[144])"],
    close: ["munmap(0x100100000, 16384)", "close(20)"],
  });
});

test("macOS on Intel: the calls of open, flush, madvise, resize, size and close", () => {
  assertCalls(darwinIntel, {
    start: ["__error()", "sysconf(29)"],
    open: [
      "fstat$INODE64(9, &memory[144])",
      "dup(9)",
      "ioctl(20, 0x20006601)",
      "fcntl(20, 51)",
      "mmap(0, 20480, 3, 1, 20, 0)",
    ],
    flush: ["msync(0x100004000, 626, 16)"],
    advise: ["madvise(0x100001000, 15904, 3)"],
    grow: [
      "fstat$INODE64(20, &memory[144])",
      "ftruncate(20, 40000)",
      "fcntl(20, 51)",
      "mmap(0, 40960, 3, 1, 20, 0)",
      "munmap(0x100000000, 20480)",
    ],
    shrink: ["fstat$INODE64(20, &memory[144])", "ftruncate(20, 10000)", "munmap(0x100103000, 28672)"],
    size: ["fstat$INODE64(20, &memory[144])"],
    close: ["munmap(0x100100000, 12288)", "close(20)"],
  });
});

test("new MMap() ignores a refused F_FULLFSYNC, and closes a descriptor that ioctl refuses", () => {
  const ffi = played(darwin, 20_000);
  // fcntl(2): F_FULLFSYNC "is currently implemented on HFS, MS-DOS (FAT), UDF and APFS".
  ffi.play({ fcntl: () => -1 });
  over(darwin.open, ffi, () => {
    new MMap(9, 0, { access: "read" }).close();
    ffi.play({
      ioctl: () => {
        setErrno(ffi, 9);
        return -1;
      },
    });
    ffi.take();
    assert.is((thrown(() => new MMap(9, 0)) as Error & { syscall: string }).syscall, "ioctl");
    assert.equal(ffi.take().slice(-2), ["ioctl(20, 0x20006601)", "close(20)"]);
  });
});

/** C's variadic functions, with the number of their named parameters. */
const NAMED: Record<string, number> = {
  fcntl: 2,
  ioctl: 2,
  open: 2,
  openat: 3,
  shm_open: 2,
  sem_open: 2,
  semctl: 3,
  syscall: 1,
  mremap: 4,
};

test("resize() within the mapped pages waits for no disk", () => {
  const ffi = played(darwin, 20_000);
  over(darwin.open, ffi, () => {
    using mm = new MMap(9, 0, { access: "write" });
    ffi.take();
    mm.resize(20_001);
    assert.not.ok(ffi.take().includes("fcntl(20, 51)"));
    mm.resize(40_000);
    assert.ok(ffi.take().includes("fcntl(20, 51)"));
  });
});

test("no signature passes a variadic argument", () => {
  // Apple's document on its arm64 ABI: variadic arguments are passed on the stack, where others expect them in registers.
  for (const { open, stat } of [darwin, darwinIntel]) {
    const ffi = recorder();
    open(ffi, errorFactory);
    const names = ffi.opened.flatMap(({ signatures }) => Object.keys(signatures));
    for (const name of ["mmap", "munmap", "msync", "madvise", "ftruncate", "close", stat])
      assert.ok(names.includes(name));
    for (const { signatures } of ffi.opened) {
      for (const [name, { parameters }] of Object.entries(signatures)) {
        const named = NAMED[name] ?? parameters.length;
        assert.ok(parameters.length <= named, `${name} is passed ${parameters.length - named} variadic arguments`);
      }
    }
  }
});

test("findLastBytes() of one byte uses memchr, because macOS has no memrchr", () => {
  const content = new Uint8Array(3_000_000).fill(1);
  for (let index = 0; index < content.length; index += 4099) content[index] = 2;
  content[0] = 7;
  content[1_234_567] = 8;
  content[2_999_999] = 9;
  const ffi = played(darwin, 0);
  ffi.play({
    memchr: (address: number, byte: number, length: number) => {
      const at = content.subarray(address - MAPPED, address - MAPPED + length).indexOf(byte);
      return at === -1 ? 0 : address + at;
    },
  });
  const platform = darwinPlatform(ffi, errorFactory, "arm64");
  for (const byte of [1, 2, 3, 7, 8, 9]) {
    for (const [start, end] of [
      [0, 3_000_000],
      [1, 2_999_999],
      [1_234_567, 1_234_568],
      [4098, 4100],
    ] as const) {
      ffi.take();
      const wanted = content.subarray(start, end).lastIndexOf(byte);
      assert.is(
        platform.findLastBytes(MAPPED + start, end - start, Uint8Array.of(byte)),
        wanted,
        `${byte} from ${start} to ${end}`,
      );
      assert.ok(ffi.take().length < 40);
    }
  }
});

test.run();
