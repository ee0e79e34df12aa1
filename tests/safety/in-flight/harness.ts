/**
 * Runs an operation on a view whose map ends right after the call, while other memory takes every address that is free, and
 * says what came out at the operation's other end.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { MAP_ANONYMOUS, MAP_PRIVATE, MMap } from "../../../lib/mod.ts";
import { EMULATED, newPath } from "../../helpers/support.ts";

export type View = Uint8Array<ArrayBuffer>;

/** What goes through a socket: several times what the kernel keeps of it. What goes through a pipe: the same. */
export const STREAM = 12 * 2 ** 20;
export const PIPE = 2 ** 20;

/** What is in memory that no operation was given. */
const SECRET = "S".charCodeAt(0);
/** What an operation brings into a view. */
export const INCOMING: number = "I".charCodeAt(0);

/** The content of the file that is mapped: lower-case letters, another one on each page. */
function publicBytes(size: number): View {
  const bytes = new Uint8Array(size);
  for (let page = 0; page * 4096 < size; page++) bytes.fill(97 + (page % 26), page * 4096, (page + 1) * 4096);
  return bytes;
}

/** What an operation is told. */
export interface Job {
  readonly size: number;
  /** Kept once other memory was mapped after the end of the map. */
  readonly gate: Promise<void>;
  /** The bytes that the view has. */
  readonly expected: View;
}

/** An operation that waits for its view. */
export interface Ready {
  /** Hands the view to the runtime, and keeps no reference to it. The map ends when it returns. */
  begin(view: View): unknown;
  /** What came of it; see `Received.outcome`. A rejection is an error of the operation. */
  readonly end: Promise<string>;
}

export interface Operation {
  readonly name: string;
  readonly size: number;
  /** Why this runtime or system has it not. */
  readonly missing?: string | false | undefined;
  /** The content of the file, where it is not `publicBytes`. */
  readonly content?: () => View;
  /** Does the map end only when the operation has, as docs/safety.md says it should? */
  readonly waits?: boolean;
  /** Does it end a while after the call, when the runtime has begun? */
  readonly begun?: boolean;
  /** Does the operation write into its view? Then other memory must not change. */
  readonly fills?: boolean;
  /**
   * The first words of outcomes, beside "right" and "error", that are no fault of the library: the runtime looks at the view once more
   * when it is detached already.
   */
  readonly also?: readonly string[];
  /** Does it now and then never end, without a map too? It still meets every ending, unlike what hangs each time. */
  readonly stalls?: boolean;
  setup(job: Job): Ready | Promise<Ready>;
}

/** Memory that no file has, which a resize copies. */
const PRIVATE = MAP_PRIVATE === undefined || MAP_ANONYMOUS === undefined ? {} : { flags: MAP_PRIVATE | MAP_ANONYMOUS };

/** How a map can end under an operation. Each gives what ends it. */
export const ENDINGS: Record<string, (content: View) => { view: View; end: () => void }> = {
  close: (content) => {
    const mm = MMap.open(fileOf(content));
    return { view: mm.bytes, end: () => mm.close() };
  },
  release: (content) => {
    const mm = MMap.open(fileOf(content));
    return { view: mm.bytes, end: () => mm.close({ release: true }) };
  },
  drop: (content) => ({ view: MMap.open(fileOf(content)).bytes, end: () => {} }),
  grow: (content) => {
    const mm = MMap.open(fileOf(content, true), { access: "write" });
    return { view: mm.bytes, end: () => mm.resize(2 * content.length) };
  },
  shrink: (content) => {
    const mm = MMap.open(fileOf(content, true), { access: "write" });
    return { view: mm.bytes, end: () => mm.resize(1) };
  },
  beside: (content) => {
    const mm = MMap.anonymous(content.length, PRIVATE);
    mm.assign(content);
    return { view: mm.bytes, end: () => mm.resize(2 * content.length) };
  },
};

/** Who collects garbage: the harness, or the engine when it wants to. */
export type Garbage = "forced" | "natural";

/** One operation with one ending. */
export interface Case {
  readonly operation: string;
  readonly ending: string;
  readonly garbage: Garbage;
}

const files = new Map<View, string>();
let created = 0;

/** A file of the given content. `fresh`: one that no other map has. */
function fileOf(content: View, fresh = false): string {
  const known = files.get(content);
  if (known !== undefined && !fresh) return known;
  const path = `${newPath()}-${created++}`;
  writeFileSync(path, content);
  if (!fresh) files.set(content, path);
  return path;
}

/** Checks what comes out at the other end, as it comes. */
export class Received {
  readonly #expected: Uint8Array;
  #at = 0;
  #foreign = 0;
  #zeros = 0;

  constructor(expected: Uint8Array) {
    this.#expected = expected;
  }

