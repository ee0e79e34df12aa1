/**
 * flush() and flushAsync(), call by call, on each POSIX system.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { over, type Recorder, setErrno } from "../helpers/recorder.ts";
import { NAMES_OTHER_ERRORS, rejects, thrown, unless } from "../helpers/support.ts";
import { darwin, freebsd, linux, openbsd, playBlocks, played, type System } from "../helpers/systems.ts";

const test = suite("systems/flush");

/** A system whose asynchronous I/O is played: `errors` are what aio_error gives, one after the other. */
function withAio(system: System, errors: number[]): { ffi: Recorder; blocks: Int32Array[] } {
  const ffi = played(system, 20_000);
  const blocks: Int32Array[] = [];
  playBlocks(ffi, (block) => blocks.push(new Int32Array(block.buffer)));
  ffi.play({ aio_error: () => errors.shift() ?? 0 });
  return { ffi, blocks };
}

/** What flushAsync asks a system for; the map is closed while it runs. */
async function flushedInBackground(system: System, errors: number[]) {
  const { ffi, blocks } = withAio(system, errors);
  const flushed = over(system.open, ffi, () => {
    const mm = new MMap(9, 0, { access: "write", guard: false });
    ffi.take();
    const promise = mm.flushAsync(17_000, 10);
    mm.close();
    return promise;
  });
  return { flushed, blocks, ffi };
}

for (const [name, system, asked] of [
  // aio.h of glibc and of musl: aio_fildes, aio_lio_opcode, aio_reqprio (4 bytes each), aio_buf (at 16), aio_nbytes, aio_sigevent
  // (at 32): a sigval (8), sigev_signo, sigev_notify (at 44). SIGEV_NONE is 1, O_SYNC 04010000, EINPROGRESS 115; MS_ASYNC is 1.
  ["Linux", linux, { O_SYNC: "0x101000", running: 115, async: 1, notifyAt: 11, SIGEV_NONE: 1 }],
  // sys/aio.h of macOS: aio_fildes, aio_offset (at 8), aio_buf, aio_nbytes, aio_reqprio (at 32), aio_sigevent (at 40), which
  // begins with sigev_notify. sys/signal.h: SIGEV_NONE is 0; sys/fcntl.h: O_SYNC is 0x80; sys/errno.h: EINPROGRESS is 36.
  ["macOS", darwin, { O_SYNC: "128", running: 36, async: 1, notifyAt: 10, SIGEV_NONE: 0 }],
  // sys/aio.h of FreeBSD: aio_fildes, aio_offset, aio_buf, aio_nbytes, two spare ints, a spare pointer, aio_lio_opcode,
  // aio_reqprio, three private words, aio_sigevent (at 80), which begins with sigev_notify. SIGEV_NONE is 0, O_SYNC 0x80.
  ["FreeBSD", freebsd, { O_SYNC: "128", running: 36, async: 1, notifyAt: 20, SIGEV_NONE: 0 }],
] as const) {
  test(`flushAsync() on ${name} waits for aio_fsync in the background`, async () => {
    const { running } = asked;
    const { flushed, blocks, ffi } = await flushedInBackground(system, [running, running, 0]);
    assert.is(await flushed, undefined);
    const calls = ffi.take().filter((call) => !/^(fcntl|dup|ioctl)/.test(call));
    const length = Math.ceil(20_000 / system.page) * system.page;
    assert.equal(calls, [
      `msync(0x100004000, 626, ${asked.async})`,
      "malloc(256)",
      "memcpy(28672, &memory[256], 256)",
      `aio_fsync(${asked.O_SYNC}, 28672)`,
      // The map is closed, and the descriptor of the request is not.
      `munmap(0x100000000, ${length})`,
      "close(30)",
      "aio_error(28672)",
      "aio_error(28672)",
      "aio_error(28672)",
      "aio_return(28672)",
      "free(28672)",
      "close(31)",
    ]);
    const [block] = blocks as [Int32Array];
    assert.equal([block[0], block[asked.notifyAt]], [31, asked.SIGEV_NONE]);
    assert.is(block.filter((word) => word !== 0).length, asked.SIGEV_NONE === 0 ? 1 : 2);
  });
}

