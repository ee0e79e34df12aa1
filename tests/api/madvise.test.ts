import { closeSync, openSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  MADV_DONTNEED,
  MADV_HWPOISON,
  MADV_NORMAL,
  MADV_PROTECT,
  MADV_RANDOM,
  MADV_REMOVE,
  MADV_SEQUENTIAL,
  MADV_SOFT_OFFLINE,
  MADV_WILLNEED,
  MMap,
  PAGESIZE,
  PROT_READ,
} from "../../lib/mod.ts";
import { EMULATED, newFile, refuses, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("api/madvise");

/** What Windows has in another way is in systems/windows.test.ts. */
const posix = unless(WINDOWS && "it is about POSIX's flags, devices, modes, blocks or errors", test);

unless(MADV_REMOVE === undefined && "this system has no MADV_REMOVE", posix)(
  "madvise() refuses MADV_REMOVE on a map that cannot be written",
  () => {
    const path = newFile(new Uint8Array(2 * PAGESIZE).fill(97));
    const fd = openSync(path, "r+");
    using mm = new MMap(fd, 0, { prot: PROT_READ });
    closeSync(fd);
    refuses(TypeError, () => mm.madvise(MADV_REMOVE), "PROT_WRITE");
    assert.is(readFileSync(path)[0], 97);
  },
);

test("madvise() names the constants to the one who passes the name of an advice", () => {
  using mm = MMap.open(newFile(new Uint8Array(10)));
  for (const name of ["random", "MADV_RANDOM"]) {
    refuses(TypeError, () => mm.madvise(name as never), "option must be an integer", `"${name}"`, "MADV_SEQUENTIAL");
  }
});

posix("madvise() takes the system's advice, for the whole map or a part", () => {
  const path = newFile(new Uint8Array(PAGESIZE * 4).fill(1));
  using mm = MMap.open(path);
  for (const advice of [MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED]) {
    mm.madvise(advice);
    mm.madvise(advice, PAGESIZE);
    mm.madvise(advice, PAGESIZE, 100);
    mm.madvise(advice, 0, PAGESIZE * 100);
  }
  assert.is(mm[PAGESIZE], 1);
});

posix("madvise() with MADV_DONTNEED discards the given pages only", () => {
  const path = newFile(new Uint8Array(PAGESIZE * 4).fill(1));
  using mm = MMap.open(path, { access: "copy" });
  mm.bytes.fill(2);
  mm.madvise(MADV_DONTNEED, PAGESIZE, PAGESIZE);
  assert.equal([mm[PAGESIZE - 1], mm[PAGESIZE], mm[2 * PAGESIZE - 1], mm[2 * PAGESIZE]], [2, 1, 1, 2]);
  refuses(RangeError, () => mm.madvise(MADV_DONTNEED, 1), "start", "1", "PAGESIZE");
  refuses(RangeError, () => mm.madvise(MADV_DONTNEED, PAGESIZE * 4), "start");
  assert.equal([mm[0], mm[2 * PAGESIZE]], [2, 2]);
});

posix("madvise() aligns its start to pages of the file when the map's offset is odd", () => {
  const path = newFile(new Uint8Array(PAGESIZE * 4));
  using mm = MMap.open(path, { offset: 100 });
  mm.madvise(MADV_RANDOM);
  mm.madvise(MADV_RANDOM, PAGESIZE - 100, PAGESIZE);
  const where = `got ${PAGESIZE}, at ${PAGESIZE + 100}`;
  refuses(RangeError, () => mm.madvise(MADV_RANDOM, PAGESIZE), "start", String(PAGESIZE), where);
});

posix("madvise() refuses advice that the system lacks, or that makes a later access fatal", () => {
  using mm = MMap.open(newFile(new Uint8Array(PAGESIZE)));
  assert.is(MADV_PROTECT, undefined);
  refuses(TypeError, () => mm.madvise(MADV_PROTECT), "option", "undefined");
  refuses(RangeError, () => mm.madvise(12345), "option", "12345");
  // MADV_GUARD_INSTALL, after which a touch is a SIGSEGV.
  refuses(RangeError, () => mm.madvise(102), "option", "102");
  refuses(RangeError, () => mm.madvise(MADV_HWPOISON), "option", "MADV_HWPOISON");
});

unless(MADV_SOFT_OFFLINE === undefined && "this system has no MADV_SOFT_OFFLINE", posix)(
  "madvise() refuses MADV_SOFT_OFFLINE, which takes pages of the machine away",
  () => {
    using mm = MMap.open(newFile(new Uint8Array(PAGESIZE)));
    refuses(RangeError, () => mm.madvise(MADV_SOFT_OFFLINE), "option", "MADV_SOFT_OFFLINE");
  },
);

unless(EMULATED && "QEMU answers advice itself, most of it by doing nothing", posix)(
  "madvise() throws where the system refuses the advice",
  () => {
    using anonymous = MMap.anonymous(PAGESIZE);
    // MADV_FREE is for private memory.
    refuses("EINVAL", () => anonymous.madvise(8), "madvise");
  },
);

test.run();
