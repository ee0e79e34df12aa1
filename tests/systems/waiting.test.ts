/**
 * Waiting, call by call, against each system's headers and manual pages.
 *
 * @module
 */

import { fstatSync, readFileSync, statSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errorFactory } from "../../lib/errors.ts";
import { MMap, type MMapError } from "../../lib/mod.ts";
import { Owner } from "../../lib/sync/owner.ts";
import { darwinPlatform } from "../../platform/darwin.ts";
import { errnoReader } from "../../platform/errno.ts";
import { futexWaiting } from "../../platform/futex.ts";
import { ofdLocks } from "../../platform/ofd-lock.ts";
import type { OwnerLocks, Waiting } from "../../platform/types.ts";
import { ERRNO, over, type Played, type Recorder, recorder, setErrno } from "../helpers/recorder.ts";
import { descriptorsOf } from "../helpers/resources.ts";
import { NAMES_OTHER_ERRORS, newFile, refuses, thrown, unless } from "../helpers/support.ts";
import { darwin, freebsd, linux, MAPPED, played } from "../helpers/systems.ts";

const test = suite("systems/waiting");

const posix = unless(NAMES_OTHER_ERRORS, test);

const WORD = 0x7000_0000_1004;

function linuxWaiting(functions: Played, arch = "x64"): { ffi: Recorder; waiting: Waiting } {
  const ffi = recorder(functions);
  const waiting = futexWaiting(ffi, ["libc"], arch, ERRNO, errnoReader(ffi, ERRNO, errorFactory));
  return { ffi, waiting: waiting as Waiting };
}

test("Linux: futex(2), in the form for several processes", () => {
  // uapi/linux/futex.h: FUTEX_WAIT is 0, FUTEX_WAKE is 1; FUTEX_PRIVATE_FLAG, 128, is not set.
  let timeout: bigint[] = [];
  const { ffi, waiting } = linuxWaiting({
    syscall: (...values: unknown[]) => {
      const time = values[4] as Uint8Array | undefined;
      if (time !== undefined) timeout = [...new BigInt64Array(time.buffer)];
      return time === undefined ? 3 : 0;
    },
  });
  assert.equal(ffi.opened, [], "nothing is looked up before the first use");
  assert.is(waiting.wait(WORD, -1, 1234.5), true);
  assert.equal(ffi.take(), ["syscall(202, 0x700000001004, 0, 0xffffffff, &memory[16])"]);
  assert.equal(timeout, [1n, 234_500_000n], "struct timespec, relative");
  assert.is(waiting.wake(WORD, 2), 3);
  assert.is(waiting.wake(WORD, Number.POSITIVE_INFINITY), 3);
  assert.equal(ffi.take(), ["syscall(202, 0x700000001004, 1, 2)", "syscall(202, 0x700000001004, 1, 0x7fffffff)"]);
  const arm = linuxWaiting({}, "arm64");
  arm.waiting.wake(WORD, 1);
  assert.equal(arm.ffi.take(), ["syscall(98, 0x700000001004, 1, 1)"]);
  assert.is(linuxWaiting({}, "s390x").waiting, undefined, "an architecture whose number is not known polls");
});

posix("Linux: a wait that the system ends otherwise is no error, and any other failure is", () => {
  const { ffi, waiting } = linuxWaiting({ syscall: () => -1 });
  // EINTR, EAGAIN, EFAULT, ETIMEDOUT
  for (const errno of [4, 11, 14, 110]) {
    setErrno(ffi, errno);
    assert.is(waiting.wait(WORD, 0, 1), false);
  }
  setErrno(ffi, 1);
  refuses("EPERM", () => waiting.wait(WORD, 0, 1), "futex");
  refuses("EPERM", () => waiting.wake(WORD, 1), "futex");
  assert.is(waiting.background, undefined, "no futex_waitv, so no thread");
});

