/**
 * Ways to go to another process, or to a worker, and back.
 *
 * @module
 */

import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { MMap } from "../lib/mod.ts";
import { commandFor } from "../tests/helpers/support.ts";
import { here, type Peer, type Timed } from "./harness.ts";
import { python } from "./python.ts";

const PARTNER = fileURLToPath(new URL("./sharing-partner.ts", import.meta.url));

/** One way, and how to end the other side. */
export interface Way {
  readonly time: Timed;
  end(): Promise<void>;
}

/** Starts the other process. */
export function start(args: string[], stdio: "ignore" | "pipe" = "ignore"): ChildProcess {
  const { program, args: all, env } = commandFor(PARTNER, { args });
  return spawn(program, all, { env, stdio: [stdio, stdio, "inherit"] });
}

/** Maps a new file of zeros. */
export function newMap(path: string): MMap {
  writeFileSync(path, new Uint8Array(4096));
  return MMap.open(path, { access: "write" });
}

/** Waits until the other process has stored something to a word. */
export async function started(words: Int32Array, word: number): Promise<void> {
  while (Atomics.load(words, word) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

export async function byMap(path: string, how: "map" | "async"): Promise<Way> {
  const mm = newMap(path);
  const words = mm.view(Int32Array, 0, 2);
  const child = start([how, path]);
  await started(words, 1);
  let turn = 0;
  const give = () => {
    turn++;
    Atomics.store(words, 0, turn);
    mm.notify(0);
  };
  const blocking = () => {
    give();
    while (Atomics.load(words, 0) === turn) mm.wait(0, turn);
    turn++;
  };
  const awaited = async () => {
    give();
    while (Atomics.load(words, 0) === turn) await mm.waitAsync(0, turn);
    turn++;
  };
  return {
    time: here(how === "map" ? blocking : awaited),
    async end() {
      Atomics.store(words, 0, -1);
      mm.notify(0);
      await once(child, "exit");
      mm.close();
    },
  };
}

/** Sends what `write` writes, and awaits as many bytes of an answer as `answer` says. */
export function streamTrip(from: Readable, write: () => void, answer = 1): () => Promise<void> {
  let missing = 0;
  let resolve = () => {};
  from.on("data", (data: Uint8Array) => {
    missing -= data.length;
    if (missing <= 0) resolve();
  });
  return () =>
    new Promise<void>((done) => {
      missing += answer;
      resolve = done;
      write();
    });
}

/** A connection to the other process, and how to end both. */
export async function connected(path: string, how: string[]): Promise<{ socket: Socket; end: () => Promise<void> }> {
  const server = createServer().listen(path);
  await once(server, "listening");
  const child = start([...how, path]);
  const [socket] = (await once(server, "connection")) as [Socket];
  const end = async () => {
    const ended = once(child, "exit");
    socket.destroy();
    server.close();
    await ended;
  };
  return { socket, end };
}

export async function bySocket(path: string): Promise<Way> {
  const { socket, end } = await connected(path, ["socket"]);
  const byte = new Uint8Array(1);
  return { time: here(streamTrip(socket, () => socket.write(byte))), end };
}

export async function byPipe(): Promise<Way> {
  const child = start(["pipe"], "pipe");
  const stdin = child.stdin as Writable;
  const byte = new Uint8Array(1);
  const trip = streamTrip(child.stdout as Readable, () => stdin.write(byte));
  await trip();
  return {
    time: here(trip),
    async end() {
      const ended = once(child, "exit");
      stdin.end();
      await ended;
    },
  };
}

/** A child with a channel, that has sent a message when it was ready. */
export async function forked(...how: string[]): Promise<ChildProcess> {
  const { program, args, env } = commandFor(PARTNER, {});
  const child = fork(PARTNER, how, { execPath: program, execArgv: args.slice(0, args.indexOf(PARTNER)), env });
  await once(child, "message");
  return child;
}

export async function bySend(): Promise<Way> {
  const child = await forked("send");
  const trip = async () => {
    const answer = once(child, "message");
    child.send(1);
    await answer;
  };
  return {
    time: here(trip),
    async end() {
      const ended = once(child, "exit");
      child.disconnect();
      await ended;
    },
  };
}

/** JavaScript, so that workers of every runtime take it as it is. */
const WORKER = `
  const { parentPort, workerData } = require("node:worker_threads");
  if (workerData === undefined) parentPort.on("message", (message) => parentPort.postMessage(message));
  else {
    const words = new Int32Array(workerData);
    for (let turn = 0; turn !== -1; turn = Atomics.load(words, 0)) {
      if (turn % 2 === 0) Atomics.wait(words, 0, turn);
      else {
        Atomics.store(words, 0, turn + 1);
        Atomics.notify(words, 0);
      }
    }
  }`;

export async function byPostMessage(): Promise<Way> {
  const worker = new Worker(WORKER, { eval: true });
  const trip = async () => {
    const answer = once(worker, "message");
    worker.postMessage(1);
    await answer;
  };
  await trip();
  return {
    time: here(trip),
    async end() {
      await worker.terminate();
    },
  };
}

export async function byAtomics(): Promise<Way> {
  const buffer = new SharedArrayBuffer(4);
  const words = new Int32Array(buffer);
  const worker = new Worker(WORKER, { eval: true, workerData: buffer });
  let turn = 0;
  const trip = () => {
    turn++;
    Atomics.store(words, 0, turn);
    Atomics.notify(words, 0);
    while (Atomics.load(words, 0) === turn) Atomics.wait(words, 0, turn);
    turn++;
  };
  await once(worker, "online");
  return {
    time: here(trip),
    async end() {
      Atomics.store(words, 0, -1);
      Atomics.notify(words, 0);
      await worker.terminate();
    },
  };
}

/** The same in C. Undefined if there is no compiler. */
export function byC(folder: string): Timed | undefined {
  const program = `${folder}/futex`;
  const source = fileURLToPath(new URL("./futex.c", import.meta.url));
  if (spawnSync("gcc", ["-O2", "-o", program, source]).status !== 0) return undefined;
  return async (count) => ({
    nanoseconds: Number(spawnSync(program, [String(count)]).stdout.toString()),
    value: undefined,
  });
}

/** CPython's multiprocessing: what makes `a` and `b`, what the other process does for ever, and one round trip. */
export function multiprocessing(): Peer[] {
  const peer = (what: string, make: string, partner: string, trip: string): Peer => {
    const lines = [
      "import multiprocessing",
      'context = multiprocessing.get_context("fork")',
      `a, b = ${make}`,
      "def partner():",
      `    while True: ${partner}`,
      "context.Process(target=partner, daemon=True).start()",
    ];
    return { ...python(lines.join("\n"), trip, null), name: `CPython, ${what}` };
  };
  const two = (make: string) => `context.${make}, context.${make}`;
  return [
    peer("Semaphore", two("Semaphore(0)"), "a.acquire(); b.release()", "(a.release(), b.acquire())"),
    peer("Pipe", "context.Pipe()", "b.send(b.recv())", "(a.send(1), a.recv())"),
    peer("Queue", two("Queue()"), "b.put(a.get())", "(a.put(1), b.get())"),
  ];
}
