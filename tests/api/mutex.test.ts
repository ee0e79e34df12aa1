import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import type { Platform } from "../../platform/types.ts";
import { recorded, withPlatform } from "../helpers/platform.ts";
import {
  collectGarbage,
  commandFor,
  holds,
  NEEDS_LOCK_FILE,
  newFile,
  newProgram,
  printedBy,
  refuses,
  rejects,
  runFile,
  unless,
  WINDOWS,
  WORKERS,
} from "../helpers/support.ts";

const test = suite("api/mutex");

const newPath = () => newFile(new Uint8Array(4096));
const open = (path: string) => MMap.open(path, { access: "write" });

test("one map at a time holds the mutex", async () => {
  const path = newPath();
  using first = open(path);
  using second = open(path);
  const [one, two] = [first.mutex(8), second.mutex(8)];
  assert.is(one.tryAcquire(), "ok");
  assert.is(two.tryAcquire(), undefined);
  assert.is(two.acquire(0), "timed-out");
  assert.is(two.acquire(120), "timed-out", "the owner is asked for, and lives");
  assert.is(await two.acquireAsync({ timeout: 120 }), "timed-out");
  assert.is(first.mutex(16).tryAcquire(), "ok", "another mutex");
  first.mutex(16).release();
  const waiting = two.acquireAsync();
  await setTimeout(70);
  one.release();
  assert.is(await waiting, "ok");
  assert.is(one.tryAcquire(), undefined);
  two.release();
  assert.is(one.acquire(), "ok");
  one.release();
  assert.is(first.view(Int32Array, 8, 1)[0], 0, "a free mutex is zeros");
});

test("mutex() returns the same object for a place", () => {
  using mm = open(newPath());
  assert.is(mm.mutex(8), mm.mutex(8));
  assert.is.not(mm.mutex(8), mm.mutex(16));
});

// Disposed of twice, or after release(), it released the mutex of a task that had acquired it since.
test("what hold() returns releases its own turn, and only once", async () => {
  const path = newPath();
  using first = open(path);
  using second = open(path);
  const [mutex, other] = [first.mutex(0), second.mutex(0)];
  for (const release of [(held: Disposable) => held[Symbol.dispose](), () => mutex.release()]) {
    const held = mutex.hold();
    const waiting = mutex.acquireAsync();
    release(held);
    held[Symbol.dispose]();
    assert.is(await waiting, "ok");
    held[Symbol.dispose]();
    assert.is(other.tryAcquire(), undefined, "the task holds it");
    mutex.release();
    held[Symbol.dispose]();
    assert.is(other.tryAcquire(), "ok");
    other.release();
  }
});

test("recursive acquire() and release() without holding it are errors", async () => {
  using mm = open(newPath());
  const mutex = mm.mutex(0);
  refuses(TypeError, () => mutex.release(), "is not held by this map");
  mutex.acquire();
  refuses(TypeError, () => mutex.acquire(), "is held by this map already");
  refuses(TypeError, () => mutex.hold(), "is held by this map already");
  assert.is(mutex.tryAcquire(), undefined);
  const order: string[] = [];
  const tasks = ["a", "b", "c"].map(async (name) => {
    assert.is(await mutex.acquireAsync(), "ok");
    order.push(name);
    await setTimeout(1);
    order.push(name);
    mutex.release();
  });
  await setTimeout(10);
  assert.equal(order, []);
  mutex.release();
  await Promise.all(tasks);
  assert.is(order.length, 6);
  for (let index = 0; index < 6; index += 2) assert.is(order[index], order[index + 1], "the tasks take turns");
  refuses(TypeError, () => mutex.release(), "is not held");
});

test("hold() releases at the end of the block", () => {
  const path = newPath();
  using mm = open(path);
  using other = open(path);
  const mutex = mm.mutex(0);
  {
    using held = mutex.hold();
    assert.is(held.abandoned, false);
    assert.is(other.mutex(0).tryAcquire(), undefined);
  }
  assert.is(other.mutex(0).tryAcquire(), "ok");
  other.mutex(0).release();
});

