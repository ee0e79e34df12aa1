/**
 * Operations that work on a view in another thread: node:zlib, node:crypto, the Web's streams of compression.
 *
 * @module
 */

import * as crypto from "node:crypto";
import type { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { INCOMING, type Operation, type View } from "./harness.ts";
import { awaitedToo, computes, fills, isBun, isDeno, later } from "./streams.ts";

type Done = (error: unknown, value?: Uint8Array | ArrayBuffer) => void;

/** An operation that calls back. */
const calls = (name: string, call: (bytes: View, done: Done) => unknown, options: Partial<Operation> = {}) =>
  computes(
    name,
    (bytes) => {
      const { promise, callback } = later<Uint8Array | ArrayBuffer>();
      call(bytes, callback);
      return promise.then(asBytes);
    },
    options,
  );

const asBytes = (made: Uint8Array | ArrayBuffer) => (made instanceof Uint8Array ? made : new Uint8Array(made));

/** An operation of a stream that is given all at once. */
const transforms = (name: string, make: () => Transform, options: Partial<Operation> = {}) =>
  computes(
    name,
    (bytes) => {
      const stream = make();
      const end = collected(stream);
      stream.end(bytes);
      return end;
    },
    options,
  );

function collected(stream: Transform): Promise<Uint8Array> {
  const done = later<Uint8Array>();
  const chunks: Uint8Array[] = [];
  stream.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  stream.on("end", () => done.resolve(Buffer.concat(chunks)));
  stream.on("error", done.reject);
  return done.promise;
}

/** What can't be made smaller. */
function noise(): View {
  const bytes = new Uint8Array(2 ** 21);
  for (let index = 0, state = 1; index < bytes.length; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[index] = state >>> 16;
  }
  return bytes;
}

const own = (bytes: Uint8Array): View => new Uint8Array(bytes);

/** Brotli takes long to make the smallest. */
const QUICK = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } };
const optionsOf = (codec: string) => (codec.startsWith("brotliC") ? QUICK : {});

type Codec = (bytes: View, options: object, done: Done) => void;
const codecs = zlib as unknown as Record<string, Codec & ((bytes: View, options: object) => Uint8Array)>;

/** The codecs of node:zlib, and what makes the bytes that the second of each takes. */
const CODECS: [pack: string, unpack: string, packSync: string][] = [
  ["deflate", "inflate", "deflateSync"],
  ["deflateRaw", "inflateRaw", "deflateRawSync"],
  ["gzip", "gunzip", "gzipSync"],
  ["gzip", "unzip", "gzipSync"],
  ["brotliCompress", "brotliDecompress", "brotliCompressSync"],
  ["zstdCompress", "zstdDecompress", "zstdCompressSync"],
];

const pairs = CODECS.flatMap(([pack, unpack, packSync]) => {
  const missing = codecs[pack] === undefined && `this runtime has no zlib.${pack}`;
  const content = () =>
    own((codecs[packSync] as (bytes: View, options: object) => Uint8Array)(noise(), optionsOf(packSync)));
  return [
    ...(unpack === "unzip"
      ? []
      : [calls(`zlib: ${pack}`, (bytes, done) => codecs[pack]?.(bytes, optionsOf(pack), done), { missing })]),
    ...awaitedToo(
      calls(`zlib: ${unpack}`, (bytes, done) => codecs[unpack]?.(bytes, {}, done), {
        missing,
        content,
        // The codec is given the view again after each 16 KiB that it made.
        also: isBun ? [] : ["uncaught"],
      }),
    ),
  ];
});

const STREAMS = ["createDeflate", "createGzip", "createBrotliCompress", "createZstdCompress"].map((name) => {
  const make = (zlib as unknown as Record<string, (options: object) => Transform>)[name];
  return transforms(
    `zlib: ${name}`,
    () => (make as (options: object) => Transform)(name.includes("BrotliC") ? QUICK : {}),
    {
      missing: make === undefined && `this runtime has no zlib.${name}`,
    },
  );
});

const { privateKey, publicKey } = crypto.generateKeyPairSync("ed25519");
const { subtle } = globalThis.crypto;
const raw = new Uint8Array(32);
const aes = await subtle.importKey("raw", raw, "AES-CBC", false, ["encrypt"]);
const hmac = await subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-512" }, false, ["sign"]);

const verified = (bytes: View, done: Done) => {
  const check = (error: unknown, right?: boolean) => done(error, Uint8Array.of(Number(right)));
  crypto.verify(null, bytes, publicKey, new Uint8Array(64), check);
};

