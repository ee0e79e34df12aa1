/**
 * What the POSIX systems share, call by call, on each of them. Beside each expectation stands its source.
 *
 * @module
 */

import { existsSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errorFactory } from "../../lib/errors.ts";
import { MMap } from "../../lib/mod.ts";
import { librariesFor } from "../../platform/linux.ts";
import { openPlatform } from "../../platform/mod.ts";
import { over, recorder, setErrno } from "../helpers/recorder.ts";
import { NAMES_OTHER_ERRORS, newPath, refuses, thrown, unless } from "../helpers/support.ts";
import {
  darwin,
  darwinIntel,
  freebsd,
  linux,
  MAPPED,
  mapped,
  openbsd,
  played,
  type System,
} from "../helpers/systems.ts";

const test = suite("systems/posix");

test("new MMap() maps privately for access read and copy, and aligns the offset to pages", () => {
  // MAP_PRIVATE is 2 everywhere. macOS has MAP_NORESERVE, 0x40, and MAP_RESILIENT_MEDIA, 0x4000; FreeBSD and OpenBSD have
  // neither.
  assert.is(mapped(darwin, { access: "read" }), "mmap(0, 32768, 3, 16450, 20, 0)");
  assert.is(mapped(darwin, { access: "copy" }), "mmap(0, 32768, 3, 16386, 20, 0)");
  assert.is(mapped(darwin, { access: "read", offset: 17_000 }), "mmap(0, 16384, 3, 16450, 20, 16384)");
  for (const system of [freebsd, openbsd]) {
    assert.is(mapped(system, { access: "read" }), "mmap(0, 20480, 3, 2, 20, 0)");
    assert.is(mapped(system, { access: "copy" }), "mmap(0, 20480, 3, 2, 20, 0)");
    assert.is(mapped(system, { access: "read", offset: 17_000 }), "mmap(0, 4096, 3, 2, 20, 16384)");
  }
});

test("resize() with trackfd: false is refused on every system before any call", () => {
  for (const system of [darwin, freebsd, openbsd, linux]) {
    const ffi = played(system, 20_000);
    over(system.open, ffi, () => {
      using file = new MMap(9, 0, { access: "write", trackfd: false });
      using memory = MMap.anonymous(10, { trackfd: false });
      ffi.take();
      refuses(TypeError, () => file.resize(1), "trackfd");
      refuses(TypeError, () => memory.resize(1), "trackfd");
      assert.equal(ffi.take(), []);
    });
  }
});

const posix = unless(NAMES_OTHER_ERRORS, test);

posix("resize() with reserve calls posix_fallocate on Linux and FreeBSD, which returns its error", () => {
  for (const system of [linux, freebsd]) {
    const ffi = played(system, 20_000);
    let interruptions = 2;
    // posix_fallocate(2) of FreeBSD, as its page for Linux: "It returns an error on failure, without setting errno"; EINTR is
    // 4 and ENOSPC 28 on both.
    ffi.play({ posix_fallocate: () => (interruptions-- > 0 ? 4 : 0) });
    over(system.open, ffi, () => {
      using mm = new MMap(9, 0, { access: "write", offset: 4096, guard: false });
      ffi.take();
      mm.resize(40_000, { reserve: true });
      const asked = ffi.take().filter((call) => /^(posix_f|ftrunc)/.test(call));
      const reserved = "posix_fallocate(20, 4096, 40000)";
      assert.equal(asked, ["ftruncate(20, 44096)", reserved, reserved, reserved]);
      setErrno(ffi, 12);
      ffi.play({ posix_fallocate: () => 28 });
      const error = thrown(() => mm.resize(50_000, { reserve: true })) as Error & Record<string, unknown>;
      assert.equal([error.code, error.errno, error.syscall], ["ENOSPC", 28, "posix_fallocate"]);
      assert.equal(
        ffi.take().filter((call) => /^(posix_f|ftrunc)/.test(call)),
        ["ftruncate(20, 54096)", "posix_fallocate(20, 4096, 50000)", "ftruncate(20, 44096)"],
      );
      assert.is(mm.length, 40_000);
    });
  }
});

