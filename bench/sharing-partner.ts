/**
 * The other process of the topic `sharing`: answers each message or turn, takes messages, or contends for a lock.
 *
 *     sharing-partner.ts map PATH | async PATH | socket PATH | pipe | send
 *     sharing-partner.ts queue PATH COUNT ACK | sink-socket COUNT PATH | sink-send COUNT | contend PATH
 *
 * A sink acknowledges so many messages together.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { connect } from "node:net";
import process from "node:process";
import { MMap } from "../lib/mod.ts";

const [how = "", path = "", second = "", third = ""] = process.argv.slice(2);

/** The last message: an engine removes copies that nobody uses. */
export let message: Uint8Array;

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
  const mm = MMap.open(third, { access: "write" });
  const words = mm.view(Int32Array, 0, 2);
  const queue = new Queue(path, "receive");
  for (;;) {
    for (let message = 0; message < Number(second); message++) if (queue.receive().length === 0) return;
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
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (data: Buffer) => {
    const bytes = rest.length === 0 ? data : Buffer.concat([rest, data]);
    let at = 0;
    for (; bytes.length - at >= 4; received++) {
      const end = at + 4 + bytes.readUInt32LE(at);
      if (end > bytes.length) break;
      message = new Uint8Array(bytes.subarray(at + 4, end));
      at = end;
      if ((received + 1) % Number(path) === 0) socket.write("1");
    }
    rest = bytes.subarray(at);
  });
  socket.on("close", () => process.exit());
} else if (how === "pipe") {
  process.stdin.on("data", (data) => process.stdout.write(data));
  process.stdin.on("end", () => process.exit());
} else if (how === "send" || how === "sink-send") {
  let received = 0;
  process.on("message", (message) => {
    if (how === "send" || ++received % Number(path) === 0) process.send?.(how === "send" ? message : 1);
  });
  process.on("disconnect", () => process.exit());
  process.send?.("ready");
}