test("Linux: futex_waitv(2) waits for the control word and all others", async () => {
  const BLOCK = 0x8000_0000_0000;
  const { ffi, waiting } = linuxWaiting({ syscall: () => -1, malloc: () => BLOCK });
  const block = new BigUint64Array(ffi.view(BLOCK, 4096), 0, 64);
  ffi.play({
    clock_gettime: (_clock: number, place: number) => {
      assert.is(place, BLOCK + 16);
      block[2] = 7n;
      block[3] = 950_000_000n;
      return 0;
    },
  });
  let calls = 0;
  ffi.openLater = (() => ({
    syscall: async (...values: number[]) => {
      // uapi/asm-generic/unistd.h: futex_waitv is 449. CLOCK_MONOTONIC is 1.
      assert.equal(values, [449, BLOCK + 32, 3, 0, BLOCK + 16, 1]);
      assert.equal([block[2], block[3]], [8n, 50_000_000n], "an absolute time");
      // struct futex_waitv: val, uaddr, and flags with the size of the word: FUTEX_32 is 2.
      assert.equal([...block.subarray(4, 13)], [0n, BigInt(BLOCK), 2n, 5n, BigInt(WORD), 2n, 2n ** 32n - 1n, 64n, 2n]);
      return calls++ === 0 ? 2 : calls === 2 ? 0 : -1;
    },
  })) as unknown as Recorder["openLater"];
  // EINVAL: without words the call is wrong, but known.
  setErrno(ffi, 22);
  const { background } = waiting;
  assert.equal(ffi.take(), ["syscall(449, 0, 0, 0)", "malloc(3104)"]);
  assert.is(background?.limit, 127);
  background?.set(0, WORD, 5);
  background?.set(1, 64, -1);
  assert.is(await background?.run(2, 100), 1);
  assert.is(await background?.run(2, 100), -1, "the control word was woken");
  assert.is(await background?.run(2, 100), -1);
  ffi.take();
  ffi.play({ syscall: () => 1 });
  background?.interrupt();
  assert.equal(ffi.take(), [`syscall(202, 0x${BLOCK.toString(16)}, 1, 1)`]);
  assert.is(block[0], 1n, "the control word is another");
});

test("Linux: a page is mirrored by mremap(2) with an old size of 0", () => {
  const ffi = played(linux, 20_000);
  over(linux.open, ffi, (platform) => {
    assert.is(platform.mirror?.(MAPPED), MAPPED);
    assert.equal(ffi.take().slice(2), [`mremap(0x${MAPPED.toString(16)}, 0, 4096, 1, 0)`]);
  });
});

posix("Linux: an owner's lock is an open-file-description lock", () => {
  let flock: number[] = [];
  const ffi = recorder({
    fcntl: (_descriptor: number, _command: number, bytes: Uint8Array) => {
      flock = [...new Int32Array(bytes.buffer)];
      return 0;
    },
    open: () => 31,
  });
  const locks = ofdLocks(ffi, ["libc"], ERRNO, errnoReader(ffi, ERRNO, errorFactory));
  assert.equal(ffi.opened, [], "nothing is looked up before the first use");
  // A descriptor that node:fs may not open again. O_RDWR | O_CLOEXEC is 0x80002.
  const own = locks.open(1_000_000, undefined);
  assert.equal(ffi.take(), ["open(&memory[22], 0x80002)"]);
  // fcntl(2): F_OFD_GETLK is 36, F_OFD_SETLK is 37, F_WRLCK is 1. struct flock: l_type, l_whence; l_start; l_len; l_pid, which
  // must be 0.
  assert.is(own.take(77), true);
  assert.equal(ffi.take(), ["fcntl(31, 37, &memory[32])"]);
  assert.equal(flock, [1, 0, 77, 2 ** 30, 1, 0, 0, 0]);
  assert.is(own.isTaken(78), true);
  assert.equal(ffi.take(), ["fcntl(31, 36, &memory[32])"]);
  assert.is(flock[2], 78);
  ffi.play({
    fcntl: (_descriptor: number, _command: number, bytes: Uint8Array) => {
      // F_UNLCK is 2.
      new Int16Array(bytes.buffer)[0] = 2;
      return 0;
    },
  });
  assert.is(own.isTaken(78), false);
  ffi.play({ fcntl: () => -1 });
  // EAGAIN and EACCES: "operation is prohibited by locks held by other processes".
  for (const errno of [11, 13]) {
    setErrno(ffi, errno);
    assert.is(own.take(77), false);
  }
  // EINVAL: a kernel before 3.15.
  setErrno(ffi, 22);
  refuses("EINVAL", () => own.take(77), "fcntl");
  refuses("EINVAL", () => own.isTaken(77), "fcntl");
  ffi.take();
  own.close();
  assert.equal(ffi.take(), ["close(31)"]);
});

