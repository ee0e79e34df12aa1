/**
 * A queue between two processes: one sends messages of any length, the other receives them. Both block, and each notices that
 * the other was killed (not on the BSDs, which have no mutexes).
 *
 *     node examples/queue.ts receive FILE & seq 5 | node examples/queue.ts send FILE
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { MMap, type Mutex } from "../lib/mod.ts"; // in your program: from "mmap-ffi"

const CAPACITY = 2 ** 20; // a power of 2, so that the counters may overflow
// Offsets: counters of all bytes written and read, in different cache lines; two mutexes; the ring.
const [WRITTEN, READ, SENDER, RECEIVER, RING] = [0, 256, 512, 520, 1024];
const SLEEPS = 32; // this many words after a counter is a 1 if the other process sleeps until the counter changes

/** One end of a queue. Each pair of processes needs a new file. */
export class Queue {
  readonly #mm: MMap;
  readonly #words: Int32Array;
  readonly #ring: Uint8Array;
  readonly #peer: Mutex;
  readonly #length = new Uint32Array(1); // of the next message: made once, because engines take long to make an ArrayBuffer
  readonly #lengthBytes = new Uint8Array(this.#length.buffer);

  /** Waits for the other end. */
  constructor(path: string, role: "send" | "receive") {
    this.#mm = MMap.open(path, { create: true, length: RING + CAPACITY });
    this.#words = this.#mm.view(Int32Array, 0, RING / 4);
    this.#ring = this.#mm.view(Uint8Array, RING, CAPACITY);
    const [mine, peer] = role === "send" ? [SENDER, RECEIVER] : [RECEIVER, SENDER];
    this.#peer = this.#mm.mutex(peer);
    // Held as long as this process lives, so that the other process can see that it does.
    if (this.#mm.mutex(mine).acquire(1000) === "timed-out") throw new Error(`somebody else is there to ${role}`);
    while (!this.#peerLives()) this.#mm.wait(READ, Atomics.load(this.#words, READ / 4), 5);
  }

  send(message: Uint8Array): void {
    this.#length[0] = message.length;
    this.#copy(this.#lengthBytes, WRITTEN);
    this.#copy(message, WRITTEN);
  }

  receive(): Uint8Array {
    this.#copy(this.#lengthBytes, READ);
    const length = this.#length[0] as number;
    // What comes from shared memory is checked: the other process may be broken.
    if (length > 2 ** 28) throw new Error(`a message of ${length} bytes: the queue is broken`);
    const message = new Uint8Array(length);
    this.#copy(message, READ);
    return message;
  }

  #peerLives(): boolean {
    if (this.#peer.tryAcquire() === undefined) return true;
    this.#peer.release();
    return false;
  }

  /** Copies all bytes into the ring or out of it, in as many steps as there is room for. */
  #copy(bytes: Uint8Array, counter: number): void {
    const sends = counter === WRITTEN;
    const limit = sends ? READ : WRITTEN;
    for (let done = 0; done < bytes.length; ) {
      const at = Atomics.load(this.#words, counter / 4);
      const other = Atomics.load(this.#words, limit / 4);
      const room = sends ? CAPACITY - ((at - other) | 0) : (other - at) | 0;
      const place = (at >>> 0) % CAPACITY;
      const count = Math.min(room, bytes.length - done, CAPACITY - place);
      if (count > 0) {
        if (sends) this.#ring.set(count === bytes.length ? bytes : bytes.subarray(done, done + count), place);
        else bytes.set(this.#ring.subarray(place, place + count), done);
        done += count;
        Atomics.store(this.#words, counter / 4, (at + count) | 0);
        if (Atomics.exchange(this.#words, counter / 4 + SLEEPS, 0) === 1) this.#mm.notify(counter);
      } else this.#sleep(limit, other);
    }
  }

  /** Waits until a counter changes. Whoever changes it finds the 1 after it, and notifies. */
  #sleep(counter: number, seen: number): void {
    for (let spin = 0; spin < 1000; spin++) if (Atomics.load(this.#words, counter / 4) !== seen) return;
    Atomics.store(this.#words, counter / 4 + SLEEPS, 1);
    const waited = this.#mm.wait(counter, seen, 100);
    if (waited === "timed-out" && !this.#peerLives()) throw new Error("the other process has ended");
  }
}

const [role, path = "queue.bin"] = process.argv.slice(2);
const queue = role === "send" || role === "receive" ? new Queue(path, role) : undefined;
if (role === "send") {
  for await (const line of createInterface({ input: process.stdin })) queue?.send(new TextEncoder().encode(line));
  queue?.send(new Uint8Array()); // an empty message ends it
}
for (let message = role === "receive" && queue?.receive(); message && message.length > 0; message = queue?.receive()) {
  console.log(new TextDecoder().decode(message));
}
