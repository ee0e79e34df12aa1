/**
 * Operations of Bun's own.
 *
 * @module
 */

import { connect } from "node:net";
import { newPath } from "../../helpers/support.ts";
import { type Job, type Operation, PIPE, Received, STREAM, type View } from "./harness.ts";
import { ask, computes, later, pipes, pipeToRead, readSlowly, sends } from "./streams.ts";

interface Sink {
  write(bytes: View): number | Promise<number>;
  end(): number | Promise<number>;
}

/** The part of Bun's API that is used here. */
interface BunApi {
  serve(options: object): { port: number; stop(force?: boolean): void };
  write(target: unknown, bytes: View): Promise<number>;
  file(path: string): { writer(): Sink; arrayBuffer(): Promise<ArrayBuffer> };
  listen(options: object): { port: number; stop(force?: boolean): void };
  spawn(command: string[], options: object): { stdout: ReadableStream<Uint8Array>; stdin: Sink };
  zstdCompress(bytes: View): Promise<Uint8Array>;
}

const { Bun } = globalThis as unknown as { Bun: BunApi };

/** A request that Bun.serve waits to answer: `answer` does. */
async function request(job: Job): Promise<{ answer: (response: Response) => void; end: Promise<string> }> {
  const asked = later<void>();
  const answered = later<Response>();
  const server = Bun.serve({
    port: 0,
    fetch() {
      asked.resolve();
      return answered.promise;
    },
  });
  const { end } = ask(server.port, job);
  await asked.promise;
  const stop = () => server.stop(true);
  end.then(stop, stop);
  return { answer: answered.resolve, end };
}

const streamOf = (view: View) =>
  new ReadableStream<View>({
    start(controller) {
      controller.enqueue(view);
      controller.close();
    },
  });

/** Reads a stream of the Web's slowly. */
async function readAll(stream: ReadableStream<Uint8Array>, { gate, expected }: Job): Promise<string> {
  await gate;
  const received = new Received(expected);
  for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) received.add(chunk);
  return received.outcome;
}

const size = STREAM;
const options = { size };

/** A socket of Bun's, whose other end is read slowly. */
async function bunSocket(job: Job): Promise<{ socket: Sink; end: Promise<string> }> {
  const opened = later<Sink>();
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: opened.resolve, data() {}, error() {} },
  });
  const client = connect(server.port, "127.0.0.1");
  const end = readSlowly(client, job);
  const socket = await opened.promise;
  const stop = () => server.stop(true);
  end.then(stop, stop);
  return { socket, end };
}

export const BUN: Operation[] = [
  sends(
    "Bun.serve: bytes",
    async (job) => {
      const { answer, end } = await request(job);
      return { begin: (view) => answer(new Response(view)), end };
    },
    options,
  ),
  sends(
    "Bun.serve: a stream",
    async (job) => {
      const { answer, end } = await request(job);
      return { begin: (view) => answer(new Response(streamOf(view))), end };
    },
    { ...options, also: ["cut"], begun: true },
  ),
  sends(
    "Bun.listen: write",
    async (job) => {
      const { socket, end } = await bunSocket(job);
      // What is not taken is the program's to send again.
      const begin = (view: View) => {
        socket.write(view);
        setTimeout(() => socket.end(), 500);
      };
      return { begin, end };
    },
    { ...options, also: ["cut"] },
  ),
  pipes(
    "Bun.write: a pipe",
    async (job) => {
      const { path, end } = await pipeToRead(job);
      return { begin: (view) => Bun.write(path, view), end };
    },
    // On a busy machine, one in 50 never ends, of an array of Bun's own too, with no map beside it.
    { stalls: true },
  ),
  sends("Bun.write: a file", async ({ expected }) => {
    const path = newPath();
    const done = later<string>();
    const check = async () => {
      const received = new Received(expected);
      received.add(new Uint8Array(await Bun.file(path).arrayBuffer()));
      return received.outcome;
    };
    return { begin: (view) => Bun.write(path, view).then(check).then(done.resolve, done.reject), end: done.promise };
  }),
  pipes("Bun.file: writer", async (job) => {
    const { path, end } = await pipeToRead(job);
    const begin = (view: View) => {
      const writer = Bun.file(path).writer();
      writer.write(view);
      writer.end();
    };
    return { begin, end };
  }),
  pipes("Bun.spawn: stdin is the view", (job) => {
    const end = later<string>();
    const begin = (view: View) => {
      const { stdout } = Bun.spawn(["sh", "-c", "sleep 0.3; cat"], { stdin: view, stdout: "pipe" });
      readAll(stdout, job).then(end.resolve, end.reject);
    };
    return { begin, end: end.promise };
  }),
  pipes(
    "Bun.spawn: stdin.write",
    (job) => {
      const { stdin, stdout } = Bun.spawn(["sh", "-c", "sleep 0.3; cat"], { stdin: "pipe", stdout: "pipe" });
      const begin = (view: View) => {
        stdin.write(view);
        stdin.end();
      };
      return { begin, end: readAll(stdout, job) };
    },
    { also: ["cut"] },
  ),
  computes("Bun.zstdCompress", (bytes) => Bun.zstdCompress(bytes), { size: PIPE }),
];