test("flush() passes its flags to msync, and MS_SYNC by default", () => {
  // sys/mman.h: MS_SYNC is 4 on Linux, 0x10 on macOS, 0 on FreeBSD and 2 on OpenBSD.
  for (const [system, sync] of [
    [linux, 4],
    [darwin, 16],
    [freebsd, 0],
    [openbsd, 2],
  ] as const) {
    const ffi = played(system, 20_000);
    over(system.open, ffi, () => {
      using mm = new MMap(9, 0, { access: "write", guard: false });
      ffi.take();
      mm.flush();
      mm.flush(0, 100, { flags: 3 });
      mm.flush(0, 100, { flags: undefined });
      // fcntl(2) of macOS: F_FULLFSYNC is what reaches the drive's permanent storage. With flags, it is msync alone.
      const drive = system === darwin ? ["fcntl(20, 51)"] : [];
      assert.equal(ffi.take(), [
        `msync(0x100000000, 20000, ${sync})`,
        ...drive,
        "msync(0x100000000, 100, 3)",
        `msync(0x100000000, 100, ${sync})`,
        ...drive,
      ]);
    });
  }
});

const posix = unless(NAMES_OTHER_ERRORS, test);

posix("flushAsync() reports that C has no memory for its request, and closes the request's descriptors", async () => {
  const ffi = played(linux, 20_000);
  playBlocks(ffi, () => assert.unreachable());
  ffi.play({ malloc: () => 0 });
  // ENOMEM is 12.
  setErrno(ffi, 12);
  const flushed = over(linux.open, ffi, () => {
    using mm = new MMap(9, 0, { access: "write", guard: false });
    ffi.take();
    return mm.flushAsync();
  });
  await rejects("ENOMEM", flushed, "malloc");
  assert.equal(
    ffi.take().filter((call) => /^(fcntl|close|aio|free)/.test(call)),
    ["fcntl(30, 1030, 0)", "close(30)", "close(31)"],
  );
});

posix("flush() and flushAsync() report an I/O error", async () => {
  // EIO is 5 on all of them. aio_error(3): "A positive error number, if the asynchronous I/O operation failed. This is the same
  // value that would have been stored in the errno variable".
  for (const system of [linux, darwin, freebsd]) {
    const { flushed, ffi } = await flushedInBackground(system, [5]);
    const error = await flushed.then(
      () => undefined,
      (reason) => reason,
    );
    assert.equal([error?.code, error?.errno, error?.syscall], ["EIO", 5, "aio_fsync"]);
    assert.equal(ffi.take().slice(-3), ["aio_return(28672)", "free(28672)", "close(31)"]);
  }
  for (const system of [linux, darwin, freebsd, openbsd]) {
    const ffi = played(system, 20_000);
    ffi.play({
      msync: () => {
        setErrno(ffi, 5);
        return -1;
      },
    });
    over(system.open, ffi, () => {
      using mm = new MMap(9, 0, { access: "write" });
      const error = thrown(() => mm.flush()) as Error & Record<string, unknown>;
      assert.equal([error.code, error.errno, error.syscall], ["EIO", 5, "msync"]);
    });
  }
});

posix("flushAsync() frees its request if the system refuses it", async () => {
  for (const system of [linux, darwin, freebsd]) {
    const { ffi } = withAio(system, []);
    ffi.play({
      aio_fsync: () => {
        // EAGAIN is 11 on Linux, 35 on the others; here it is the running system's name that matters.
        setErrno(ffi, 11);
        return -1;
      },
    });
    await over(system.open, ffi, () => {
      const mm = new MMap(9, 0, { access: "write" });
      const flushed = mm.flushAsync();
      mm.close();
      return rejects("EAGAIN", flushed, "aio_fsync");
    });
    assert.ok(ffi.take().includes("free(28672)"));
  }
});

test("flushAsync() on OpenBSD, which has no asynchronous I/O, waits like flush()", async () => {
  const ffi = played(openbsd, 20_000);
  const flushed = over(openbsd.open, ffi, () => {
    const mm = new MMap(9, 0, { access: "write" });
    ffi.take();
    return mm.flushAsync(17_000, 10);
  });
  assert.is(await flushed, undefined);
  assert.equal(ffi.take(), ["fcntl(20, 10, 0)", "msync(0x100004000, 626, 2)", "close(20)"]);
});

test.run();
