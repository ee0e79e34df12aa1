import { setTimeout } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Access, MAP_PRIVATE, MMap, PROT_READ } from "../../lib/mod.ts";
import { platform } from "../../lib/platform.ts";
import { collectGarbage, newFile, printedBy, refuses, rejects, unless, WINDOWS, WORKERS } from "../helpers/support.ts";

const test = suite("api/wait");

/** A map of a new file of zeros. */
function newMap(length = 4096): { path: string; mm: MMap; words: Int32Array } {
  const path = newFile(new Uint8Array(length));
  const mm = MMap.open(path, { access: "write" });
  return { path, mm, words: mm.view(Int32Array) };
}

test("wait() and waitAsync() return at once for another value, and after the timeout", async () => {
  const { mm, words } = newMap();
  words[1] = -5;
  assert.is(mm.wait(4, 0), "not-equal");
  assert.is(await mm.waitAsync(4, 0), "not-equal");
  for (const timeout of [0, -1, Number.NEGATIVE_INFINITY, 3]) {
    assert.is(mm.wait(4, -5, timeout), "timed-out", `${timeout}`);
    assert.is(await mm.waitAsync(4, -5, { timeout }), "timed-out", `${timeout}`);
  }
  assert.is(mm.wait(4, 2 ** 32 - 5, 1), "timed-out", "an unsigned value");
  assert.is(mm.notify(4), 0);
  mm.close();
});

test("wait() past the slice returns after its timeout, and not before", () => {
  const { mm } = newMap();
  const began = performance.now();
  assert.is(mm.wait(0, 0, 250), "timed-out");
  assert.ok(performance.now() - began >= 249);
  mm.close();
});

test("a timeout of NaN or Infinity is endless", async () => {
  const { path, mm, words } = newMap();
  for (const timeout of [Number.NaN, Number.POSITIVE_INFINITY, undefined]) {
    Atomics.store(words, 0, 0);
    const waiting = mm.waitAsync(0, 0, { timeout });
    assert.is(await Promise.race([waiting, setTimeout(150, "pending")]), "pending");
    using other = MMap.open(path, { access: "write" });
    Atomics.store(other.view(Int32Array), 0, 1);
    other.notify(0);
    assert.is(await waiting, "ok");
  }
  mm.close();
});

const polls =
  platform().waiting?.background === undefined && "waitAsync() polls here, and sees no wake-up without a change";

unless(polls, test)(
  "waitAsync() ends by notify() of a word that has not changed, and only the wait that was woken",
  async () => {
    const { mm } = newMap();
    const ended: string[] = [];
    const wait = async (byteOffset: number) => {
      ended.push(`${byteOffset}: ${await mm.waitAsync(byteOffset, 0, { timeout: 60_000 })}`);
    };
    const [woken, other] = [wait(8), wait(4)];
    while (ended.length === 0) {
      mm.notify(8);
      await setTimeout(5);
    }
    assert.equal(ended, ["8: ok"]);
    await woken;
    Atomics.store(mm.view(Int32Array), 1, 1);
    mm.notify(4);
    await other;
    assert.equal(ended, ["8: ok", "4: ok"]);
    mm.close();
  },
);

unless(polls, test)("a wait that was woken before its signal is aborted ends with ok", async () => {
  const { mm } = newMap();
  const controller = new AbortController();
  const waiting = mm.waitAsync(8, 0, { signal: controller.signal, timeout: 60_000 });
  while (mm.notify(8) === 0) await setTimeout(5);
  controller.abort();
  assert.is(await waiting, "ok");
  mm.close();
});

