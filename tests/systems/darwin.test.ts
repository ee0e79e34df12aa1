/**
 * macOS, call by call, against Apple's headers and manual pages.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errorFactory } from "../../lib/errors.ts";
import { MMap, type MMapOptions } from "../../lib/mod.ts";
import { darwinPlatform } from "../../platform/darwin.ts";
import { over, type Recorder, recorder, setErrno } from "../helpers/recorder.ts";
import { NAMES_OTHER_ERRORS, refuses, rejects, thrown, unless } from "../helpers/support.ts";
import { assertCalls, darwin, darwinIntel, MAPPED, mapped, played } from "../helpers/systems.ts";

const test = suite("systems/darwin");
const posix = unless(NAMES_OTHER_ERRORS, test);

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

test("macOS on Apple silicon: the calls of open, flush, madvise, resize, size and close", () => {
  assertCalls(darwin, {
    start: ["__error()", "sysconf(29)"],
    open: [
      "fstat(9, &memory[144])",
      "dup(9)",
      // bsd/sys/filio.h: `#define FIOCLEX _IO('f', 1) /* set close on exec on fd */`; bsd/sys/ioccom.h: _IO is IOC_VOID,
      // 0x20000000, or 'f' << 8 or 1: "no parameters".
      "ioctl(20, 0x20006601)",
      // mmap(2): "EINVAL: The offset argument was not page-aligned"; PROT_READ | PROT_WRITE, MAP_SHARED.
      "mmap(0, 32768, 3, 1, 20, 0)",
    ],
    // sys/mman.h: MS_SYNC is 0x10. The address is where a page begins. fcntl(2): "F_FULLFSYNC: Does the same thing as fsync(2)
    // then asks the drive to flush all buffered data to the permanent storage device (arg is ignored)." sys/fcntl.h: 51.
    flush: ["msync(0x100004000, 626, 16)", "fcntl(20, 51)"],
    advise: ["madvise(0x100004000, 3616, 3)"],
    // There is no mremap: the file is mapped anew, and what was mapped goes. A file grows before and shrinks after.
    grow: [
      "fstat(20, &memory[144])",
      "ftruncate(20, 40000)",
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
    open: ["fstat$INODE64(9, &memory[144])", "dup(9)", "ioctl(20, 0x20006601)", "mmap(0, 20480, 3, 1, 20, 0)"],
    flush: ["msync(0x100004000, 626, 16)", "fcntl(20, 51)"],
    advise: ["madvise(0x100001000, 15904, 3)"],
    grow: [
      "fstat$INODE64(20, &memory[144])",
      "ftruncate(20, 40000)",
      "mmap(0, 40960, 3, 1, 20, 0)",
      "munmap(0x100000000, 20480)",
    ],
    shrink: ["fstat$INODE64(20, &memory[144])", "ftruncate(20, 10000)", "munmap(0x100103000, 28672)"],
    size: ["fstat$INODE64(20, &memory[144])"],
    close: ["munmap(0x100100000, 12288)", "close(20)"],
  });
});

test("flush() ignores a refused F_FULLFSYNC, and new MMap() closes a descriptor that ioctl refuses", () => {
  const ffi = played(darwin, 20_000);
  // fcntl(2): F_FULLFSYNC "is currently implemented on HFS, MS-DOS (FAT), UDF and APFS". ENOTSUP is 45.
  ffi.play({ fcntl: () => -1 });
  setErrno(ffi, 45);
  over(darwin.open, ffi, () => {
    const mm = new MMap(9, 0, { access: "write" });
    mm.flush();
    mm.close();
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

posix("flush() and flushAsync() report that the drive could not write its cache", async () => {
  const ffi = played(darwin, 20_000);
  const flushed = over(darwin.open, ffi, async () => {
    const mm = new MMap(9, 0, { access: "write" });
    ffi.play({
      fcntl: () => {
        // EIO is 5.
        setErrno(ffi, 5);
        return -1;
      },
      malloc: () => 0x7000,
    });
    refuses("EIO", () => mm.flush(), "fcntl");
    await rejects("EIO", mm.flushAsync(), "fcntl");
    mm.close();
  });
  await flushed;
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

test("open, resize() and flush() of maps that do not write to a file wait for no drive", () => {
  const ffi = played(darwin, 20_000);
  over(darwin.open, ffi, () => {
    using shared = new MMap(9, 0, { access: "write" });
    shared.resize(40_000);
    shared.flush(0, 100, { flags: 1 });
    using reader = new MMap(9, 0, { access: "read" });
    reader.flush();
    using copy = new MMap(9, 0, { access: "copy" });
    copy.flush();
    assert.not.ok(ffi.take().includes("fcntl(20, 51)"));
  });
});

/** A played macOS with a file of `size` bytes that others truncate, mapped and then looked at by `act`. */
function overFile(size: number, options: MMapOptions, act: (mm: MMap, file: { size: number }, ffi: Recorder) => void) {
  const file = { size };
  const ffi = played(darwin, size);
  ffi.play({
    memcpy: (target: Uint8Array) => {
      target.fill(0);
      return 0;
    },
    fstat: (_descriptor: number, status: Uint8Array) => {
      const memory = new DataView(status.buffer);
      memory.setUint16(darwin.modeAt, 0o100644, LITTLE_ENDIAN);
      memory.setBigInt64(darwin.sizeAt, BigInt(file.size), LITTLE_ENDIAN);
      return 0;
    },
  });
  over(darwin.open, ffi, () => {
    using mm = new MMap(9, 0, options);
    ffi.take();
    act(mm, file, ffi);
  });
}

const queries = (ffi: Recorder) => ffi.take().filter((call) => call.startsWith("fstat")).length;

test("guarded is true for maps for reading and private copies of a file, which XNU fills with zeros", () => {
  // bsd/kern/kern_mman.c: "MAP_RESILIENT_MEDIA is not valid with MAP_SHARED because there is no place to inject zero-filled
  // pages without actually adding them to the file. [...] let's keep ignoring MAP_RESILIENT_MEDIA in that case." With MAP_ANON:
  // EINVAL.
  const MAP_PRIVATE_AND_RESILIENT = 0x4002;
  for (const [options, isGuarded] of [
    [{ access: "read" }, true],
    [{ access: "copy" }, true],
    [{ flags: MAP_PRIVATE_AND_RESILIENT }, true],
    [{ flags: 0x4001 }, false],
    [{ access: "write" }, false],
    [{}, false],
    [{ prot: 1 }, false],
    [{ access: "read", guard: false }, false],
    // There is no descriptor to ask for the size by.
    [{ access: "read", trackfd: false }, false],
  ] as [MMapOptions, boolean][]) {
    overFile(20_000, options, (mm) => assert.is(mm.guarded, isGuarded, JSON.stringify(options)));
  }
  assert.is(mapped(darwin, { access: "read", guard: false }), "mmap(0, 32768, 3, 66, 20, 0)");
  const ffi = played(darwin, 0);
  over(darwin.open, ffi, () => {
    using mm = MMap.anonymous(10, { access: "copy" });
    assert.is(mm.guarded, false);
    assert.ok(ffi.take().includes("mmap(0, 16384, 3, 4098, -1, 0)"));
  });
});

test("open() maps without MAP_RESILIENT_MEDIA where the kernel refuses it for memory that can be written", () => {
  // macOS 10.15, bsd/kern/kern_mman.c: `if (prot & (VM_PROT_WRITE | VM_PROT_EXECUTE)) return EPERM;`, which is 1.
  const ffi = played(darwin, 20_000);
  ffi.play({
    mmap: (_address: number, _length: number, _prot: number, flags: number) => {
      if ((flags & 0x4000) === 0) return MAPPED;
      setErrno(ffi, 1);
      return -1;
    },
  });
  over(darwin.open, ffi, () => {
    const maps = () => {
      ffi.take();
      using mm = new MMap(9, 0, { access: "read" });
      assert.is(mm.guarded, false);
      return ffi.take().filter((call) => call.startsWith("mmap"));
    };
    assert.equal(maps(), ["mmap(0, 32768, 3, 16450, 20, 0)", "mmap(0, 32768, 3, 66, 20, 0)"]);
    assert.equal(maps(), ["mmap(0, 32768, 3, 66, 20, 0)"]);
  });
});

test("methods of a guarded map compare their range with the size of the file", () => {
  overFile(40_000, { access: "read" }, (mm, file) => {
    assert.is(mm.read(40_000).length, 40_000);
    mm.seek(0);
    assert.is(mm.faults, 0);
    // One byte of the second page is left, and so all of that page.
    file.size = 16_385;
    assert.is(mm.slice(0, 32_768).length, 32_768);
    for (const act of [
      () => mm.slice(0, 32_769),
      () => mm.at(32_768),
      () => mm[39_999],
      () => mm.read(),
      () => mm.find("x"),
      () => mm.rfind("x"),
      () => mm.text(),
      () => mm.search(/x/, 20_000),
      () => mm.prefault(),
    ]) {
      refuses("ERR_MMAP_TRUNCATED", act, "index 32768");
    }
    assert.is(mm.tell(), 0);
    assert.is(mm.faults, 1);
    // Pages that were zeros once stay zeros.
    file.size = 40_000;
    refuses("ERR_MMAP_TRUNCATED", () => mm.slice(0, 40_000), "index 32768");
    assert.is(mm.slice(0, 32_768).length, 32_768);
    mm.remap();
    assert.is(mm.slice().length, 40_000);
    assert.is(mm.faults, 0);
  });
});

test("an offset of a guarded map counts from the beginning of the file", () => {
  overFile(60_000, { access: "copy", offset: 17_000 }, (mm, file) => {
    file.size = 33_000;
    // The page from 32768 on is still there: it ends at 49152.
    assert.is(mm.slice(0, 49_152 - 17_000).length, 32_152);
    refuses("ERR_MMAP_TRUNCATED", () => mm.slice(0, 49_153 - 17_000), "index 32152");
    refuses("ERR_MMAP_TRUNCATED", () => mm.write(new Uint8Array(32_153)));
    file.size = 0;
    refuses("ERR_MMAP_TRUNCATED", () => mm.at(0), "index 0");
  });
});

test("single bytes of a guarded map ask for the size once in 256 zeros of a page, and for other bytes never", () => {
  overFile(100_000, { access: "read" }, (mm, file, ffi) => {
    for (let index = 0; index < 32_768; index++) assert.is(mm.readByte(), 0);
    const asked = queries(ffi);
    assert.ok(asked >= 32_768 / 4096 && asked <= 2 * (32_768 / 256), `${asked} queries`);
    file.size = 0;
    let read = 0;
    refuses("ERR_MMAP_TRUNCATED", () => {
      for (; read < 1000; read++) mm.readByte();
    });
    assert.ok(read < 256, `${read} zeros were read`);
  });
  overFile(100_000, { access: "copy" }, (mm, _file, ffi) => {
    new Uint8Array(ffi.view(MAPPED, 114_688)).fill(97);
    ffi.play({
      memcpy: (target: Uint8Array) => {
        target.fill(97);
        return 0;
      },
    });
    for (let index = 0; index < 10_000; index++) assert.is(mm.readByte(), 97);
    assert.is(mm.read(10)[9], 97);
    assert.is(queries(ffi), 0);
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
