import { spawn } from "node:child_process";
import { once } from "node:events";
import { truncateSync } from "node:fs";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import {
  collectGarbage,
  commandFor,
  holds,
  newFile,
  newProgram,
  printedBy,
  refuses,
  rejects,
  runChild,
  unless,
  WINDOWS,
} from "../helpers/support.ts";
import { NEEDS_TSX } from "../helpers/workers.ts";

const test = suite("safety/waiting");

/** The start of a program that maps the file of its first argument, in the main thread and in workers. */
const SHARED = `
  import { Worker, isMainThread, workerData } from "node:worker_threads";
  const path = process.argv[2] ?? workerData.path;
  const mm = MMap.open(path, { access: "write" });
  const words = mm.view(Int32Array);
  // Word 0 says that the worker runs.
  const started = async (worker) => {
    worker.on("error", (error) => { console.log(String(error)); process.exit(3); });
    while (Atomics.load(words, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    await new Promise((resolve) => setTimeout(resolve, 30));
  };
  const boot = ${NEEDS_TSX}
    ? 'import("tsx/esm/api").then(({ register }) => { register(); return import("' + import.meta.url + '"); });'
    : new URL(import.meta.url);
  const newWorker = () => new Worker(boot, { eval: ${NEEDS_TSX}, workerData: { path } });
`;

const newWords = () => newFile(new Uint8Array(4096));

for (const how of ["mm.wait(4, 0)", "await mm.waitAsync(4, 0)"]) {
  test(`worker.terminate() ends a worker in ${how}`, () => {
    const printed = printedBy(
      `${SHARED}
       if (isMainThread) {
         const worker = newWorker();
         await started(worker);
         await worker.terminate();
         console.log("terminated");
       } else {
         Atomics.store(words, 0, 1);
         ${how};
       }`,
      { args: [newWords()] },
    );
    assert.is(printed, "terminated");
  });

  test(`process.exit() ends a process of which a worker is in ${how}`, () => {
    const { code, signal, stdout, stderr } = runChild(
      `${SHARED}
       if (isMainThread) {
         await started(newWorker());
         process.exit(7);
       } else {
         Atomics.store(words, 0, 1);
         ${how};
       }`,
      { args: [newWords()] },
    );
    assert.is(signal ?? code, 7, stdout + stderr);
  });
}

for (const count of [4, 40]) {
  test(`fs.readFile() and process.exit() work during ${count} waits`, () => {
    const { code, signal, stdout, stderr } = runChild(
      `${SHARED}
       import { readFile } from "node:fs/promises";
       for (let index = 0; index < ${count}; index++) mm.waitAsync(4 + 4 * index, 0);
       await new Promise((resolve) => setTimeout(resolve, 50));
       const read = await Promise.all(Array.from({ length: 20 }, () => readFile(path)));
       console.log(read.length);
       process.exit(7);`,
      { args: [newWords()] },
    );
    assert.is(signal ?? code, 7, stdout + stderr);
    assert.is(stdout.trim(), "20");
  });
}

// Each had a mapping of its own: a program with as many waits as the system allows mappings crashed.
unless(process.platform !== "linux" && "it reads /proc/self/maps", test)("hundreds of waits take few mappings", () => {
  const path = newWords();
  const printed = printedBy(
    `${SHARED}
     import { readFileSync } from "node:fs";
     const waits = Array.from({ length: 500 }, (_, index) => mm.waitAsync(4 * (index % 1000), 0));
     let most = 0;
     for (let round = 0; round < 30; round++) {
       await new Promise((resolve) => setTimeout(resolve, 20));
       const lines = readFileSync("/proc/self/maps", "latin1").split("\\n");
       most = Math.max(most, lines.filter((line) => line.endsWith(path)).length);
     }
     for (let index = 0; index < 1000; index++) Atomics.store(words, index, 1);
     console.log(most <= 128, new Set(await Promise.all(waits)).size);`,
    { args: [path] },
  );
  assert.is(printed, "true 1");
});

test("a wait that is pending keeps the process running, and one that has ended does not", () => {
  const printed = printedBy(
    `${SHARED}
     mm.waitAsync(4, 0, { timeout: 150 }).then((result) => console.log(result));`,
    { args: [newWords()] },
  );
  assert.is(printed, "timed-out");
});