test("open() and resize() refuse reserve on macOS and OpenBSD before any call", () => {
  // fcntl(2) of macOS: F_PREALLOCATE takes a fstore_t by a variadic argument. OpenBSD has neither that nor posix_fallocate.
  for (const system of [darwin, openbsd]) {
    const ffi = played(system, 20_000);
    over(system.open, ffi, () => {
      using mm = new MMap(9, 0, { access: "write" });
      ffi.take();
      refuses(TypeError, () => mm.resize(40_000, { reserve: true }), "reserve", "posix_fallocate");
      assert.equal(ffi.take(), []);
      const path = newPath();
      refuses(TypeError, () => MMap.open(path, { create: true, length: 10, reserve: true }), "reserve");
      assert.is(existsSync(path), false);
    });
  }
});

test("resize() replaces the pages that the file lost under a transferred buffer", () => {
  // MAP_PRIVATE | MAP_ANON | MAP_FIXED is 0x1012, with macOS's MAP_NORESERVE 0x1052.
  for (const [system, flags] of [
    [darwin, 0x1052],
    [freebsd, 0x1012],
    [openbsd, 0x1012],
  ] as const) {
    const ffi = played(system, 40_000);
    over(system.open, ffi, () => {
      using mm = new MMap(9, 0, { access: "write" });
      structuredClone(mm.buffer, { transfer: [mm.buffer] });
      ffi.take();
      mm.resize(system.page);
      const calls = ffi.take().filter((call) => /^(mmap|munmap|ftruncate)/.test(call));
      const whole = Math.ceil(40_000 / system.page) * system.page;
      assert.equal(calls, [
        `mmap(0, ${system.page}, 3, 1, 20, 0)`,
        `ftruncate(20, ${system.page})`,
        `mmap(0x${(MAPPED + system.page).toString(16)}, ${whole - system.page}, 3, ${flags}, -1, 0)`,
      ]);
    });
  }
});

posix("new MMap() that mmap refuses has the system's errno, and leaves nothing open", () => {
  for (const [system, call] of [
    [darwin, "ioctl(20, 0x20006601)"],
    [freebsd, "fcntl(9, 17, 0)"],
    [openbsd, "fcntl(9, 10, 0)"],
    [linux, "fcntl(9, 1030, 0)"],
  ] as const) {
    const ffi = played(system, 20_000);
    ffi.play({
      mmap: () => {
        // ENOMEM is 12 on all four.
        setErrno(ffi, 12);
        return -1;
      },
    });
    over(system.open, ffi, () => {
      const error = thrown(() => new MMap(9, 0, { access: "write" })) as Error & Record<string, unknown>;
      assert.equal([error.code, error.errno, error.syscall], ["ENOMEM", 12, "mmap"]);
      const calls = ffi.take();
      assert.ok(calls.includes(call), calls.join());
      assert.is(calls.at(-1), "close(20)");
    });
  }
});

test("new MMap() refuses flags that make a later access fatal", () => {
  // pthread_jit_write_protect_np(3) of macOS: "MAP_JIT regions are never writeable and executable simultaneously", for each
  // thread on its own. mmap(2) of FreeBSD: "Any memory access to the guarded range results in the delivery of a SIGSEGV
  // signal"; "the system uses guards to prevent the inadvertent use of regions into which stacks created with MAP_STACK will
  // automatically grow", and the lowest pages stay one.
  const wrong: [System, number, string][] = [
    [darwin, 0x802, "MAP_JIT"],
    [darwin, 0x80002, "MAP_TPRO"],
    [freebsd, 0x402, "MAP_STACK"],
    [freebsd, 0x4001, "MAP_FIXED"],
    [openbsd, 0x11, "MAP_FIXED"],
  ];
  for (const [system, flags, name] of wrong) {
    const ffi = played(system, 20_000);
    over(system.open, ffi, () => {
      ffi.take();
      refuses(RangeError, () => new MMap(9, 0, { flags }), "flags", String(flags), name);
      assert.equal(ffi.take(), []);
    });
  }
  assert.is(mapped(openbsd, { flags: 0x4002 }), "mmap(0, 20480, 3, 16386, 20, 0)");
});

posix("new MMap() names the function that gives no status", () => {
  for (const system of [darwin, darwinIntel, freebsd, openbsd, linux]) {
    const ffi = played(system, 20_000);
    ffi.play({
      [system.stat]: () => {
        setErrno(ffi, 9);
        return -1;
      },
    });
    over(system.open, ffi, () => {
      const error = thrown(() => new MMap(9, 0)) as Error & Record<string, unknown>;
      assert.equal([error.code, error.syscall], ["EBADF", system.stat.replace(/\$.*/, "")]);
    });
  }
});