posix("macOS: an owner's lock is an open-file-description lock of the file that has the descriptor's path", () => {
  const path = newFile("data");
  const other = newFile("other");
  // The library's own, which node:fs does not know in Deno.
  const descriptor = 1_000_000;
  let named = path;
  let taken = true;
  const flocks: unknown[] = [];
  const ffi = played(darwin, 4);
  ffi.play({
    // sys/stat.h: dev_t st_dev is at 0, ino64_t st_ino at 8.
    fstat: (asked: number, bytes: Uint8Array<ArrayBuffer>) => {
      const { dev, ino } = asked === descriptor ? statSync(path, { bigint: true }) : fstatSync(asked, { bigint: true });
      const memory = new DataView(bytes.buffer);
      memory.setUint32(0, Number(BigInt.asUintN(32, dev)), true);
      memory.setBigUint64(8, ino, true);
      return 0;
    },
    fcntl: (_descriptor: number, command: number, bytes: Uint8Array<ArrayBuffer>) => {
      // sys/fcntl.h: F_GETPATH is 50, F_OFD_SETLK is 90, F_OFD_GETLK is 92; F_UNLCK is 2, F_WRLCK is 3.
      if (command === 50) new TextEncoder().encodeInto(named, bytes);
      else {
        // struct flock: off_t l_start, l_len; pid_t l_pid; short l_type, l_whence.
        flocks.push([...new BigInt64Array(bytes.buffer, 0, 2), ...new Int32Array(bytes.buffer, 16)]);
        if (command === 92 && !taken) new Int16Array(bytes.buffer)[10] = 2;
      }
      return 0;
    },
  });
  const locks = darwinPlatform(ffi, errorFactory, "arm64").ownerLocks as OwnerLocks;
  assert.not.ok(ffi.opened.some(({ signatures }) => signatures.fcntl?.parameters.length === 9));
  ffi.take();
  const own = locks.open(descriptor, undefined);
  // Apple's arm64 passes variadic arguments on the stack, as it does the ninth argument of a function that is not variadic.
  const call = (command: number, size: number) =>
    new RegExp(`^fcntl\\((\\w+), ${command}, &memory\\[${size}\\], 0, 0, 0, 0, 0, &memory\\[${size}\\]\\)$`);
  assert.is(call(50, 1024).exec(ffi.take()[0] as string)?.[1], "0xf4240");
  assert.is(own.take(77), true);
  const locked = call(90, 24).exec(ffi.take().join())?.[1];
  assert.is(readFileSync(Number(locked), "utf8"), "data");
  assert.is(own.isTaken(78), true);
  taken = false;
  assert.is(own.isTaken(78), false);
  assert.is(call(92, 24).exec(ffi.take().join().split(",fcntl")[0] as string)?.[1], locked);
  assert.equal(
    flocks,
    [77, 78, 78].map((id) => [2n ** 62n + BigInt(id), 1n, 0, 3]),
  );
  ffi.play({ fcntl: () => -1 });
  // EAGAIN is 35, EACCES 13.
  for (const errno of [13, 35]) {
    setErrno(ffi, errno);
    assert.is(own.take(77), false);
  }
  setErrno(ffi, 22);
  refuses("EINVAL", () => own.take(77), "fcntl");
  refuses("EINVAL", () => own.isTaken(77), "fcntl");
  refuses("EINVAL", () => locks.open(descriptor, undefined), "fcntl");
  own.close();
  assert.throws(() => fstatSync(Number(locked)), /EBADF/);
  // EBADF: the descriptor is of shared memory.
  setErrno(ffi, 9);
  refuses(TypeError, () => locks.open(descriptor, undefined), "needs a map of a file on macOS");
  named = other;
  ffi.play({
    fcntl: (_descriptor: number, _command: number, bytes: Uint8Array) => {
      new TextEncoder().encodeInto(named, bytes);
      return 0;
    },
  });
  // ESTALE is 70, which is another error on other systems.
  assert.is((thrown(() => locks.open(descriptor, undefined)) as MMapError).errno, 70);
  assert.is(descriptorsOf(other), 0, "the other file is closed");
});

