/**
 * Operations of node:net, node:tls, node:http, node:https, node:http2 and fetch.
 *
 * @module
 */

import { createServer as createHttpServer, type ServerResponse } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server, createSecureServer } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Readable } from "node:stream";
import {
  type ConnectionOptions,
  connect as connectTls,
  createServer as createTlsServer,
  type TLSSocket,
} from "node:tls";
import { cert, key } from "./certificate.ts";
import { INCOMING, type Job, type Operation, STREAM, type View } from "./harness.ts";
import { ask, isBun, isDeno, later, readSlowly, sends } from "./streams.ts";

const LOCAL = "127.0.0.1";
const TLS = { cert, key };
const CLIENT = { host: LOCAL, rejectUnauthorized: false };

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, LOCAL, resolve));
  return (server.address() as AddressInfo).port;
}

/** Two sockets that are connected. */
async function socketPair(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ pauseOnConnect: true });
  const port = await listen(server);
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const near = connect(port, LOCAL);
  await new Promise((resolve) => near.once("connect", resolve));
  const far = await accepted;
  server.close();
  near.on("error", () => {});
  return { near, far };
}

async function tlsPair(): Promise<{ near: TLSSocket; far: TLSSocket }> {
  const server = createTlsServer(TLS);
  const port = await listen(server);
  const accepted = new Promise<TLSSocket>((resolve) => server.once("secureConnection", resolve));
  const near = connectTls({ ...CLIENT, port });
  await new Promise((resolve) => near.once("secureConnect", resolve));
  const far = await accepted;
  server.close();
  near.on("error", () => {});
  return { near, far };
}

/** A request that a server has received and not yet answered. */
async function request(job: Job): Promise<{ response: ServerResponse; end: Promise<string> }> {
  const server = createHttpServer();
  const port = await listen(server);
  const received = new Promise<ServerResponse>((resolve) => server.once("request", (_, response) => resolve(response)));
  const { end } = ask(port, job);
  const response = await received;
  response.on("error", () => {});
  server.close();
  return { response, end };
}

async function secureRequest(job: Job): Promise<{ response: ServerResponse; end: Promise<string> }> {
  const server = createHttpsServer(TLS);
  const port = await listen(server);
  const received = new Promise<ServerResponse>((resolve) => server.once("request", (_, response) => resolve(response)));
  const socket = connectTls({ ...CLIENT, port });
  const end = readSlowly(socket, job, true);
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const response = await received;
  response.on("error", () => {});
  server.close();
  return { response, end };
}

async function http2Request(job: Job, secure: boolean): Promise<{ response: ServerResponse; end: Promise<string> }> {
  const server = secure ? createSecureServer(TLS) : createHttp2Server();
  const port = await listen(server);
  const received = new Promise<ServerResponse>((resolve) =>
    server.once("request", (_, response) => resolve(response as unknown as ServerResponse)),
  );
  const session = connectHttp2(`${secure ? "https" : "http"}://${LOCAL}:${port}`, { rejectUnauthorized: false });
  session.on("error", () => {});
  const stream = session.request({ ":path": "/" });
  const end = readSlowly(stream, job);
  const response = await received;
  response.on("error", () => {});
  const close = () => {
    session.close();
    server.close();
  };
  end.then(close, close);
  return { response, end };
}

/** Parts of a view, as a program cuts it for a stream. */
function* parts(view: View, size: number): Generator<View> {
  for (let at = 0; at < view.length; at += size) yield view.subarray(at, at + size);
}

/** Answers a fetch once all of its body is there, and checks that. */
async function fetchTarget(job: Job): Promise<{ url: string; end: Promise<string> }> {
  const done = later<string>();
  const server = createHttpServer((incoming, response) => {
    const end = readSlowly(incoming, job);
    end.then(
      (outcome) => {
        response.end();
        done.resolve(outcome);
      },
      (error) => {
        response.end();
        done.reject(error);
      },
    );
    server.close();
  });
  return { url: `http://${LOCAL}:${await listen(server)}`, end: done.promise };
}

const size = STREAM;

/** What becomes of the parts that are still to come, in some versions: an error that no program can catch. */
const DETACHED_LATER = isBun ? [] : ["uncaught"];

/** What the other end sends into a view of ours, late. */
function sendLate(far: Socket, { gate }: Job): void {
  gate.then(() => far.end(new Uint8Array(2 ** 20).fill(INCOMING)));
}

