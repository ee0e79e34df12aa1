/**
 * OpenBSD, call by call, against its headers and manual pages.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { over, setErrno } from "../helpers/recorder.ts";
import { thrown } from "../helpers/support.ts";
import { assertCalls, openbsd, played } from "../helpers/systems.ts";

const test = suite("systems/openbsd");

test("OpenBSD: the calls of open, flush, madvise, resize, size and close", () => {
  assertCalls(openbsd, {
    start: ["__errno()", "sysconf(28)"],
    open: [
      "fstat(9, &memory[128])",
      // sys/fcntl.h: `#define F_DUPFD_CLOEXEC 10 /* duplicate with FD_CLOEXEC set */`
      "fcntl(9, 10, 0)",
      "mmap(0, 20480, 3, 1, 20, 0)",
    ],
    // sys/mman.h: `#define MS_SYNC 0x02 /* perform synchronous writes */`
    flush: ["msync(0x100004000, 626, 2)"],
    advise: ["madvise(0x100001000, 15904, 3)"],
    grow: [
      "fstat(20, &memory[128])",
      "ftruncate(20, 40000)",
      "mmap(0, 40960, 3, 1, 20, 0)",
      "munmap(0x100000000, 20480)",
    ],
    shrink: ["fstat(20, &memory[128])", "ftruncate(20, 10000)", "munmap(0x100103000, 28672)"],
    size: ["fstat(20, &memory[128])"],
    close: ["munmap(0x100100000, 12288)", "close(20)"],
  });
});

test("anonymous() closes a shared memory object whose name cannot be removed", () => {
  const ffi = played(openbsd, 0);
  ffi.play({
    shm_unlink: () => {
      setErrno(ffi, 1);
      return -1;
    },
  });
  over(openbsd.open, ffi, () => {
    assert.is((thrown(() => MMap.anonymous(1)) as Error & { syscall: string }).syscall, "shm_unlink");
    assert.is(ffi.take().at(-1), "close(21)");
  });
});

test.run();
