/**
 * Processes that share a map, compared with what runtimes have for processes: round trips, messages, and locks.
 *
 * @module
 */

import { once } from "node:events";
import { rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import process from "node:process";
import { Queue } from "../examples/queue.ts";
import { MMap } from "../lib/mod.ts";
import { type Data, KiB } from "./data.ts";
import { flock, LOCK_EX, LOCK_UN } from "./flock.ts";
import { type Bench, here, type Peer, type Timed } from "./harness.ts";
import * as ways from "./sharing-ways.ts";

/** How many waits are pending beside other work. */
const PENDING = 100;

/** Whether the runtime has no thread for asynchronous waits. */
const POLLS = process.versions.bun !== undefined || process.env.MMAP_FFI === "node";

async function roundTrips(bench: Bench, path: string): Promise<void> {
  const name = "round trip between two processes, wait";
  const socket = await ways.bySocket(`${path}.socket`);
  const send = await ways.bySend();
  const others = [
    { name: "a stdio pipe", way: await ways.byPipe() },
    { name: "worker.postMessage", way: await ways.byPostMessage() },
    { name: "Atomics.wait, two threads", way: await ways.byAtomics() },
  ];
  const map = await ways.byMap(`${path}.map`, "map");
  const inC = ways.byC(dirname(path));
  if (inC === undefined) bench.miss(name, "futexes in C", "no gcc");
  // The scheduler decides anew where the processes run.
  const options = { noisy: true };
  const peers: Peer[] = [
    ...(inC === undefined ? [] : [{ name: "futexes in C", target: 1.5, time: inC }]),
    { name: "a Unix socket", target: 0.5, time: socket.time },
    { name: "process.send", time: send.time },
    ...others.map(({ name, way }) => ({ name, time: way.time })),
    ...(bench.quick ? [] : ways.multiprocessing()),
  ];
  await bench.compare(name, map.time, peers, options);
  await map.end();
  const later = await ways.byMap(`${path}.async`, "async");
  const asynchronous: Peer[] = [
    { name: "process.send", target: POLLS ? 1.5 : 1, time: send.time },
    { name: "a Unix socket", time: socket.time },
  ];
  await bench.compare("round trip between two processes, waitAsync", later.time, asynchronous, options);
  for (const way of [later, send, socket, ...others.map(({ way }) => way)]) await way.end();
}

/** Sends a batch of messages of one size, and waits until the other process has them. */
async function messages(bench: Bench, path: string, size: number): Promise<void> {
  const small = size < KiB;
  // 256 KiB or 16 MiB: more than buffers hold, so that both sides work at once.
  const batch = small ? 4096 : 256;
  const message = new Uint8Array(size);
  // Another runtime may have left a queue there.
  rmSync(path, { force: true });
  const acknowledged = ways.newMap(`${path}.ack`);
  const words = acknowledged.view(Int32Array, 0, 1);
  const child = ways.start(["queue", path, String(batch), `${path}.ack`]);
  const queue = new Queue(path, "send");
  const byQueue = () => {
    const seen = Atomics.load(words, 0);
    for (let sent = 0; sent < batch; sent++) queue.send(message);
    while (Atomics.load(words, 0) === seen) acknowledged.wait(0, seen);
  };
  const { socket, end } = await ways.connected(`${path}.socket`, ["sink-socket", String(batch)]);
  const bySocket = ways.streamTrip(socket, () => {
    for (let sent = 0; sent < batch; sent++) {
      // A stream has no messages, so each follows its length, as in the queue.
      const frame = new Uint8Array(4 + size);
      new DataView(frame.buffer).setUint32(0, size, true);
      frame.set(message, 4);
      socket.write(frame);
    }
  });
  const receiver = await ways.forked("sink-send", String(batch));
  const text = "x".repeat(size);
  const bySend = async () => {
    const answer = once(receiver, "message");
    for (let sent = 0; sent < batch; sent++) receiver.send(text);
    await answer;
  };
  const peers: Peer[] = [
    { name: "a Unix socket", target: small ? 1 / 5 : 1 / 2, time: here(bySocket) },
    { name: "process.send", ...(small ? { target: 1 / 10 } : {}), time: here(bySend) },
  ];
  const shown = small ? `${size} bytes` : `${size / KiB} KiB`;
  await bench.compare(`examples/queue.ts, messages of ${shown}`, here(byQueue), peers, { per: batch });
  const ended = [once(child, "exit"), once(receiver, "exit")];
  queue.send(new Uint8Array());
  receiver.disconnect();
  await Promise.all([...ended, end()]);
  acknowledged.close();
}

async function locks(bench: Bench, path: string): Promise<void> {
  const mm = ways.newMap(path);
  const words = mm.view(Int32Array, 0, 2);
  const mutex = mm.mutex(64);
  const byMutex = here(() => {
    while (mutex.tryAcquire() === undefined);
    mutex.release();
  });
  const turns = () => {
    for (let turn = 0; turn < 1000; turn++) {
      mutex.tryAcquire();
      mutex.release();
    }
  };
  const { nanoseconds } = await here(turns)(1000);
  bench.tell("tryAcquire and release, uncontended", nanoseconds / 1e6, "ns", 150);
  const child = ways.start(["contend", path]);
  await ways.started(words, 1);
  const set = (what: number) => {
    Atomics.store(words, 0, what);
    mm.notify(0);
  };
  /** While the other process does the same. */
  const contended =
    (what: number, time: Timed): Timed =>
    async (count) => {
      set(what);
      const result = await time(count);
      set(0);
      return result;
    };
  const byFlock = here(() => {
    flock(mm.fd, LOCK_EX);
    flock(mm.fd, LOCK_UN);
  });
  await bench.compare("tryAcquire and release, contended by two processes", contended(1, byMutex), [
    { name: "flock", target: 1, time: contended(2, byFlock) },
  ]);
  const ended = once(child, "exit");
  set(-1);
  await ended;
  mm.close();
}

async function pendingWaits(bench: Bench, path: string): Promise<void> {
  using mm = MMap.open(path, { access: "write" });
  const reading = here(() => readFile(path));
  const beside: Timed = async (count) => {
    const controller = new AbortController();
    const waits = Array.from({ length: PENDING }, (_, index) =>
      mm.waitAsync(4 * index, 0, { signal: controller.signal }).catch(() => {}),
    );
    // By then they no longer look at the word in each turn of the event loop.
    await new Promise((resolve) => setTimeout(resolve, bench.quick ? 50 : 500));
    const result = await reading(count);
    controller.abort();
    await Promise.all(waits);
    return result;
  };
  await bench.compare(`fs.readFile beside ${PENDING} pending waitAsync calls`, beside, [
    { name: "without them", target: 1.1, time: reading },
  ]);
}

export default async function (bench: Bench, data: Data): Promise<void> {
  const path = data.file("text", 4096);
  await roundTrips(bench, path);
  await messages(bench, `${path}.small`, 64);
  if (!bench.quick) await messages(bench, `${path}.large`, 64 * KiB);
  await locks(bench, `${path}.locks`);
  ways.newMap(`${path}.waits`).close();
  await pendingWaits(bench, `${path}.waits`);
}
