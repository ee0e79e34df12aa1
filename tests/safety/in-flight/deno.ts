/**
 * Operations of Deno's own.
 *
 * @module
 */

import { newPath, WINDOWS } from "../../helpers/support.ts";
import { cert, key } from "./certificate.ts";
import { INCOMING, type Job, type Operation, Received, STREAM, type View } from "./harness.ts";
import { ask, later, pipes, pipeToRead, pipeToWrite, sends } from "./streams.ts";

interface Conn {
  read(view: View): Promise<number | null>;
  write(view: View): Promise<number>;
  close(): void;
}

/** The part of Deno's API that is used here. */
interface DenoApi {
  serve(
    options: object,
    handler: () => Promise<Response>,
  ): { addr: { port: number }; shutdown(): Promise<void>; unref(): void };
  listen(options: object): { addr: { port: number }; accept(): Promise<Conn>; close(): void };
  listenTls(options: object): { addr: { port: number }; accept(): Promise<Conn>; close(): void };
  connect(options: object): Promise<Conn>;
  connectTls(options: object): Promise<Conn>;
  open(path: string, options: object): Promise<Conn>;
  writeFile(path: string, bytes: View): Promise<void>;
  readFile(path: string): Promise<Uint8Array>;
  Command: new (
    command: string,
    options: object,
  ) => { spawn(): { stdin: WritableStream<View>; stdout: ReadableStream<Uint8Array> } };
}

const { Deno } = globalThis as unknown as { Deno: DenoApi };
const size = STREAM;
const options = { size };
const LOCAL = "127.0.0.1";

/** A request that Deno.serve waits to answer: `answer` does. */
async function request(job: Job): Promise<{ answer: (response: Response) => void; end: Promise<string> }> {
  const asked = later<void>();
  const answered = later<Response>();
  const server = Deno.serve({ port: 0, hostname: LOCAL, onListen() {} }, () => {
    asked.resolve();
    return answered.promise;
  });
  const { end } = ask(server.addr.port, job);
  await asked.promise;
  const stop = () => server.shutdown();
  end.then(stop, stop);
  return { answer: answered.resolve, end };
}

/** Two connections that belong together. */
async function pair(secure = false): Promise<{ near: Conn; far: Conn }> {
  const where = { hostname: LOCAL, port: 0 };
  const listener = secure ? Deno.listenTls({ ...where, cert, key }) : Deno.listen(where);
  const { port } = listener.addr;
  const accepted = listener.accept();
  const near = secure
    ? await Deno.connectTls({ hostname: "localhost", port, caCerts: [cert] })
    : await Deno.connect({ hostname: LOCAL, port });
  const far = await accepted;
  // The handshake is made when something is written.
  if (secure) await Promise.all([near.write(Uint8Array.of(1)), far.read(new Uint8Array(1))]);
  listener.close();
  return { near, far };
}

/** Reads a connection slowly, to its end. */
async function readConn(conn: Conn, { gate, expected }: Job): Promise<string> {
  await gate;
  const received = new Received(expected);
  const chunk = new Uint8Array(2 ** 16);
  try {
    for (let count = await conn.read(chunk); count !== null; count = await conn.read(chunk)) {
      received.add(chunk.subarray(0, count));
    }
  } catch {
    // The other end broke off.
  }
  conn.close();
  return received.outcome;
}

async function readAll(stream: ReadableStream<Uint8Array>, { gate, expected }: Job): Promise<string> {
  await gate;
  const received = new Received(expected);
  for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) received.add(chunk);
  return received.outcome;
}

const from = (chunks: View[]) =>
  (ReadableStream as unknown as { from(of: View[]): ConstructorParameters<typeof Response>[0] }).from(chunks);

/** Why a secure connection cannot be made. */
const insecure = (secure: boolean) => secure && WINDOWS && "Wine resolves no host name, which a certificate needs";

/** Writes once, and closes. One write may take a part. */
const writesOnce = (name: string, secure: boolean) =>
  sends(
    name,
    async (job) => {
      const { near, far } = await pair(secure);
      const end = readConn(far, job);
      const close = () => near.close();
      return { begin: (view) => near.write(view).then(close, close), end };
    },
    { ...options, also: ["cut"], missing: insecure(secure) },
  );

/** A read that waits for what comes late. */
const reads = (name: string, secure: boolean) =>
  sends(
    name,
    async (job) => {
      const { near, far } = await pair(secure);
      const done = later<string>();
      job.gate.then(() => far.write(new Uint8Array(5000).fill(INCOMING))).then(() => far.close());
      const finish = () => {
        near.close();
        done.resolve("right");
      };
      return { begin: (view) => near.read(view).then(finish, done.reject), end: done.promise };
    },
    { fills: true, missing: insecure(secure) },
  );

export const DENO: Operation[] = [
  sends(
    "Deno.serve: bytes",
    async (job) => {
      const { answer, end } = await request(job);
      return { begin: (view) => answer(new Response(view)), end };
    },
    options,
  ),
  sends(
    "Deno.serve: a stream",
    async (job) => {
      const { answer, end } = await request(job);
      return { begin: (view) => answer(new Response(from([view]))), end };
    },
    { ...options, also: ["cut"], begun: true },
  ),
  writesOnce("Deno.Conn: write", false),
  writesOnce("Deno.TlsConn: write", true),
  reads("Deno.Conn: read", false),
  reads("Deno.TlsConn: read", true),
  pipes("Deno.writeFile: a pipe", async (job) => {
    const { path, end } = await pipeToRead(job);
    return { begin: (view) => Deno.writeFile(path, view), end };
  }),
  pipes("Deno.writeFile: a file", async ({ expected }) => {
    const path = newPath();
    const done = later<string>();
    const check = async () => {
      const received = new Received(expected);
      received.add(await Deno.readFile(path));
      return received.outcome;
    };
    return {
      begin: (view) => Deno.writeFile(path, view).then(check).then(done.resolve, done.reject),
      end: done.promise,
    };
  }),
  pipes(
    "Deno.FsFile: write",
    async (job) => {
      const { path, end } = await pipeToRead(job);
      const file = await Deno.open(path, { write: true });
      const close = () => file.close();
      return { begin: (view) => file.write(view).then(close, close), end };
    },
    { also: ["cut"] },
  ),
  pipes(
    "Deno.FsFile: read",
    async (job) => {
      const file = await Deno.open(await pipeToWrite(job), { read: true });
      const done = later<string>();
      const finish = () => {
        file.close();
        done.resolve("right");
      };
      return { begin: (view) => file.read(view).then(finish, done.reject), end: done.promise };
    },
    { fills: true },
  ),
  pipes(
    "Deno.Command: stdin",
    (job) => {
      const { stdin, stdout } = new Deno.Command("sh", {
        args: ["-c", "sleep 0.3; cat"],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const begin = (view: View) => {
        const writer = stdin.getWriter();
        const close = () => writer.close();
        writer
          .write(view)
          .then(close, close)
          .catch(() => {});
      };
      return { begin, end: readAll(stdout, job) };
    },
    { also: ["cut"] },
  ),
];
