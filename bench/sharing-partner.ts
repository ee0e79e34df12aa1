/**
 * The other process of the topic `sharing`: answers each message or turn, takes messages, or contends for a lock.
 *
 *     sharing-partner.ts map PATH | async PATH | socket PATH | pipe | send
 *     sharing-partner.ts queue PATH ACK | sink-socket BYTES PATH | sink-send | contend PATH
 *
 * @module
 */

import { connect } from "node:net";
import process from "node:process";
import { MMap } from "../lib/mod.ts";

const [how = "", path = "", second = ""] = process.argv.slice(2);

/** How many messages are acknowledged together. `sharing.ts` has the same. */
const BATCH = 256;

async function answerTurns(): Promise<void> {
  const mm = MMap.open(path, { access: "write" });
  const words = mm.view(Int32Array, 0, 2);
  // Word 0 is the turn: odd is this process's, and -1 the end.
  Atomics.store(words, 1, 1);
  for (let turn = 0; turn !== -1; turn = Atomics.load(words, 0)) {
    if (turn % 2 === 1) {
      Atomics.store(words, 0, turn + 1);
      mm.notify(0);
    } else if (how === "map") mm.wait(0, turn);
    else await mm.waitAsync(0, turn);
  }
}

async function receiveFromQueue(): Promise<void> {
  const { Queue } = await import("../examples/queue.ts");
  const mm = MMap.open(second, { access: "write" });
  const words = mm.view(Int32Array, 0, 2);
  const queue = new Queue(path, "receive");
  for (;;) {
    for (let message = 0; message < BATCH; message++) if (queue.receive().length === 0) return;
    Atomics.add(words, 0, 1);
    mm.notify(0);
  }
}

async function contend(): Promise<void> {
  const { flock, LOCK_EX, LOCK_UN } = await import("./flock.ts");
  const mm = MMap.open(path, { access: "write" });
  const words = mm.view(Int32Array, 0, 2);
  const mutex = mm.mutex(64);
  Atomics.store(words, 1, 1);
  // Word 0 says what to contend for; -1 is the end.
  for (let what = 0; what !== -1; what = Atomics.load(words, 0)) {
    if (what === 0) mm.wait(0, 0);
    else if (what === 1) {
      while (mutex.tryAcquire() === undefined);
      mutex.release();
    } else {
      flock(mm.fd, LOCK_EX);
      flock(mm.fd, LOCK_UN);
    }
  }
}

if (how === "map" || how === "async") await answerTurns();
else if (how === "queue") await receiveFromQueue();
else if (how === "contend") await contend();
else if (how === "socket") {
  const socket = connect(path);
  socket.on("data", (data) => socket.write(data));
  socket.on("close", () => process.exit());
} else if (how === "sink-socket") {
  const socket = connect(second);
  let received = 0;
  socket.on("data", (data) => {
    for (received += data.length; received >= Number(path); received -= Number(path)) socket.write("1");
  });
  socket.on("close", () => process.exit());
} else if (how === "pipe") {
  process.stdin.on("data", (data) => process.stdout.write(data));
  process.stdin.on("end", () => process.exit());
} else if (how === "send" || how === "sink-send") {
  let received = 0;
  process.on("message", (message) => {
    if (how === "send" || ++received % BATCH === 0) process.send?.(how === "send" ? message : 1);
  });
  process.on("disconnect", () => process.exit());
  process.send?.("ready");
}