test("close(), resize() and remap() throw while a mutex is held, and change nothing", async () => {
  const path = newPath();
  const mm = open(path);
  const mutex = mm.mutex(0);
  mutex.acquire();
  refuses(TypeError, () => mm.close(), "close() needs mutexes to be released, and the map holds 1");
  refuses(TypeError, () => mm.resize(8192), "resize() needs mutexes");
  refuses(TypeError, () => mm.remap(), "remap() needs mutexes");
  assert.is(mm.length, 4096);
  mutex.release();
  mm.resize(8192);
  assert.is(mutex.acquire(), "ok", "it is used on after a resize");
  mutex.release();
  using other = open(path);
  other.mutex(0).acquire();
  const waiting = mutex.acquireAsync();
  await setTimeout(5);
  mm.close();
  await rejects("ERR_MMAP_CLOSED", waiting);
  refuses("ERR_MMAP_CLOSED", () => mutex.tryAcquire());
  refuses("ERR_MMAP_CLOSED", () => mutex.acquire());
  await rejects("ERR_MMAP_CLOSED", mutex.acquireAsync());
  other.mutex(0).release();
  other.close();
  holds(path, 0, 0);
});

test("a mutex that is held keeps its map from being garbage-collected", async () => {
  const path = newPath();
  (() => open(path).mutex(0).acquire())();
  (() => open(path).mutex(8).tryAcquire())();
  await collectGarbage();
  using mm = open(path);
  assert.is(mm.mutex(0).tryAcquire(), undefined);
  assert.is(mm.mutex(8).tryAcquire(), undefined);
});

test("acquireAsync() ends with the signal's reason", async () => {
  const path = newPath();
  using mm = open(path);
  using other = open(path);
  other.mutex(0).acquire();
  const reason = new Error("enough");
  const controller = new AbortController();
  const waiting = mm
    .mutex(0)
    .acquireAsync({ signal: controller.signal })
    .catch((error) => error);
  await setTimeout(20);
  controller.abort(reason);
  assert.is(await waiting, reason);
  other.mutex(0).release();
  const late = mm.mutex(0).acquireAsync({ signal: controller.signal });
  assert.is(await late.catch((error) => error), reason, "aborted before, and not acquired");
  assert.is(mm.mutex(0).tryAcquire(), "ok");
  mm.mutex(0).release();
});

test("mutex() checks its place and its map", () => {
  const path = newPath();
  using mm = open(path);
  refuses(RangeError, () => mm.mutex(4), "byteOffset must be at a multiple of 8 in the file: got 4");
  refuses(RangeError, () => mm.mutex(4096), "from 0 to 4088");
  refuses(TypeError, () => mm.mutex(1.5), "byteOffset");
  using reader = MMap.open(path);
  refuses(TypeError, () => reader.mutex(0), 'access is "read"');
  using copy = MMap.open(path, { access: "copy" });
  refuses(TypeError, () => copy.mutex(0), "mutex() needs a map that shares its memory");
  using untracked = MMap.open(path, { access: "write", trackfd: false });
  refuses(TypeError, () => untracked.mutex(0), "mutex() needs a map with a descriptor or a name");
  using memory = MMap.anonymous(4096);
  if (memory.fd === -1) {
    refuses(TypeError, () => memory.mutex(0), "mutex() needs a map with a descriptor or a name");
    return;
  }
  assert.is(memory.mutex(0).tryAcquire(), "ok", "shared anonymous memory has one");
  memory.mutex(0).release();
});

unless(process.platform === "darwin" && "memory of shm_open has no locks", test)("named memory has mutexes", () => {
  const name = `mmap-ffi-${process.pid}`;
  using first = MMap.shared(name, { create: true, exclusive: true, length: 4096 });
  try {
    using second = MMap.shared(name, { length: 4096 });
    assert.is(first.mutex(0).tryAcquire(), "ok");
    assert.is(second.mutex(0).tryAcquire(), undefined, "its owner lives");
    first.mutex(0).release();
    assert.is(second.mutex(0).acquire(), "ok");
    second.mutex(0).release();
    if (!NEEDS_LOCK_FILE) {
      second.view(Int32Array)[0] = 12345;
      assert.is(second.mutex(0).tryAcquire(), "abandoned", "an owner that never was");
      second.mutex(0).release();
    }
    const holding = newProgram(
      `MMap.shared(process.argv[2], { length: 4096 }).mutex(0).acquire();
         process.kill(process.pid, "SIGKILL");`,
    );
    // Windows has no signals, and an exit code of 1.
    const { code, signal, stderr } = runFile(holding, { args: [name] });
    assert.is(signal ?? code, WINDOWS ? 1 : "SIGKILL", stderr);
    assert.is(second.mutex(0).tryAcquire(), "abandoned");
    second.mutex(0).release();
  } finally {
    MMap.unlink(name);
  }
});