test("a mutex of a file that somebody has locked as a whole is an error", () => {
  const never = { take: () => false, isTaken: () => true, close: () => closed++ };
  let closed = 0;
  refuses("EBUSY", () => new Owner(never), "another program has locked all of the file");
  assert.is(closed, 1);
});

posix("macOS: os_sync_wait_on_address_with_timeout, from 14.4 on", () => {
  const ffi = played(darwin, 8192);
  over(darwin.open, ffi, (platform) => {
    const { opened } = ffi;
    assert.not.ok(opened.some(({ signatures }) => "os_sync_wake_by_address_any" in signatures));
    const waiting = platform.waiting as Waiting;
    ffi.take();
    // os/os_sync_wait_on_address.h: OS_SYNC_WAIT_ON_ADDRESS_SHARED is 1; os/clock.h: OS_CLOCK_MACH_ABSOLUTE_TIME is 32. The
    // value of a word of 4 bytes has no more, and the timeout is in nanoseconds from now.
    assert.is(waiting.wait(WORD, -1, 1.5), true);
    assert.equal(ffi.take(), ["os_sync_wait_on_address_with_timeout(0x700000001004, 0xffffffff, 4, 1, 32, 0x16e360)"]);
    // "Returns … the number of waiters that are left": a value that differs is no error.
    ffi.play({ os_sync_wait_on_address_with_timeout: () => -1 });
    for (const errno of [4, 12, 14, 60]) {
      setErrno(ffi, errno);
      assert.is(waiting.wait(WORD, 0, 0), false);
    }
    setErrno(ffi, 22);
    refuses("EINVAL", () => waiting.wait(WORD, 0, 1));
    let waiters = 3;
    ffi.play({ os_sync_wake_by_address_any: () => (waiters-- > 0 ? 0 : -1) });
    setErrno(ffi, 2);
    ffi.take();
    assert.is(waiting.wake(WORD, 2), 2);
    assert.equal(ffi.take(), Array(2).fill("os_sync_wake_by_address_any(0x700000001004, 4, 1)"));
    assert.is(waiting.wake(WORD, Number.POSITIVE_INFINITY), 1);
    setErrno(ffi, 22);
    refuses("EINVAL", () => waiting.wake(WORD, 1));
  });
});

test("macOS before 14.4 polls", () => {
  const ffi = played(darwin, 8192);
  const { open } = ffi;
  ffi.open = ((libraries, signatures) => {
    if ("os_sync_wake_by_address_any" in signatures) throw new Error("no such symbol");
    return open(libraries, signatures);
  }) as typeof open;
  over(darwin.open, ffi, (platform) => assert.is(platform.waiting, undefined));
});