const CRYPTO: Operation[] = [
  calls("crypto: pbkdf2, password", (bytes, done) => crypto.pbkdf2(bytes, "salt", 60_000, 32, "sha512", done)),
  calls("crypto: pbkdf2, salt", (bytes, done) => crypto.pbkdf2("password", bytes, 60_000, 32, "sha512", done)),
  calls("crypto: scrypt", (bytes, done) => crypto.scrypt(bytes, "salt", 32, done)),
  calls("crypto: scrypt, salt", (bytes, done) => crypto.scrypt("password", bytes, 32, done)),
  calls("crypto: hkdf", (bytes, done) => crypto.hkdf("sha512", bytes, "salt", "info", 64, done), { size: 2 ** 20 }),
  calls("crypto: sign", (bytes, done) => crypto.sign(null, bytes, privateKey, done)),
  calls("crypto: verify", verified),
  transforms("crypto: createHash", () => crypto.createHash("sha256")),
  transforms("crypto: createHmac", () => crypto.createHmac("sha256", "key")),
  transforms("crypto: createCipheriv", () => crypto.createCipheriv("aes-256-cbc", raw, raw.subarray(16))),
  computes("crypto: subtle.digest", (bytes) => subtle.digest("SHA-512", bytes).then(asBytes)),
  computes("crypto: subtle.sign", (bytes) => subtle.sign("HMAC", hmac, bytes).then(asBytes)),
  computes("crypto: subtle.encrypt", (bytes) =>
    subtle.encrypt({ name: "AES-CBC", iv: raw.subarray(16) }, aes, bytes).then(asBytes),
  ),
  ...awaitedToo(
    fills(
      "crypto: randomFill",
      (view) => {
        const { promise, callback } = later<unknown>();
        crypto.randomFill(view, callback);
        return promise;
      },
      { also: isDeno ? ["uncaught"] : [] },
    ),
  ),
];

/** Puts a view into a stream of the Web's, and reads what comes out. */
function through(stream: unknown, bytes: View): Promise<Uint8Array> {
  const { readable, writable } = stream as TransformStream<Uint8Array, Uint8Array>;
  const writer = writable.getWriter();
  writer.write(bytes).catch(() => {});
  writer.close().catch(() => {});
  return new Response(readable as unknown as ConstructorParameters<typeof Response>[0]).arrayBuffer().then(asBytes);
}

const WEB: Operation[] = [
  ...awaitedToo(
    computes("web: CompressionStream", (bytes) => through(new CompressionStream("gzip"), bytes), {
      missing: typeof CompressionStream === "undefined" && "this runtime has no CompressionStream",
      also: ["wrong", "hang"],
    }),
  ),
  computes("web: Blob", (bytes) => new Blob([bytes]).arrayBuffer().then(asBytes)),
  computes("web: Response", (bytes) => new Response(bytes).arrayBuffer().then(asBytes)),
  computes("web: Response, streamed", (bytes) => new Response(new Response(bytes).body).arrayBuffer().then(asBytes)),
  fills("web: getReader into the view", (view) => {
    const stream = new ReadableStream({
      type: "bytes",
      pull(controller: unknown) {
        const request = (controller as ReadableByteStreamController).byobRequest;
        (request?.view as Uint8Array | null)?.fill(INCOMING);
        request?.respond(1);
      },
    } as ConstructorParameters<typeof ReadableStream>[0]);
    return stream.getReader({ mode: "byob" }).read(view);
  }),
  computes("web: WebAssembly.compile", (bytes) => WebAssembly.compile(bytes).then(() => "compiled"), { content: wasm }),
];

/** A WebAssembly module with a long section of the user's own, and a function. */
function wasm(): View {
  const custom = 2 ** 20;
  const length = [custom & 127, (custom >> 7) & 127, (custom >> 14) & 127, custom >> 21];
  const leb = length.map((part, index) => (index < 3 ? part | 128 : part));
  const head = [0, 97, 115, 109, 1, 0, 0, 0, 0, ...leb, 1, 120];
  const code = [1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 4, 1, 2, 0, 11];
  const bytes = new Uint8Array(head.length + custom - 2 + code.length);
  bytes.set(head);
  bytes.set(code, head.length + custom - 2);
  return bytes;
}

export const COMPUTE: Operation[] = [...pairs, ...STREAMS, ...CRYPTO, ...WEB];