test("an owner that is killed abandons its mutex; whoever waits inherits it, once", async () => {
  const path = newPath();
  using mm = open(path);
  using other = open(path);
  const words = mm.view(Int32Array);
  for (const how of ["tryAcquire", "acquire", "acquireAsync"] as const) {
    words[2] = 0;
    const { program, args, env } = commandFor(
      newProgram(
        `const mm = MMap.open(process.argv[2], { access: "write" });
         mm.mutex(0).acquire();
         Atomics.store(mm.view(Int32Array), 2, 1);
         setTimeout(() => {}, 100_000);`,
      ),
      { args: [path] },
    );
    const child = spawn(program, args, { env, stdio: "inherit" });
    const closed = once(child, "exit");
    while (Atomics.load(words, 2) === 0) await setTimeout(5);
    const waiting = how === "acquireAsync" ? mm.mutex(0).acquireAsync() : undefined;
    assert.is(mm.mutex(0).tryAcquire(), undefined);
    process.kill(child.pid as number, "SIGKILL");
    await closed;
    const got = waiting === undefined ? mm.mutex(0)[how]() : await waiting;
    assert.is(got, "abandoned", how);
    assert.is(other.mutex(0).tryAcquire(), undefined, "it has one owner");
    mm.mutex(0).release();
    assert.is(other.mutex(0).tryAcquire(), "ok");
    other.mutex(0).release();
  }
});

test("workers and processes count under a mutex, and none is lost", async () => {
  const path = newPath();
  const source = `${WORKERS}
     const path = process.argv[2] ?? workerData.path;
     if (isMainThread) {
       await Promise.all([0, 1].map(() => startWorker({ path })));
       console.log("joined");
     } else {
       const mm = MMap.open(path, { access: "write" });
       const mutex = mm.mutex(0);
       const words = mm.view(Int32Array);
       for (let round = 0; round < 500; round++) {
         const got = round % 2 === 0 ? mutex.acquire() : await mutex.acquireAsync();
         if (got !== "ok") throw new Error(got);
         const before = words[4];
         words[5] = round;
         words[4] = before + 1;
         mutex.release();
       }
     }`;
  const { program, args, env } = commandFor(newProgram(source), { args: [path] });
  const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "inherit"] });
  const closed = once(child, "exit");
  assert.is(printedBy(source, { args: [path] }), "joined");
  assert.equal(await closed, [0, null]);
  using mm = open(path);
  assert.is(mm.view(Int32Array)[4], 2000);
});

test("a mutex that is released while acquire() looks is acquired without asking its owner for a wake-up", () => {
  const path = newPath();
  const wakes: string[] = [];
  let release = () => {};
  const change = ({ ownerLocks, waiting }: Platform): Partial<Platform> => ({
    ownerLocks: ownerLocks && {
      open(descriptor, name) {
        const lock = ownerLocks.open(descriptor, name);
        return {
          ...lock,
          isTaken(id) {
            release();
            return lock.isTaken(id);
          },
        };
      },
    },
    waiting: waiting && { ...waiting, wake: recorded(wakes, "wake", waiting.wake) },
  });
  withPlatform(change, () => {
    using mm = open(path);
    using other = open(path);
    const word = other.view(Int32Array, 0, 1);
    other.mutex(0).acquire();
    release = () => {
      release = () => {};
      other.mutex(0).release();
    };
    assert.is(mm.mutex(0).acquire(), "ok");
    assert.is.not(word[0], 0, "it has an owner");
    assert.is(other.mutex(0).tryAcquire(), undefined);
    mm.mutex(0).release();
    assert.is(word[0], 0);
    assert.equal(wakes, [], "nobody was waiting");
  });
});

test.run();
