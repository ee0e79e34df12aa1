/**
 * Operations of node:fs and node:child_process on pipes, whose other end waits.
 *
 * @module
 */

import { spawn } from "node:child_process";
import {
  close,
  createWriteStream,
  open,
  openSync,
  promises,
  read,
  readFileSync,
  readv,
  write,
  writeFile,
  writev,
} from "node:fs";
import { newPath } from "../../helpers/support.ts";
import { type Operation, Received, type View } from "./harness.ts";
import { isBun, isDeno, later, pipes, pipeToRead, pipeToWrite, readSlowly, sends } from "./streams.ts";

const opened = (path: string, flags: string) =>
  new Promise<number>((resolve, reject) => open(path, flags, (error, fd) => (error ? reject(error) : resolve(fd))));

/** Closes the descriptor when the call is done, which is when the reader of a pipe comes to its end. */
function closing(fd: number, end: Promise<string>) {
  const done = later<string>();
  const callback = (error: unknown) => {
    close(fd);
    if (error) done.reject(error);
    else end.then(done.resolve, done.reject);
  };
  return { callback, end: done.promise };
}

/** What a child process reads from its standard input, which it does late. */
function childsInput() {
  return spawn("sh", ["-c", "sleep 0.3; cat"], { stdio: ["pipe", "pipe", "ignore"] });
}

const RIGHT = Promise.resolve("right");

/** What Deno says where it makes an array of the view's buffer anew: an error that no program can catch. */
const DETACHED_LATER = isDeno ? ["uncaught"] : [];

export const FILES: Operation[] = [
  pipes("fs: write", async (job) => {
    const { path, end } = await pipeToRead(job);
    const fd = await opened(path, "w");
    const closed = closing(fd, end);
    return { begin: (view) => write(fd, view, closed.callback), end: closed.end };
  }),
  pipes("fs: writev", async (job) => {
    const { path, end } = await pipeToRead(job);
    const fd = await opened(path, "w");
    const closed = closing(fd, end);
    return {
      begin: (view) => writev(fd, [view.subarray(0, 5000), view.subarray(5000)], closed.callback),
      end: closed.end,
    };
  }),
  pipes(
    "fs: writeFile",
    async (job) => {
      const { path, end } = await pipeToRead(job);
      const done = later<unknown>();
      done.promise.catch(() => {});
      return { begin: (view) => writeFile(path, view, done.callback), end: done.promise.then(() => end) };
    },
    { also: ["cut"] },
  ),
  pipes(
    "fs: createWriteStream",
    async (job) => {
      const { path, end } = await pipeToRead(job);
      const stream = createWriteStream(path);
      const done = later<string>();
      stream.on("error", done.reject);
      end.then(done.resolve, done.reject);
      return { begin: (view) => stream.end(view), end: done.promise };
    },
    { also: ["cut", "hang"] },
  ),
  pipes(
    "fs: createWriteStream, awaited",
    async (job) => {
      const { path, end } = await pipeToRead(job);
      const stream = createWriteStream(path);
      return { begin: (view) => new Promise<void>((resolve) => stream.end(view, resolve)), end };
    },
    { waits: true },
  ),
  pipes(
    "fs: writeFile, awaited",
    async (job) => {
      const { path, end } = await pipeToRead(job);
      return { begin: (view) => promises.writeFile(path, view), end };
    },
    { waits: true },
  ),
  pipes("fs.promises: write", async (job) => {
    const { path, end } = await pipeToRead(job);
    const handle = await promises.open(path, "w");
    const done = later<string>();
    const close = () => handle.close();
    const check = () => end.then(done.resolve);
    const begin = (view: View) => handle.write(view).finally(close).then(check).catch(done.reject);
    return { begin, end: done.promise };
  }),
  pipes(
    "fs.promises: writeFile",
    async (job) => {
      const { path, end } = await pipeToRead(job);
      const done = later<string>();
      const read = () => end;
      return {
        begin: (view) => promises.writeFile(path, view).then(read).then(done.resolve, done.reject),
        end: done.promise,
      };
    },
    { also: ["cut"] },
  ),
  pipes(
    "fs: read",
    async (job) => {
      const fd = await opened(await pipeToWrite(job), "r");
      const { callback, end } = closing(fd, RIGHT);
      return { begin: (view) => read(fd, view, 0, view.length, null, callback), end };
    },
    { fills: true, also: DETACHED_LATER },
  ),
  pipes(
    "fs: readv",
    async (job) => {
      const fd = await opened(await pipeToWrite(job), "r");
      const { callback, end } = closing(fd, RIGHT);
      return { begin: (view) => readv(fd, [view.subarray(0, 50), view.subarray(50)], callback), end };
    },
    { fills: true },
  ),
  pipes(
    "fs.promises: read",
    async (job) => {
      const handle = await promises.open(await pipeToWrite(job), "r");
      const done = later<string>();
      const close = () => handle.close();
      const finish = () => done.resolve("right");
      const begin = (view: View) => handle.read(view, 0, view.length, null).finally(close).then(finish, done.reject);
      return { begin, end: done.promise };
    },
    { fills: true },
  ),
  pipes(
    "child_process: stdin.end",
    async (job) => {
      const child = childsInput();
      child.stdin.on("error", () => {});
      return { begin: (view) => child.stdin.end(view), end: readSlowly(child.stdout, job) };
    },
    { also: ["cut", ...(isBun ? ["hang"] : [])] },
  ),
  pipes(
    "child_process: stdin.end, awaited",
    async (job) => {
      const child = childsInput();
      const written = (view: View) => new Promise<void>((resolve) => child.stdin.write(view, () => resolve()));
      const end = readSlowly(child.stdout, job);
      return { begin: (view) => written(view).then(() => child.stdin.end()), end };
    },
    { waits: true },
  ),
  sends("fs: write to a file", async (job) => {
    const path = newPath();
    const fd = openSync(path, "w");
    const received = later<string>();
    const closed = closing(fd, received.promise);
    const check = (error: unknown) => {
      closed.callback(error);
      const bytes = new Received(job.expected);
      bytes.add(readFileSync(path));
      received.resolve(bytes.outcome);
    };
    return { begin: (view) => write(fd, view, check), end: closed.end };
  }),
];
