/**
 * A queue between two processes: one sends messages of any length, the other receives them. Both block, and each notices that
 * the other was killed (not on the BSDs, which have no mutexes).
 *
 * @module
 */

import { MMap, type Mutex } from "../lib/mod.ts"; // in your program: from "mmap-ffi"

const CAPACITY = 2 ** 20; // a power of 2, so that the counters may overflow
// Offsets: each end's counter of all bytes it has written or read, and the ring.
const [WRITTEN, READ, RING] = [0, 256, 512];
// Offsets from a counter, in other cache lines: a 1 if an end sleeps until the counter changes; a mutex that its end holds.
const [SLEEPS, ALIVE] = [128, 192];

/** One end of a queue. Each pair of processes needs a new file. */
export class Queue {
  readonly #mm: MMap;
  readonly #words: Int32Array; // the whole map
  readonly #ring: Uint8Array; // each message begins with its length, at a multiple of 4
  readonly #mine: number; // WRITTEN or READ
  readonly #theirs: number;
  readonly #peer: Mutex;
  #at = 0; // this end's counter, mostly ahead of what is published if this end receives
  #other = 0; // the other end's counter, as last seen: read again only when there is nothing left to do

  /** Waits for the other end. */
  constructor(path: string, role: "send" | "receive") {
    this.#mm = MMap.open(path, { create: true, length: RING + CAPACITY });
    this.#words = this.#mm.view(Int32Array);
    this.#ring = this.#mm.view(Uint8Array, RING);
    [this.#mine, this.#theirs] = role === "send" ? [WRITTEN, READ] : [READ, WRITTEN];
    this.#peer = this.#mm.mutex(this.#theirs + ALIVE);
    const held = this.#mm.mutex(this.#mine + ALIVE).acquire(1000);
    if (held === "timed-out" || this.#words[this.#mine / 4] !== 0) throw new Error(`${path} is or was used to ${role}`);
    while (!this.#peerLives()) this.#mm.wait(READ, Atomics.load(this.#words, READ / 4), 5);
  }

  send(message: Uint8Array): void {
    this.#room();
    this.#words[(RING + ((this.#at >>> 0) % CAPACITY)) / 4] = message.length;
    this.#at += 4;
    this.#copy(message);
    this.#publish();
  }

  receive(): Uint8Array {
    this.#room();
    const length = Atomics.load(this.#words, (RING + ((this.#at >>> 0) % CAPACITY)) / 4) >>> 0;
    // What comes from shared memory is checked: the other process may be broken.
    if (length > 2 ** 28) throw new Error(`a message of ${length} bytes: the queue is broken`);
    this.#at += 4;
    const message = new Uint8Array(length);
    this.#copy(message);
    // Four times per ring, and before it sleeps: a sender that waits for room is not woken by each message.
    if ((((this.#at - length) ^ this.#at) & -(CAPACITY / 4)) !== 0) this.#publish();
    return message;
  }

  /** Copies all bytes into the ring or out of it, in as many steps as there is room for. */
  #copy(bytes: Uint8Array): void {
    for (let done = 0, count = 0; done < bytes.length; done += count, this.#at += count) {
      count = Math.min(this.#room(), bytes.length - done);
      const place = (this.#at >>> 0) % CAPACITY;
      if (this.#mine === READ) bytes.set(this.#ring.subarray(place, place + count), done);
      else this.#ring.set(count === bytes.length ? bytes : bytes.subarray(done, done + count), place);
    }
    this.#at = (this.#at + 3) & ~3;
  }

  /** How many bytes can be copied at once. Waits until there are some. */
  #room(): number {
    for (;;) {
      const ahead = (this.#at - this.#other) | 0;
      const room = this.#mine === READ ? -ahead : CAPACITY - ahead;
      if (room > 0) return Math.min(room, CAPACITY - ((this.#at >>> 0) % CAPACITY));
      const seen = this.#other;
      for (let i = 0; i < 1000 && this.#other === seen; i++) this.#other = Atomics.load(this.#words, this.#theirs / 4);
      if (this.#other !== seen) continue;
      this.#publish();
      Atomics.store(this.#words, (this.#theirs + SLEEPS) / 4, 1);
      const waited = this.#mm.wait(this.#theirs, seen, 100);
      if (waited === "timed-out" && !this.#peerLives()) throw new Error("the other process has ended");
    }
  }

  #publish(): void {
    Atomics.store(this.#words, this.#mine / 4, this.#at);
    if (Atomics.load(this.#words, (this.#mine + SLEEPS) / 4) === 0) return;
    Atomics.store(this.#words, (this.#mine + SLEEPS) / 4, 0);
    this.#mm.notify(this.#mine);
  }

  #peerLives(): boolean {
    if (this.#peer.tryAcquire() === undefined) return true;
    this.#peer.release();
    return false;
  }
}