posix("each refused call is named in its error", () => {
  const acts: [name: string, act: (mm: MMap) => unknown][] = [
    ["msync", (mm) => mm.flush()],
    ["madvise", (mm) => mm.madvise(3)],
    ["munlock", (mm) => mm.unlock()],
    ["ftruncate", (mm) => mm.resize(40_000)],
    ["ftruncate", (mm) => mm.resize(10_000)],
  ];
  for (const system of [darwin, freebsd, openbsd, linux]) {
    for (const [name, act] of acts) {
      const ffi = played(system, 20_000);
      over(system.open, ffi, () => {
        using mm = new MMap(9, 0, { access: "write", guard: false });
        ffi.play({
          [name]: () => {
            setErrno(ffi, 12);
            return -1;
          },
        });
        const error = thrown(() => act(mm)) as Error & Record<string, unknown>;
        assert.equal([error.code, error.syscall, mm.length], ["ENOMEM", name, 20_000]);
        ffi.play({ [name]: () => 0 });
      });
    }
  }
});

test("madvise() refuses advice that the system lacks", () => {
  for (const [system, advice] of [
    [darwin, 10],
    [freebsd, 11],
    [openbsd, 5],
    [linux, 100],
  ] as const) {
    const ffi = played(system, 20_000);
    over(system.open, ffi, () => {
      using mm = new MMap(9, 0, { access: "read" });
      ffi.take();
      refuses(RangeError, () => mm.madvise(advice), "option", String(advice));
      assert.equal(ffi.take(), []);
    });
  }
});

test("write() calls memmove, because the source may be a view of the same memory", () => {
  // C99 with its corrigenda (ISO/IEC 9899:TC3), 7.21.2.1 on memcpy: "If copying takes place between objects that overlap, the
  // behavior is undefined." musl's repeats the first bytes.
  for (const system of [darwin, freebsd, openbsd, linux]) {
    const ffi = played(system, 200_000);
    over(system.open, ffi, () => {
      using mm = new MMap(9, 0, { access: "write" });
      ffi.take();
      mm.write(new Uint8Array(100_000));
      assert.equal(ffi.take(), ["memmove(0x100000000, &memory[100000], 0x186a0)"]);
    });
  }
});

test("open() of each platform loads the system's own C library", () => {
  const opened = ({ open }: System, missing: readonly string[] = []) => {
    const ffi = recorder();
    const { open: load } = ffi;
    ffi.open = (libraries, signatures) => {
      if (missing.includes(libraries.join())) throw new Error(`${libraries}: cannot open shared object file`);
      return load(libraries, signatures);
    };
    open(ffi, errorFactory);
    return [...new Set(ffi.opened.map(({ libraries }) => libraries.join()))];
  };
  assert.equal(opened(darwin), ["/usr/lib/libSystem.B.dylib"]);
  assert.equal(opened(freebsd), ["libc.so.7"]);
  // libexec/ld.so/library_subr.c of OpenBSD: a name without a version matches any, and the largest found is loaded.
  assert.equal(opened(openbsd), ["libc.so"]);
  const [glibc, musl, loader] = librariesFor(process.arch);
  assert.equal(opened(linux), [glibc]);
  assert.equal(opened(linux, [glibc]), [musl]);
  assert.equal(opened(linux, [glibc, musl]), [loader]);
});

test("openPlatform() names the supported systems on an unknown one", () => {
  const error = thrown(() => openPlatform(errorFactory, "sunos"));
  assert.is(error.name, "PlatformUnavailable");
  for (const part of ['"sunos"', "linux", "darwin", "freebsd", "openbsd"]) {
    assert.ok(error.message.includes(part), error.message);
  }
});

test("memmem and memrchr are looked up where memmem takes linear time", () => {
  // macOS has no memrchr, and its memmem takes quadratic time.
  for (const [system, wanted] of [
    [linux, true],
    [freebsd, true],
    [openbsd, true],
    [darwin, false],
  ] as const) {
    const ffi = played(system, 0);
    over(system.open, ffi, () => {
      const names = ffi.opened.flatMap(({ signatures }) => Object.keys(signatures));
      assert.equal([names.includes("memmem"), names.includes("memrchr")], [wanted, wanted]);
    });
  }
});

test.run();
