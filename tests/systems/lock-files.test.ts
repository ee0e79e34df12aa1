/**
 * The lock files of owners of mutexes, for FreeBSD and OpenBSD: call by call, and on Linux with its own `flock`.
 *
 * @module
 */

import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errorFactory } from "../../lib/errors.ts";
import { lockFiles } from "../../platform/lock-files.ts";
import { lockFilesIn } from "../helpers/lock-files.ts";
import { ERRNO, recorder, setErrno } from "../helpers/recorder.ts";
import { ROOT, WITHOUT_VIEWS } from "../helpers/runtimes.ts";
import { holds, newFile, newPath, printedBy, refuses, runFile, thrown, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("systems/lock-files");

const posix = unless(WINDOWS && "folders have no user and mode there", test);
const linux = unless(
  process.platform !== "linux" ? "it calls Linux's flock" : WITHOUT_VIEWS && "mutexes use views",
  test,
);

/** Lock files of a system whose `flock` fails with `errno`, or does not if that is 0. */
function played(folder: string, errno = 0, user = process.geteuid?.()) {
  const ffi = recorder({ geteuid: () => user as number, flock: () => (errno === 0 ? 0 : -1) });
  setErrno(ffi, errno);
  return { ffi, locks: lockFiles(ffi, ["libc"], ERRNO, errorFactory, { folder: () => folder, wouldBlock: 35 }) };
}

/** The address of a file, as a program imports it. */
const address = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);

/** Prints what an owner's lock calls, and what is in the user's home then. */
const CALLS = (system: string) => `
  import { readdirSync } from "node:fs";
  import { homedir } from "node:os";
  import { ERRNO, recorder, setErrno } from ${address("../helpers/recorder.ts")};
  import { errorFactory } from ${address("../../lib/errors.ts")};
  import { ${system}Platform as open } from ${address(`../../platform/${system}.ts`)};
  const ffi = recorder({
    __error: () => ERRNO,
    __errno: () => ERRNO,
    geteuid: () => process.geteuid(),
    flock: (descriptor, operation) => (operation === 6 ? 0 : -1),
  });
  const { ownerLocks } = open(ffi, errorFactory);
  // errno.h of both: EWOULDBLOCK is EAGAIN, 35.
  setErrno(ffi, 35);
  ffi.take();
  const own = ownerLocks.open(9, undefined);
  const results = [own.take(77), own.isTaken(77), own.isTaken(78)];
  const files = readdirSync(homedir() + "/.mmap-ffi");
  own.close();
  const left = readdirSync(homedir() + "/.mmap-ffi");
  console.log(JSON.stringify([results, files, left, ffi.take().map((call) => call.replace(/\\d+,/, "N,"))]));`;

for (const system of ["freebsd", "openbsd"]) {
  posix(`${system}: an owner's lock is one of flock(2), on a file in the user's home`, () => {
    const home = newPath();
    mkdirSync(home);
    // sys/fcntl.h of both: LOCK_SH 1, LOCK_EX 2, LOCK_NB 4.
    const calls = ["geteuid()", "flock(N, 6)", "flock(N, 5)"];
    const printed = printedBy(CALLS(system), { env: { HOME: home } });
    assert.equal(JSON.parse(printed), [[true, true, true], ["77"], [], calls]);
    assert.is(statSync(join(home, ".mmap-ffi")).mode & 0o777, 0o700);
  });
}

linux("an owner is dead if its lock file is there and not locked; without a file, it counts as alive", () => {
  const folder = newPath();
  const locks = lockFilesIn(folder);
  const [first, second] = [locks.open(-1, undefined), locks.open(-1, undefined)];
  assert.is(first.take(77), true);
  assert.is(second.take(77), false, "two in one thread exclude each other");
  assert.is(second.isTaken(77), true);
  assert.is(second.take(78), true);
  assert.is(first.isTaken(78), true);
  assert.is(first.isTaken(79), true, "no file");
  writeFileSync(join(folder, "80"), "");
  assert.is(first.isTaken(80), false);
  const third = locks.open(-1, undefined);
  assert.is(third.take(80), false, "the number of a dead owner may be in a mutex");
  third.close();
  first.close();
  first.close();
  assert.equal(readdirSync(folder).sort(), ["78", "80"], "an owner that is closed leaves nothing");
  const path = join(folder, "78");
  holds(path, 0, 1);
  assert.is(statSync(path).mode & 0o777, 0o600);
  second.close();
  symlinkSync(newFile(""), join(folder, "81"));
  assert.is((thrown(() => third.isTaken(81)) as Error & { code: string }).code, "ELOOP");
});

posix("a lock file that cannot be locked is removed", () => {
  const folder = newPath();
  const { ffi, locks } = played(folder, 35);
  const own = locks.open(-1, undefined);
  assert.is(own.take(77), false, "EWOULDBLOCK: somebody looks at it");
  // EIO is 5 everywhere.
  setErrno(ffi, 5);
  refuses("EIO", () => own.take(77), "flock");
  assert.equal(readdirSync(folder), []);
  writeFileSync(join(folder, "78"), "");
  refuses("EIO", () => own.isTaken(78), "flock");
  holds(join(folder, "78"), 0, 0);
  own.close();
});

posix("lock files are in no folder that another user could write to", () => {
  const refused = (folder: string, user?: number) => {
    const { ffi, locks } = played(folder, 0, user);
    refuses("EPERM", () => locks.open(-1, undefined), folder, "must be this user's alone to write to, and no link");
    assert.equal(
      ffi.take().filter((call) => call !== "geteuid()"),
      [],
    );
  };
  const own = newPath();
  played(own).locks.open(-1, undefined);
  refused(own, 12_345);
  for (const mode of [0o720, 0o702]) {
    chmodSync(own, mode);
    refused(own);
  }
  chmodSync(own, 0o755);
  played(own).locks.open(-1, undefined);
  const link = newPath();
  symlinkSync(own, link);
  refused(link);
  refused(newFile(""));
  const nowhere = join(newPath(), "none");
  refuses("ENOENT", () => played(nowhere).locks.open(-1, undefined), "mkdir", nowhere, "locks of mutexes");
});

linux("api/mutex passes with lock files", () => {
  const folder = newPath();
  const { code, signal, stdout, stderr } = runFile(join(ROOT, "tests", "all.ts"), {
    args: ["api/mutex"],
    env: { MMAP_TEST_LOCK_FILES: folder },
  });
  assert.is(signal ?? code, 0, stdout + stderr);
  assert.match(stdout, /Passed: +1\d$/m);
  assert.ok(readdirSync(folder).length > 0, "of owners that were killed");
});

linux("owners with lock files are killed, and the mutex is never held twice", () => {
  const folder = newPath();
  const { code, signal, stdout, stderr } = runFile(join(ROOT, "tests", "stress", "mutex.ts"), {
    args: ["4"],
    env: { MMAP_TEST_LOCK_FILES: folder },
  });
  assert.is(signal ?? code, 0, stdout + stderr);
  assert.match(stdout.trim(), /\n4 kills, and the mutex was never held twice$/);
  assert.ok(existsSync(folder));
});

test.run();
