/**
 * FreeBSD, call by call, against its headers and manual pages.
 *
 * @module
 */

import { suite } from "uvu";
import { assertCalls, freebsd } from "../helpers/systems.ts";

const test = suite("systems/freebsd");

test("FreeBSD: the calls of open, flush, madvise, resize, size and close", () => {
  assertCalls(freebsd, {
    start: ["__error()", "sysconf(47)"],
    open: [
      "fstat(9, &memory[224])",
      // sys/fcntl.h: `#define F_DUPFD_CLOEXEC 17 /* Like F_DUPFD, but FD_CLOEXEC is set */`
      "fcntl(9, 17, 0)",
      "mmap(0, 20480, 3, 1, 20, 0)",
    ],
    // sys/mman.h: `#define MS_SYNC 0x0000 /* msync synchronously */`
    flush: ["msync(0x100004000, 626, 0)"],
    advise: ["madvise(0x100001000, 15904, 3)"],
    grow: [
      "fstat(20, &memory[224])",
      "ftruncate(20, 40000)",
      "mmap(0, 40960, 3, 1, 20, 0)",
      "munmap(0x100000000, 20480)",
    ],
    shrink: ["fstat(20, &memory[224])", "ftruncate(20, 10000)", "munmap(0x100103000, 28672)"],
    size: ["fstat(20, &memory[224])"],
    close: ["munmap(0x100100000, 12288)", "close(20)"],
  });
});

test.run();
