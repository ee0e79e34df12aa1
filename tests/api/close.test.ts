import { closeSync, fstatSync, openSync, truncateSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import {
  collectGarbage,
  newFile,
  printedBy,
  refuses,
  unless,
  WINDOWS,
  WORKERS,
  withoutDescriptors,
} from "../helpers/support.ts";

const test = suite("api/close");

test("[Symbol.dispose]() closes the map at the end of a block", () => {
  let kept: MMap;
  {
    using mm = MMap.anonymous(10);
    kept = mm;
    assert.is(kept.closed, false);
  }
  assert.is(kept.closed, true);
});

test("close() makes every method throw ERR_MMAP_CLOSED; closed, access, offset and fd stay readable", () => {
  const mm = MMap.anonymous(10);
  const { bytes } = mm;
  mm.close();
  mm.close();
  mm[Symbol.dispose]();
  assert.is(mm.closed, true);
  assert.is(mm.access, "default");
  assert.is(mm.offset, 0);
  assert.is(mm.fd, -1);
  const calls: Record<string, () => unknown> = {
    length: () => mm.length,
    index: () => mm[0],
    assignIndex: () => {
      mm[0] = 1;
    },
    at: () => mm.at(0),
    slice: () => mm.slice(),
    assign: () => mm.assign("0123456789"),
    iterate: () => [...mm],
    bytes: () => mm.bytes,
    buffer: () => mm.buffer,
    view: () => mm.view(Uint8Array),
    read: () => mm.read(),
    readByte: () => mm.readByte(),
    readline: () => mm.readline(),
    lines: () => mm.lines(),
    write: () => mm.write(""),
    writeByte: () => mm.writeByte(1),
    seek: () => mm.seek(0),
    tell: () => mm.tell(),
    seekable: () => mm.seekable(),
    find: () => mm.find("a"),
    rfind: () => mm.rfind("a"),
    search: () => mm.search(/a/),
    matchAll: () => mm.matchAll(/a/),
    move: () => mm.move(0, 0, 0),
    resize: () => mm.resize(10),
    size: () => mm.size(),
    flush: () => mm.flush(),
    madvise: () => mm.madvise(0),
    lock: () => mm.lock(),
    unlock: () => mm.unlock(),
    residency: () => mm.residency(),
    prefault: () => mm.prefault(),
  };
  for (const [name, call] of Object.entries(calls)) {
    refuses("ERR_MMAP_CLOSED", call, "closed");
    assert.ok(name);
  }
  assert.instance(bytes, Uint8Array);
});

const described = unless(withoutDescriptors, test);

described("close() and garbage collection leave the user's descriptor open", async () => {
  const fd = openSync(newFile("content"), "r");
  new MMap(fd, 0, { access: "read" }).close();
  (() => new MMap(fd, 0, { access: "read" }))();
  await collectGarbage();
  assert.is(fstatSync(fd).size, 7);
  closeSync(fd);
});

test("close() closes the descriptor once, because its number may be reused", async () => {
  const mm = MMap.open(newFile("one"));
  const number = mm.fd;
  mm.close();
  const fds = Array.from({ length: 30 }, () => openSync(newFile("two"), "r"));
  mm.close();
  mm[Symbol.dispose]();
  await collectGarbage();
  for (const fd of fds) assert.is(fstatSync(fd).size, 3);
  assert.ok(number > 2 || WINDOWS, "Windows has handles, and gives no number");
  for (const fd of fds) closeSync(fd);
});

/** What Windows has in another way is in systems/windows.test.ts. */
const posix = unless(WINDOWS && "Windows has no prot, and shortens no file that is mapped", test);

posix("size() and close() touch no page of a file that shrank", () => {
  const path = newFile(new Uint8Array(20_000));
  using mm = MMap.open(path);
  truncateSync(path, 10);
  assert.is(mm.size(), 10);
  mm.close();
});

// Node keeps a record of the descriptors that a worker has opened by node:fs. One that is closed by C stays in it: Node warns
// when its number is used again, and closes that when the worker ends.
test("close() closes by node:fs what open() has opened by it, in a worker", () => {
  const printed = printedBy(
    `${WORKERS}
    import { setImmediate } from "node:timers/promises";
    import { writeSync } from "node:fs";
    if (isMainThread) await startWorker(process.argv[2]);
    else {
      let warnings = 0;
      process.on("warning", ({ message }) => {
        if (message.includes("unmanaged")) warnings++;
      });
      for (let round = 0; round < 3; round++) {
        MMap.open(workerData).close();
        await setImmediate();
      }
      writeSync(1, warnings + " warnings");
    }`,
    { args: [newFile("abc")] },
  );
  assert.is(printed, "0 warnings");
});

test.run();
