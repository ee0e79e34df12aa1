/**
 * The library's side of the differential fuzzer: runs steps on a file of its own.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import * as library from "../../lib/mod.ts";
import {
  type Argument,
  type Content,
  type OpenArguments,
  type Outcome,
  PATTERNS,
  type State,
  type Step,
} from "./steps.ts";

const { MMap, MMapError, PROT_READ = 0, PROT_WRITE = 0 } = library;

/** Bytes longer than this are compared by their hash. */
const LONG = 200;

/** Node 20 cannot detach. */
const DETACHES = "transfer" in ArrayBuffer.prototype;

function contentOf({ chunk, length, marks }: Content): Buffer {
  const content = Buffer.alloc(length, Buffer.from(chunk, "latin1"));
  for (const [index, value] of marks) if (index < length) content[index] = value;
  return content;
}

/** A result as it travels: bytes as text. */
function plain(value: unknown): unknown {
  if (value === undefined) return null;
  if (!(value instanceof Uint8Array)) return value;
  if (value.length <= LONG) return Buffer.from(value).toString("latin1");
  return `${value.length} bytes, ${createHash("sha1").update(value).digest("hex")}`;
}

function kindOf(error: unknown): string {
  if (error instanceof MMapError) return error.code;
  if (error instanceof TypeError || error instanceof RangeError) return error.name;
  // No error of Python's is the same as this.
  return String(error);
}

type Values = (number | Uint8Array | undefined)[];
type Call = (...values: never[]) => unknown;

export class World {
  readonly #path: string;
  #map: library.MMap | undefined;
  #mode = "";
  #options: OpenArguments = {};
  #view: { array: Uint8Array; first: number } | undefined;
  /** Views of memory that the map had before. */
  #stale: Uint8Array[] = [];

  /** What the file had when it was looked at, and that as it travels; undefined where there was none. */
  #seen: { bytes: Buffer; text: string } | undefined;

  constructor(path: string, content: Content) {
    this.#path = path;
    writeFileSync(path, contentOf(content));
    this.#look();
  }

  get state(): State {
    const map = this.#map;
    const prot = this.#options.prot ?? PROT_READ | PROT_WRITE;
    const open = map !== undefined && !map.closed;
    return {
      open,
      length: open ? map.length : 0,
      position: open ? map.tell() : 0,
      readable: (prot & PROT_READ) !== 0,
      writable: (prot & PROT_WRITE) !== 0 && this.#options.access !== "read",
      mode: this.#mode,
      options: this.#options,
    };
  }

  get fileLength(): number {
    return this.#seen?.bytes.length ?? 0;
  }