  add(chunk: Uint8Array): void {
    const expected = this.#expected.subarray(this.#at, this.#at + chunk.length);
    this.#at += chunk.length;
    if (Buffer.compare(chunk, expected) === 0) return;
    for (const [index, byte] of chunk.entries()) {
      if (byte === expected[index]) continue;
      if (byte === 0) this.#zeros++;
      else this.#foreign++;
    }
  }

  /**
   * "right", or "disclosed", "zeros" or "cut" with how many bytes. Zeros are what the file no longer has; they disclose
   * nothing.
   */
  get outcome(): string {
    if (this.#foreign > 0) return `disclosed ${this.#foreign}`;
    if (this.#zeros > 0) return `zeros ${this.#zeros}`;
    return this.#at < this.#expected.length ? `cut ${this.#at}` : "right";
  }
}

const secrets = new Map<number, string>();

const changed = (bytes: View) => Buffer.compare(bytes, new Uint8Array(bytes.length).fill(SECRET)) !== 0;

/** Memory that must neither be seen nor changed: a map of a file, an anonymous map, and a buffer of the engine's own. */
class Decoys {
  readonly #size: number;
  readonly #checks: boolean;
  readonly #path: string;
  readonly #rounds: { maps: MMap[]; buffer: View }[] = [];
  corrupted = 0;

  constructor(size: number, checks: boolean) {
    this.#size = size;
    this.#checks = checks;
    let path = secrets.get(size);
    if (path === undefined) {
      path = fileOf(new Uint8Array(size).fill(SECRET), true);
      secrets.set(size, path);
    }
    this.#path = path;
  }

  add(): void {
    const file = MMap.open(this.#path, { access: "copy" });
    const anonymous = MMap.anonymous(this.#size, { access: "copy" });
    const buffer = new Uint8Array(this.#size).fill(SECRET);
    anonymous.assign(buffer);
    this.#rounds.push({ maps: [file, anonymous], buffer });
    if (this.#rounds.length > 3) this.remove();
  }

  remove(): void {
    const { maps, buffer } = this.#rounds.shift() as { maps: MMap[]; buffer: View };
    for (const mm of maps) {
      if (this.#checks && changed(mm.read())) this.corrupted++;
      mm.close();
    }
    if (this.#checks && changed(buffer)) this.corrupted++;
  }

  removeAll(): void {
    while (this.#rounds.length > 0) this.remove();
  }
}

/** How long an operation may take after the gate opened, in milliseconds: far more than it should. */
export const LIMIT: number = (EMULATED ? 10 : 1) * 30_000;
/** How often the decoys are made anew. */
const ROUNDS = 8;

const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(force: boolean): void } };
const collect = gc ?? (() => Bun?.gc(true));

function litter(): void {
  for (let index = 0; index < 2000; index++) new Array(100).fill({ index });
}

const contents = new Map<string, View>();

/** What ends the case that runs, when an error is thrown that nobody can catch. */
let fail: (outcome: string) => void = () => {};

export function uncaught(error: unknown): void {
  fail(`uncaught ${(error as Error)?.message ?? error}`);
}

/** Runs a case, and gives its outcome. */
export async function runCase(operation: Operation, { ending, garbage }: Case): Promise<string> {
  const key = operation.content === undefined ? String(operation.size) : operation.name;
  const content = contents.get(key) ?? operation.content?.() ?? publicBytes(operation.size);
  contents.set(key, content);
  const decoys = new Decoys(content.length, operation.fills === true);
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const ready = await operation.setup({ size: content.length, gate, expected: content });
  let outcome: string | undefined;
  const finish = (ended: string) => {
    outcome ??= ended;
  };
  fail = finish;
  ready.end.then(finish, (error: unknown) => finish(`error ${(error as Error)?.message ?? error}`));
  if (operation.waits) open();
  const failed = await start(operation, ready.begin, ENDINGS[ending] as (typeof ENDINGS)[string], content);
  if (failed !== undefined) finish(failed);
  const began = Date.now();
  for (let round = 0; outcome === undefined && Date.now() - began < LIMIT; round++) {
    if (round < ROUNDS) decoys.add();
    if (round === 1) open();
    if (garbage === "forced") collect();
    else litter();
    await setTimeout(5);
  }
  open();
  decoys.removeAll();
  outcome ??= "hang";
  return decoys.corrupted > 0 ? `corrupted ${decoys.corrupted} (${outcome})` : outcome;
}

/** Begins an operation and ends its map, in a call of its own: no reference to the view is left behind. */
async function start(
  operation: Operation,
  begin: Ready["begin"],
  make: (typeof ENDINGS)[string],
  content: View,
): Promise<string | undefined> {
  const { view, end } = make(content);
  try {
    const began = begin(view);
    // A rejection is the operation's own, which tells of it by its `end` as well.
    if (began instanceof Promise) began.catch(() => {});
    if (operation.waits) await began;
    else if (operation.begun) await setTimeout(100);
  } catch (error) {
    end();
    return `error ${(error as Error).message}`;
  }
  end();
  return undefined;
}
