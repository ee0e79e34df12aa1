/**
 * Named memory, call by call, against each system's headers and manual pages.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { over, setErrno } from "../helpers/recorder.ts";
import { NAMES_OTHER_ERRORS, refuses, unless } from "../helpers/support.ts";
import { darwin, darwinIntel, freebsd, openbsd, played, type System } from "../helpers/systems.ts";

const test = suite("systems/named");

const posix = unless(NAMES_OTHER_ERRORS, test);

// sys/fcntl.h of all three: O_RDWR 2, O_CREAT 0x200, O_EXCL 0x800. 384 is 0600.
const plain = (flags: number, mode = 384) => `shm_open(&memory[7], ${flags}, ${mode})`;
// macOS: `int shm_open(const char *, int, ...)`. Apple's arm64 passes variadic arguments on the stack, as it does the ninth
// argument of a function that is not variadic; Intel passes the first one in the third register.
const variadic = (flags: number, mode = 384) => `shm_open(&memory[7], ${flags}, ${mode}, 0, 0, 0, 0, 0, ${mode})`;

const SYSTEMS: [name: string, system: System, call: typeof plain][] = [
  ["macOS, arm64", darwin, variadic],
  ["macOS, x64", darwinIntel, variadic],
  ["FreeBSD", freebsd, plain],
  ["OpenBSD", openbsd, plain],
];

for (const [name, system, call] of SYSTEMS) {
  test(`${name}: shared() and unlink() by shm_open and shm_unlink`, () => {
    const ffi = played(system, 0);
    over(system.open, ffi, () => {
      const shared = (...options: Parameters<typeof MMap.shared>) => {
        ffi.take();
        MMap.shared(...options).close();
        return ffi.take().filter((one) => /^(shm_|ftruncate|close)/.test(one));
      };
      const created = shared("visit", { create: true, length: 20_000 });
      // O_EXCL shows whether this call creates it.
      assert.equal(created.slice(0, 3), [call(0xa02), "ftruncate(21, 20000)", "close(21)"]);
      // It has a size now, so nobody gives it another.
      assert.equal(shared("visit", { create: true, exclusive: true, length: 20_000, mode: 0o640 }).slice(0, 2), [
        call(0xa02, 416),
        "close(21)",
      ]);
      assert.is(shared("visit", { access: "read", length: 100 })[0], call(0));
      assert.is(shared("visit", { length: 100 })[0], call(2));
      MMap.unlink("visit");
      assert.equal(ffi.take(), ["shm_unlink(&memory[7])"]);
      refuses(RangeError, () => MMap.shared("visit", { create: true }), "length must be given");
      assert.equal(ffi.take(), []);
    });
  });

  posix(`${name}: what shm_open refuses is an error with the name`, () => {
    const ffi = played(system, 0);
    over(system.open, ffi, () => {
      ffi.play({ shm_open: () => -1, shm_unlink: () => -1 });
      // ENOENT is 2 everywhere.
      setErrno(ffi, 2);
      refuses("ENOENT", () => MMap.shared("visit", { length: 10 }), "shm_open", "visit");
      refuses("ENOENT", () => MMap.unlink("visit"), "shm_unlink", "visit");
      ffi.play({ shm_open: () => 21, ftruncate: () => -1 });
      ffi.take();
      // ENOMEM is 12 everywhere.
      setErrno(ffi, 12);
      refuses("ENOMEM", () => MMap.shared("visit", { create: true, length: 10 }), "ftruncate", "visit");
      const undone = ["shm_unlink(&memory[7])", "close(21)"];
      assert.equal(ffi.take().slice(-2), undone, "memory that this call has made");
      refuses("ENOMEM", () => MMap.shared("visit", { create: true, exclusive: true, length: 10 }));
      assert.equal(ffi.take().slice(-2), undone);
      // EEXIST is 17 everywhere.
      ffi.play({
        shm_open: (_name: Uint8Array, flags: number) => {
          setErrno(ffi, 17);
          return flags & 0x800 ? -1 : 21;
        },
        ftruncate: () => {
          setErrno(ffi, 12);
          return -1;
        },
      });
      refuses("ENOMEM", () => MMap.shared("visit", { create: true, length: 10 }), "ftruncate", "visit");
      const calls = ffi.take().filter((one) => /^(shm_|close)/.test(one));
      assert.equal(calls, [call(0xa02), call(0x202), "close(21)"], "the name of another's memory stays");
      refuses("EEXIST", () => MMap.shared("visit", { create: true, exclusive: true, length: 10 }), "shm_open");
    });
  });

  posix(`${name}: memory that another process gives its size at the same moment is used`, () => {
    const ffi = played(system, 0);
    over(system.open, ffi, () => {
      let size = 0n;
      ffi.play({
        [system.stat]: (...values: (number | Uint8Array)[]) => {
          const memory = new DataView((values.at(-1) as Uint8Array).buffer);
          memory.setUint16(system.modeAt, 0o100644, true);
          memory.setBigInt64(system.sizeAt, size, true);
          return 0;
        },
        // macOS: EINVAL, because it has a size.
        ftruncate: () => {
          size = 20_000n;
          return -1;
        },
      });
      setErrno(ffi, 22);
      const mm = MMap.shared("visit", { create: true, length: 20_000 });
      assert.is(mm.length, 20_000);
      mm.close();
    });
  });
}

test.run();