test("arguments are checked", async () => {
  const { mm } = newMap(4096);
  const both = async (kind: typeof TypeError | typeof RangeError, values: unknown[], ...parts: string[]) => {
    const [byteOffset, value, timeout] = values as [number, number, number];
    refuses(kind, () => mm.wait(byteOffset, value, timeout), ...parts);
    await rejects(kind, mm.waitAsync(byteOffset, value, { timeout }), ...parts);
  };
  await both(RangeError, [2, 0], "byteOffset must be at a multiple of 4 in the file: got 2");
  await both(RangeError, [4096, 0], "byteOffset must be from 0 to 4092: got 4096");
  await both(RangeError, [-4, 0], "byteOffset", "-4");
  await both(TypeError, ["0", 0], "byteOffset must be an integer");
  await both(RangeError, [0, 2 ** 32], "value must be from -2147483648 to 4294967295: got 4294967296");
  await both(RangeError, [0, -(2 ** 31) - 1], "value");
  await both(TypeError, [0, 1n], "value must be an integer: got 1n");
  await both(TypeError, [0, 0, "1"], "timeout must be a number of milliseconds");
  refuses(RangeError, () => mm.notify(1), "multiple of 4");
  refuses(RangeError, () => mm.notify(0, -1), "count");
  refuses(TypeError, () => mm.notify(0, 1.5), "count");
  for (const signal of [{}, { aborted: false }, { addEventListener() {} }, null, 1] as unknown as AbortSignal[]) {
    await rejects(TypeError, mm.waitAsync(0, 0, { signal, timeout: 1 }), "signal must be an AbortSignal");
  }
  await rejects(TypeError, mm.waitAsync(0, 0, { time: 1 } as object), '"time" is not an option of waitAsync()');
  await rejects(TypeError, mm.waitAsync(0, 0, 5 as never), "options must be an object");
  mm.close();
  refuses("ERR_MMAP_CLOSED", () => mm.wait(0, 0));
  refuses("ERR_MMAP_CLOSED", () => mm.notify(0));
  await rejects("ERR_MMAP_CLOSED", mm.waitAsync(0, 0));
});

test("the alignment counts from the start of the file", () => {
  const { path } = newMap();
  using mm = MMap.open(path, { access: "write", offset: 6 });
  refuses(RangeError, () => mm.wait(0, 0, 0), "got 0, at 6 in the file");
  assert.is(mm.wait(2, 0, 0), "timed-out");
});

test("private maps are refused: a wait would copy their page", async () => {
  const { path } = newMap();
  for (const access of ["read", "copy"] as Access[]) {
    if (WINDOWS && access === "read") continue;
    using mm = MMap.open(path, { access });
    refuses(TypeError, () => mm.wait(0, 0, 0), 'wait() needs a map that shares its memory: use access: "write"');
    await rejects(TypeError, mm.waitAsync(0, 0, { timeout: 0 }), "waitAsync() needs");
    refuses(TypeError, () => mm.notify(0), "notify() needs");
  }
});

const posix = unless(WINDOWS && "there are no flags and prot", test);

posix("wait() on a map by PROT_READ sees what others write", async () => {
  const { path, mm, words } = newMap();
  using reader = MMap.open(path, { prot: PROT_READ as number });
  const seen = reader.view(Int32Array);
  assert.is(reader.wait(0, 0, 5), "timed-out");
  assert.is(await reader.waitAsync(0, 0, { timeout: 5 }), "timed-out");
  Atomics.store(words, 0, 7);
  // Not by Atomics.load, which ended Bun on such a page.
  assert.is(seen[0], 7, "the page was not copied");
  for (let round = 0; round < 1e5; round++) reader.wait(0, 0, 0);
  assert.is(reader.wait(0, 0), "not-equal");
  using own = MMap.open(path, { flags: MAP_PRIVATE as number });
  refuses(TypeError, () => own.wait(0, 0, 0), "shares its memory");
  mm.close();
});

test("waitAsync() ends with the signal's reason, before and during", async () => {
  const { mm } = newMap();
  const reason = new Error("enough");
  const thrown = (promise: Promise<unknown>) =>
    promise.then(
      () => undefined,
      (error) => error,
    );
  assert.is(await thrown(mm.waitAsync(0, 0, { signal: AbortSignal.abort(reason) })), reason);
  const controller = new AbortController();
  const two = [0, 4].map((at) => thrown(mm.waitAsync(at, 0, { signal: controller.signal })));
  await setTimeout(30);
  controller.abort(reason);
  assert.equal(await Promise.all(two), [reason, reason]);
  mm.close();
});