  /** What the file has. It is read each time, and hashed only where it is not what it was. */
  #look(): string | null {
    let bytes: Buffer | undefined;
    try {
      bytes = readFileSync(this.#path);
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") throw error;
    }
    if (bytes === undefined) this.#seen = undefined;
    else if (this.#seen?.bytes.equals(bytes) !== true) this.#seen = { bytes, text: plain(bytes) as string };
    return this.#seen?.text ?? null;
  }

  run(step: Step): Outcome {
    const outcome = this.#attempt(step);
    const { open, position, length } = this.state;
    return [...outcome, open ? position : -1, open ? length : -1, this.#look()];
  }

  #attempt({ op, args }: Step): ["ok" | "error", unknown] {
    try {
      if (op === "open") return ["ok", this.#open(...(args as [string, number, OpenArguments]))];
      if (op === "poke") return ["ok", this.#poke(...(args as [number, number]))];
      const map = this.#map;
      if (map === undefined) return ["ok", "no map"];
      const values = args.map((value) => (op === "madvise" ? value : given(value)));
      const outcome = plain(this.#call(map, op, values as Values));
      if (op === "resize" || op === "close") this.#dropViews();
      return ["ok", outcome];
    } catch (error) {
      return ["error", kindOf(error)];
    }
  }

  #open(mode: string, length: number, options: OpenArguments): null {
    this.close();
    if (mode === "anonymous" || mode === "bad") {
      this.#map = new MMap(mode === "bad" ? 1_000_000 : -1, length, options);
    } else {
      const fd = openSync(this.#path, mode === "w" ? 1 : mode);
      try {
        this.#map = new MMap(fd, length, options);
      } finally {
        closeSync(fd);
      }
    }
    this.#mode = mode;
    this.#options = options;
    return null;
  }

  close(): void {
    this.#map?.close();
    this.#dropViews();
  }

  #poke(index: number, value: number): null {
    const fd = openSync(this.#path, "r+");
    writeSync(fd, Uint8Array.of(value), 0, 1, index);
    closeSync(fd);
    return null;
  }

  #call(map: library.MMap, op: string, values: Values): unknown {
    const [first, second] = values as [number, number];
    switch (op) {
      case "index":
        return map[first];
      case "setIndex":
        map[first] = second;
        return null;
      case "madvise":
        return this.#advise(map, values as unknown as Argument[]);
      case "iterate":
        return Uint8Array.from(map);
      case "lines":
        return [...map.lines(first, second)].map(plain);
      case "matchAll":
        return matches(map, first, values.slice(1) as number[]);
      case "takeView":
        return this.#takeView(map, first);
      case "viewSet":
        return this.#viewSet(first, second);
      default:
        return (map as unknown as Record<string, Call>)[op]?.(...(values as never[]));
    }
  }

  #advise(map: library.MMap, [option, start, length]: Argument[]): unknown {
    const range = [start, length].map(given) as number[];
    return map.madvise((library as unknown as Record<string, number>)[option as string], ...range);
  }

  #takeView(map: library.MMap, first: number): null {
    const array = first === 0 ? map.bytes : map.view(Uint8Array, first);
    this.#view = { array, first };
    return null;
  }

  /** Writes through the view, and gives the index in the map, or -1 where there is nothing that may be written. */
  #viewSet(index: number, value: number): number {
    if (this.#view === undefined || this.#view.array.length === 0 || !this.state.writable) return -1;
    const { array, first } = this.#view;
    array[index % array.length] = value;
    return first + (index % array.length);
  }

  #dropViews(): void {
    if (this.#view !== undefined) this.#stale.push(this.#view.array);
    this.#view = undefined;
    const left = this.#stale.find((array) => array.length > 0);
    if (DETACHES && left !== undefined) throw new Error(`a view of ${left.length} bytes outlived its memory`);
    if (DETACHES) this.#stale = [];
  }
}

function given(value: Argument | undefined): number | Uint8Array | undefined {
  if (value === null) return undefined;
  return typeof value === "string" ? Buffer.from(value, "latin1") : (value as number);
}

function matches(map: library.MMap, pattern: number, bounds: number[]): unknown {
  const found = [...map.matchAll(PATTERNS[pattern] as RegExp, ...bounds)];
  return found.map((match) => [match.index, match.end, match.slice(1).map(plain)]);
}

/** A step as a line of a program. */
export function lineOf({ op, args }: Step): string {
  const texts = args.map((value) =>
    typeof value === "string" && op !== "madvise" ? `bytes(${quoted(value)})` : text(value),
  );
  const [first, second] = texts;
  switch (op) {
    case "open":
      return openLine(args as [string, number, OpenArguments]);
    case "index":
      return `mm[${first}];`;
    case "setIndex":
      return `mm[${first}] = ${second};`;
    case "iterate":
      return "[...mm];";
    case "lines":
      return `[...mm.lines(${texts.join(", ")})];`;
    case "matchAll":
      return `[...mm.matchAll(${[PATTERNS[args[0] as number], ...texts.slice(1)].join(", ")})];`;
    case "takeView":
      return `first = ${first}; view = ${args[0] === 0 ? "mm.bytes" : `mm.view(Uint8Array, ${first})`};`;
    case "viewSet":
      return `view[${first} % view.length] = ${second};`;
    case "poke":
      return `writeSync(openSync(path, "r+"), Uint8Array.of(${second}), 0, 1, ${first});`;
    default:
      return `mm.${op}(${texts.join(", ")});`;
  }
}

function openLine([mode, length, options]: [string, number, OpenArguments]): string {
  const fd =
    mode === "anonymous" ? -1 : mode === "bad" ? 1_000_000 : `openSync(path, ${mode === "w" ? 1 : quoted(mode)})`;
  return `mm?.close(); mm = new MMap(${fd}, ${length}, ${JSON.stringify(options)});`;
}

function text(value: Argument): string {
  return value === null ? "undefined" : String(value);
}

export function quoted(value: string): string {
  const escaped = [...value].map((character) => {
    const code = character.charCodeAt(0);
    return code < 32 || code > 126
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : /["\\]/.test(character)
        ? `\\${character}`
        : character;
  });
  return `"${escaped.join("")}"`;
}
