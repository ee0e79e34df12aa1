/**
 * What operations share: readers that wait, pipes with another process at their other end, and short ways to write a table.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import process from "node:process";
import type { Readable } from "node:stream";
import { newPath, WINDOWS } from "../../helpers/support.ts";
import { INCOMING, type Job, type Operation, PIPE, type Ready, Received, type View } from "./harness.ts";

const { bun, deno } = process.versions;
export const isBun: boolean = bun !== undefined;
export const isDeno: boolean = deno !== undefined;
export const isNode: boolean = !isBun && !isDeno;

/** A promise with what keeps and breaks it; made here, so that an operation has no function of its own that holds its view. */
export interface Later<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
  /** A callback in Node's manner. */
  callback(error: unknown, value?: T): void;
}

export function later<T>(): Later<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((keep, fail) => {
    resolve = keep;
    reject = fail;
  });
  const callback = (error: unknown, value?: T) => (error ? reject(error) : resolve(value as T));
  return { promise, resolve, reject, callback };
}

/** Reads nothing of a stream before the gate is open, and then checks all of it. */
export function readSlowly(stream: Readable, { gate, expected }: Job, http = false): Promise<string> {
  const done = later<string>();
  const received = new Received(expected);
  const body = http ? new Body((chunk) => received.add(chunk)) : undefined;
  stream.pause();
  stream.on("data", (chunk: Uint8Array) => (body ?? received).add(chunk));
  stream.on("end", () => done.resolve(received.outcome));
  stream.on("close", () => done.resolve(received.outcome));
  // What came before the error counts.
  stream.on("error", (error) => {
    if (/^(disclosed|zeros)/.test(received.outcome)) done.resolve(received.outcome);
    else done.reject(error);
  });
  gate.then(() => stream.resume());
  return done.promise;
}

/** Asks a server for its first page, and reads the answer slowly. */
export function ask(port: number, job: Job): { socket: Socket; end: Promise<string> } {
  const socket = connect({ port, host: "127.0.0.1" });
  const end = readSlowly(socket, job, true);
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  return { socket, end };
}

/** The body of an HTTP answer, without its head and without the lengths of its chunks. */
class Body {
  readonly #add: (chunk: Uint8Array) => void;
  #head: string | undefined = "";
  #chunked = false;
  /** How much of the chunk is to come; -1: its length is. */
  #left = -1;
  #line = "";

  constructor(add: (chunk: Uint8Array) => void) {
    this.#add = add;
  }

  add(bytes: Uint8Array): void {
    let rest = bytes;
    if (this.#head !== undefined) {
      const text = Buffer.from(rest).toString("latin1");
      const end = (this.#head + text).indexOf("\r\n\r\n");
      if (end === -1) {
        this.#head += text;
        return;
      }
      this.#chunked = /transfer-encoding: *chunked/i.test((this.#head + text).slice(0, end));
      rest = rest.subarray(end + 4 - this.#head.length);
      this.#head = undefined;
    }
    if (this.#chunked) this.#addChunks(rest);
    else this.#add(rest);
  }

  #addChunks(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 0) {
        const part = bytes.subarray(at, at + this.#left);
        this.#add(part);
        at += part.length;
        this.#left -= part.length;
      } else {
        const byte = String.fromCharCode(bytes[at++] as number);
        if (byte !== "\n") this.#line += byte;
        else if (this.#line.trim() !== "") {
          this.#left = Number.parseInt(this.#line, 16);
          this.#line = "";
        } else this.#line = "";
      }
    }
  }
}

/** A named pipe, the other end of which another process has. It waits for `open`, or a second: Deno may block until then. */
function pipe(job: Job, command: (pipe: string) => string): { path: string; ended: Promise<void> } {
  const path = newPath();
  const go = newPath();
  spawnSync("mkfifo", [path]);
  const wait = `for i in $(seq 50); do [ -e ${go} ] && break; sleep 0.02; done`;
  const child = spawn("sh", ["-c", command(path).replace("WAIT", wait)], { stdio: "ignore" });
  job.gate.then(() => writeFileSync(go, ""));
  return { path, ended: new Promise((resolve) => child.on("close", () => resolve())) };
}

/** Deno starts processes in a while: it must not open a pipe, and wait, before it has. */
const started = () => new Promise((resolve) => setTimeout(resolve, isDeno ? 60 : 0));

/** A pipe that is read slowly. `end` is what came out of it. */
export async function pipeToRead(job: Job): Promise<{ path: string; end: Promise<string> }> {
  const out = newPath();
  const { path, ended } = pipe(job, (name) => `exec 3<${name}; WAIT; cat <&3 >${out}`);
  await started();
  const end = ended.then(() => {
    const received = new Received(job.expected);
    received.add(readFileSync(out));
    return received.outcome;
  });
  return { path, end };
}

/** A pipe out of which bytes come late. */
export async function pipeToWrite(job: Job): Promise<string> {
  const bytes = newPath();
  writeFileSync(bytes, new Uint8Array(PIPE).fill(INCOMING));
  const { path } = pipe(job, (name) => `exec 3>${name}; WAIT; cat ${bytes} >&3`);
  await started();
  return path;
}

type Options = Partial<Operation>;

/** An operation that sends the view somewhere. */
export const sends = (name: string, setup: Operation["setup"], options: Options = {}): Operation => ({
  name,
  size: PIPE,
  setup,
  ...options,
});

/** An operation on a pipe. */
export const pipes = (name: string, setup: Operation["setup"], options: Options = {}): Operation =>
  sends(name, setup, { missing: WINDOWS && "Windows has no named pipes in the file system", ...options });

/**
 * An operation that makes something of the view's bytes: the same as of a copy of them. `compute` must hold no reference to
 * its argument, beside what the runtime does.
 */
export const computes = (
  name: string,
  compute: (bytes: View) => Promise<Uint8Array | string>,
  options: Options = {},
): Operation => ({
  name,
  size: 4 * 2 ** 20,
  async setup({ expected }) {
    const right = await compute(expected.slice());
    const done = later<string>();
    const compare = (made: Uint8Array | string) => {
      const same = typeof made === "string" ? made === right : Buffer.compare(made, right as Uint8Array) === 0;
      done.resolve(same ? "right" : "wrong");
    };
    return { begin: (view) => compute(view).then(compare, done.reject), end: done.promise };
  },
  ...options,
});

/** An operation that writes into the view. */
export const fills = (name: string, act: (view: View) => Promise<unknown>, options: Options = {}): Operation => ({
  name,
  size: PIPE,
  fills: true,
  setup() {
    const done = later<string>();
    return { begin: (view) => act(view).then(() => done.resolve("right"), done.reject), end: done.promise } as Ready;
  },
  ...options,
});

/** An operation that the runtime breaks off when its view is detached, and the same as programs should have it. */
export const awaitedToo = (operation: Operation): Operation[] => [
  operation,
  { ...operation, name: `${operation.name}, awaited`, waits: true },
];