unless(WINDOWS && "there are no signals", test)("a signal does not end a wait", async () => {
  const path = newWords();
  const { program, args, env } = commandFor(
    newProgram(
      `let signals = 0;
       process.on("SIGUSR2", () => { signals++; });
       // Deno installs the handler in its event loop.
       await new Promise((resolve) => setTimeout(resolve, 50));
       const mm = MMap.open(process.argv[2], { access: "write" });
       Atomics.store(mm.view(Int32Array), 0, 1);
       console.log(mm.wait(4, 0));
       console.log(await mm.waitAsync(8, 0));
       await new Promise((resolve) => setTimeout(resolve, 50));
       console.log(signals > 0);
       process.exit();`,
    ),
    { args: [path] },
  );
  using mm = MMap.open(path, { access: "write" });
  const words = mm.view(Int32Array);
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  child.stdout.on("data", (data) => {
    printed += data;
  });
  const closed = once(child, "close");
  while (Atomics.load(words, 0) === 0) await setTimeout(5);
  for (const at of [1, 2]) {
    for (let signal = 0; signal < 5; signal++) {
      await setTimeout(20);
      process.kill(child.pid as number, "SIGUSR2"); // after child.kill(), Deno reports that the child died of it
    }
    await setTimeout(20);
    Atomics.store(words, at, 1);
    mm.notify(4 * at);
  }
  assert.equal(await closed, [0, null]);
  assert.is(printed.trim(), "ok\nok\ntrue");
});

{
  using probe = MMap.open(newWords(), { access: "write" });
  const guarded = unless(!probe.guarded && "the guard is not supported here", test);

  guarded("a word whose page is lost throws, before a wait and during one", async () => {
    const path = newFile(new Uint8Array(3 * 4096));
    const mm = MMap.open(path, { access: "write" });
    const waiting = [rejects("ERR_MMAP_TRUNCATED", mm.waitAsync(8192, 0)), mm.waitAsync(0, 0, { timeout: 300 })];
    await setTimeout(40);
    truncateSync(path, 4096);
    await waiting[0];
    refuses("ERR_MMAP_TRUNCATED", () => mm.wait(8192, 0));
    refuses("ERR_MMAP_TRUNCATED", () => mm.notify(4096));
    await rejects("ERR_MMAP_TRUNCATED", mm.waitAsync(4096, 0));
    assert.is(await waiting[1], "timed-out");
    assert.is(mm.wait(0, 0, 1), "timed-out", "the page that is left");
    assert.ok(mm.faults > 0);
    mm.close();
  });
}

test("waits that have ended leave nothing mapped", async () => {
  const path = newWords();
  const mm = MMap.open(path, { access: "write" });
  const waits = Array.from({ length: 20 }, (_, index) => mm.waitAsync(4 * index, 0, { timeout: 60 }));
  assert.is((await Promise.all(waits)).join(""), "timed-out".repeat(20));
  holds(path, 1, 1);
  const controller = new AbortController();
  const more = Array.from({ length: 8 }, (_, index) =>
    mm.waitAsync(4 * index, 0, { signal: controller.signal }).catch(() => "aborted"),
  );
  await setTimeout(30);
  controller.abort();
  await Promise.all(more);
  holds(path, 1, 1);
  const last = mm.waitAsync(0, 0);
  await setTimeout(30);
  mm.close();
  await rejects("ERR_MMAP_CLOSED", last);
  await collectGarbage();
  holds(path, 0, 0);
});

test("a map made at the addresses of a closed one is not waited for", async () => {
  for (let round = 0; round < 20; round++) {
    const first = MMap.open(newWords(), { access: "write" });
    const ended = rejects("ERR_MMAP_CLOSED", first.waitAsync(0, 0));
    if (round % 2 === 0) await setTimeout(3);
    first.close();
    const second = MMap.open(newWords(), { access: "write" });
    const waiting = second.waitAsync(0, 0);
    await ended;
    second.assign(Uint8Array.of(1), 0, 1);
    second.notify(0);
    assert.is(await waiting, "ok");
    second.close();
  }
});

test.run();