posix("FreeBSD: _umtx_op, in the form for several processes", () => {
  let timeout: bigint[] = [];
  const ffi = played(freebsd, 8192);
  over(freebsd.open, ffi, (platform) => {
    const waiting = platform.waiting as Waiting;
    ffi.play({
      _umtx_op: (...values: unknown[]) => {
        timeout = [...new BigInt64Array((values[4] as Uint8Array).buffer)];
        return 0;
      },
    });
    ffi.take();
    // sys/umtx.h: UMTX_OP_WAIT_UINT is 11, UMTX_OP_WAKE is 3; those with _PRIVATE are others. _umtx_op(2): uaddr has the size of
    // the structure that uaddr2 points to, a struct timespec of 16 bytes, which is relative.
    assert.is(waiting.wait(WORD, -1, 2001.5), true);
    assert.equal(ffi.take(), ["_umtx_op(0x700000001004, 11, 0xffffffff, 16, &memory[16])"]);
    assert.equal(timeout, [2n, 1_500_000n]);
    assert.is(waiting.wake(WORD, Number.POSITIVE_INFINITY), 0);
    assert.equal(ffi.take(), ["_umtx_op(0x700000001004, 3, 0x7fffffff, 0, &memory[16])"]);
    ffi.play({ _umtx_op: () => -1 });
    for (const errno of [4, 14, 60]) {
      setErrno(ffi, errno);
      assert.is(waiting.wait(WORD, 0, 1), false);
    }
    setErrno(ffi, 22);
    refuses("EINVAL", () => waiting.wait(WORD, 0, 1), "_umtx_op");
    refuses("EINVAL", () => waiting.wake(WORD, 1), "_umtx_op");
  });
});

/** Runs `act` with a map of a file over a platform that waits as it is told. */
async function withWaiting(waiting: Waiting | undefined, act: (mm: MMap, words: Int32Array) => Promise<void>) {
  const { usePlatform } = await import("../../lib/platform.ts");
  MMap.anonymous(1).close();
  const real = usePlatform(undefined);
  usePlatform({ ...(real as NonNullable<typeof real>), waiting });
  try {
    using mm = MMap.open(newFile(new Uint8Array(64)), { access: "write" });
    await act(mm, mm.view(Int32Array));
  } finally {
    usePlatform(real);
  }
}

test("a system without such calls polls", () =>
  withWaiting(undefined, async (mm, words) => {
    assert.is(mm.wait(0, 0, 20), "timed-out");
    const waiting = mm.waitAsync(0, 0);
    setTimeout(() => Atomics.store(words, 0, 1), 50);
    assert.is(await waiting, "ok");
    assert.is(mm.wait(0, 0, 20), "not-equal");
    assert.is(mm.notify(0), 0);
  }));

test("waitAsync() blocks the thread for 0.1 ms at most, once, and only if it is the only wait", async () => {
  const blocked: [value: number, timeout: number][] = [];
  const waiting: Waiting = {
    wait(_address, value, timeout) {
      blocked.push([value, timeout]);
      return false;
    },
    wake: () => 0,
    background: undefined,
  };
  await withWaiting(waiting, async (mm, words) => {
    const first = mm.waitAsync(0, 0);
    setTimeout(() => Atomics.store(words, 0, 1), 20);
    assert.is(await first, "ok");
    assert.equal(blocked, [[0, 0.1]]);
    const answered = mm.waitAsync(0, 1);
    Atomics.store(words, 0, 2);
    assert.is(await answered, "ok");
    const both = [mm.waitAsync(0, 2), mm.waitAsync(4, 0)];
    setTimeout(() => words.fill(7), 20);
    assert.equal(await Promise.all(both), ["ok", "ok"]);
    assert.is(blocked.length, 1, "not before the caller's own code goes on, nor beside another wait");
    assert.is(await mm.waitAsync(0, 7, { timeout: 0.05 }), "timed-out");
    assert.ok(blocked.every(([, timeout]) => timeout <= 0.1));
  });
});

test("waits that end while they block leave the event loop its turns", async () => {
  let change = () => {};
  const waiting: Waiting = {
    wait() {
      change();
      return true;
    },
    wake: () => 0,
    background: undefined,
  };
  await withWaiting(waiting, async (mm, words) => {
    change = () => Atomics.add(words, 0, 1);
    let hadTurn = false;
    setTimeout(() => {
      hadTurn = true;
    }, 5);
    let waits = 0;
    for (; !hadTurn && waits < 1_000_000; waits++) assert.is(await mm.waitAsync(0, words[0] as number), "ok");
    assert.ok(hadTurn, `${waits} waits without a turn`);
  });
});

test.run();