export const NETWORK: Operation[] = [
  sends(
    "net: write",
    async (job) => {
      const { near, far } = await socketPair();
      const end = readSlowly(far, job);
      return { begin: (view) => near.end(view), end };
    },
    { size },
  ),
  sends(
    "net: write, awaited",
    async (job) => {
      const { near, far } = await socketPair();
      const end = readSlowly(far, job);
      return { begin: (view) => new Promise<void>((resolve) => near.end(view, resolve)), end };
    },
    { size, waits: true },
  ),
  sends(
    "net: a stream of parts with back-pressure",
    async (job) => {
      const { near, far } = await socketPair();
      const end = readSlowly(far, job);
      return { begin: (view) => void Readable.from(parts(view, 300_000)).pipe(near), end };
    },
    { size, also: ["cut", ...DETACHED_LATER], begun: true },
  ),
  sends(
    "tls: write",
    async (job) => {
      const { near, far } = await tlsPair();
      const end = readSlowly(far, job);
      return { begin: (view) => near.end(view), end };
    },
    { size },
  ),
  sends(
    "net: onread",
    async (job) => {
      const server = createServer({ pauseOnConnect: true });
      const port = await listen(server);
      const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
      const done = later<string>();
      const begin = (view: View) => {
        const near = connect({ port, host: LOCAL, onread: { buffer: view, callback: () => true } });
        near.on("close", () => done.resolve("right"));
        near.on("error", done.reject);
      };
      accepted.then((far) => {
        server.close();
        far.on("error", () => {});
        sendLate(far, job);
      });
      return { begin, end: done.promise };
    },
    { missing: isDeno && "Deno has no onread", fills: true },
  ),
  sends(
    "tls: onread",
    async (job) => {
      const server = createTlsServer(TLS);
      const port = await listen(server);
      const done = later<string>();
      server.on("secureConnection", (far) => {
        server.close();
        far.on("error", () => {});
        sendLate(far, job);
      });
      const begin = (view: View) => {
        const onread = { buffer: view, callback: () => true };
        const near = connectTls({ ...CLIENT, port, onread } as ConnectionOptions);
        near.on("close", () => done.resolve("right"));
        near.on("error", done.reject);
      };
      return { begin, end: done.promise };
    },
    { missing: isDeno && "Deno has no onread", fills: true },
  ),
  sends(
    "http: end",
    async (job) => {
      const { response, end } = await request(job);
      return { begin: (view) => response.end(view), end };
    },
    { size },
  ),
  sends(
    "http: end, awaited",
    async (job) => {
      const { response, end } = await request(job);
      return { begin: (view) => new Promise<void>((resolve) => response.end(view, resolve)), end };
    },
    { size, waits: true },
  ),
  sends(
    "http: parts with back-pressure",
    async (job) => {
      const { response, end } = await request(job);
      return { begin: (view) => void Readable.from(parts(view, 300_000)).pipe(response), end };
    },
    { size, also: ["cut", ...DETACHED_LATER], begun: true },
  ),
  sends(
    "https: end",
    async (job) => {
      const { response, end } = await secureRequest(job);
      return { begin: (view) => response.end(view), end };
    },
    { size },
  ),
  ...[false, true].flatMap((secure) => [
    sends(
      secure ? "http2: end, secure" : "http2: end",
      async (job) => {
        const { response, end } = await http2Request(job, secure);
        return { begin: (view) => response.end(view), end };
      },
      { also: secure ? [] : ["cut", "hang"], size: 4 * 2 ** 20 },
    ),
    sends(
      secure ? "http2: end, secure, awaited" : "http2: end, awaited",
      async (job) => {
        const { response, end } = await http2Request(job, secure);
        return { begin: (view) => new Promise<void>((resolve) => response.end(view, resolve)), end };
      },
      { waits: true },
    ),
  ]),
  sends(
    "fetch: a body of bytes",
    async (job) => {
      const { url, end } = await fetchTarget(job);
      const begin = (view: View) => void fetch(url, { method: "POST", body: view }).catch(() => {});
      return { begin, end };
    },
    { size },
  ),
  sends(
    "fetch: a body that is a stream",
    async (job) => {
      const { url, end } = await fetchTarget(job);
      const begin = (view: View) => {
        const body = new ReadableStream({
          start(controller) {
            controller.enqueue(view);
            controller.close();
          },
        });
        fetch(url, { method: "POST", body, duplex: "half" } as RequestInit).catch(() => {});
      };
      return { begin, end };
    },
    { size, also: ["cut", ...DETACHED_LATER], begun: true },
  ),
];