test("close(), resize() and remap() end pending waits, early and late", async () => {
  for (const delay of [0, 40]) {
    for (const end of ["close", "resize", "remap"] as const) {
      const { mm, path } = newMap(8192);
      const waits = [mm.waitAsync(0, 0), mm.waitAsync(4096, 0)].map((wait) =>
        rejects("ERR_MMAP_CLOSED", wait, end === "close" ? "the map is closed" : "the map was resized"),
      );
      await setTimeout(delay);
      if (end === "close") mm.close();
      else if (end === "resize") mm.resize(4096 * 5);
      else mm.remap();
      await Promise.all(waits);
      if (end === "close") continue;
      const again = mm.waitAsync(4096, 0);
      using other = MMap.open(path, { access: "write" });
      Atomics.store(other.view(Int32Array), 1024, 1);
      other.notify(4096);
      assert.is(await again, "ok");
      mm.close();
    }
  }
});

test("a resize that throws ends no wait", async () => {
  const { mm, words } = newMap();
  const waiting = mm.waitAsync(0, 0);
  await setTimeout(20);
  refuses(RangeError, () => mm.resize(0));
  assert.is(await Promise.race([waiting, setTimeout(50, "pending")]), "pending");
  Atomics.store(words, 0, 1);
  mm.notify(0);
  assert.is(await waiting, "ok");
  mm.close();
});

test("a pending wait keeps its map from being garbage-collected", async () => {
  const path = newFile(new Uint8Array(64));
  const waiting = (() => MMap.open(path, { access: "write" }).waitAsync(8, 0))();
  await collectGarbage();
  using mm = MMap.open(path, { access: "write" });
  Atomics.store(mm.view(Int32Array), 2, 1);
  mm.notify(8);
  assert.is(await waiting, "ok");
});

test("300 waits at once end one by one", async () => {
  const { mm, words } = newMap();
  const ended: number[] = [];
  const waits = Array.from({ length: 300 }, (_, index) =>
    mm.waitAsync(4 * index, 0).then((result) => {
      assert.is(result, "ok");
      ended.push(index);
    }),
  );
  await setTimeout(30);
  for (const index of [299, 0, 150]) {
    Atomics.store(words, index, 1);
    mm.notify(4 * index);
    await waits[index];
  }
  assert.equal(ended, [299, 0, 150]);
  for (let index = 0; index < 300; index++) {
    Atomics.store(words, index, 1);
    mm.notify(4 * index);
  }
  await Promise.all(waits);
  assert.is(ended.length, 300);
  mm.close();
});

test("a worker and the main thread hand a token back and forth, by every pair of calls", () => {
  const path = newFile(new Uint8Array(64));
  const printed = printedBy(
    `${WORKERS}
     const mm = MMap.open(process.argv[2] ?? workerData.path, { access: "write" });
     const words = mm.view(Int32Array);
     // Even: the main thread's turn.
     async function take(mine, other, rounds, later) {
       for (let round = 0; round < rounds; round++) {
         for (let now; (now = Atomics.load(words, 0)) % 2 !== mine; ) {
           if (later) await mm.waitAsync(0, now);
           else mm.wait(0, now);
         }
         Atomics.add(words, 0, 1);
         mm.notify(0);
       }
     }
     const rounds = 200;
     if (isMainThread) {
       const worker = startWorker({ path: process.argv[2] });
       await take(0, 1, rounds, true);
       await take(0, 1, rounds, true);
       await worker;
       console.log(words[0]);
     } else {
       await take(1, 0, rounds, false);
       await take(1, 0, rounds, true);
       mm.close();
     }`,
    { args: [path] },
  );
  assert.is(printed, "800");
});

test.run();
