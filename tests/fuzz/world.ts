/**
 * What the hostile fuzzer works on: maps, each with the model of what it should hold, and all that was taken from them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { closeSync, openSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MAP_PRIVATE, MMap, MMapError } from "../../lib/mod.ts";
import { type Given, Model } from "./model.ts";
import type { Random } from "./random.ts";

/** Something is not as it must be. */
export class Wrong extends Error {}

/** What hostile code throws. */
export class MischiefError extends Error {}

/** Node 20 cannot detach. */
export const DETACHES: boolean = "transfer" in ArrayBuffer.prototype;

export const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && Buffer.compare(a, b) === 0;

/** What a call did. */
export type Outcome = { value: unknown } | { error: unknown };

export function attempt(act: () => unknown): Outcome {
  try {
    return { value: act() };
  } catch (error) {
    return { error };
  }
}

export const kindOf = (error: unknown): string =>
  error instanceof MMapError ? error.code : error instanceof Error ? error.name : String(error);

/** A typed array over the memory of a map. */
export interface View {
  readonly array: Uint8Array;
  /** The index of its first byte in the map. */
  readonly first: number;
}

export interface Iteration {
  readonly what: string;
  next(): void;
}

export class Victim {
  readonly map: MMap;
  readonly model: Model;
  readonly path: string | undefined;
  /** Views of the memory that the map has. */
  views: View[] = [];
  /** Arrays over memory that it had. */
  strays: View[] = [];
  iterations: Iteration[] = [];

  constructor(map: MMap, model: Model, path: string | undefined) {
    this.map = map;
    this.model = model;
    this.path = path;
  }

  close(): void {
    this.map.close();
    this.model.closed = true;
    this.dropViews();
  }

  resize(size: number): void {
    this.map.resize(size);
    this.model.resize(size);
    this.dropViews();
  }

  /** The views are of memory that is gone: those that are not detached must be harmless. */
  dropViews(): void {
    for (const { array, first } of this.views) {
      if (DETACHES && array.length > 0) throw new Wrong(`a view of ${array.length} bytes outlived its memory`);
      this.strays.push({ array, first });
    }
    this.views = [];
  }

  /** Writes through an array that is no view of the map any more, but may be over its pages, or those of its file. */
  touch({ array, first }: View, index: number, value: number): void {
    if (array.length === 0) return;
    const place = index % array.length;
    const before = array[place] as number;
    array[place] = value;
    if (array[place] !== value) throw new Wrong("a byte was not written");
    // Bytes behind the file's end show on some file systems when it grows: not for the model to foresee.
    if (first + place >= this.model.length()) array[place] = before;
    if (!this.map.closed) adopt(this.model.content, this.map.slice(), first + place);
    if (this.path !== undefined) adopt(this.model.file, readFileSync(this.path), this.model.offset + first + place);
  }

  /** Takes over what the map is, after calls of which it is not known what they did. */
  forget(): void {
    const { map, model, path } = this;
    this.strays.push(...this.views);
    this.views = [];
    this.iterations = [];
    model.closed = map.closed;
    const length = map.closed ? model.length() : map.length;
    const content = map.closed ? model.content : map.slice();
    // The file of a map for reading, or of a copy, has not changed, whatever was done.
    if (model.anonymous) model.file = content;
    else if (path !== undefined && model.writable && model.access !== "copy") model.file = readFileSync(path);
    model.content = model.shared ? model.file.subarray(model.offset, model.offset + length) : content;
    if (!map.closed) model.position = map.tell();
  }

  /** Takes over what the map and the file have, when it cannot be told what they should have. */
  resync(): void {
    if (!this.map.closed) this.model.content.set(this.map.slice());
    if (this.path !== undefined && this.model.shared) this.model.file.set(readFileSync(this.path));
  }

  /** Closes the map for good: the file must have what it should. */
  end(): void {
    this.close();
    if (this.path === undefined) return;
    adopt(this.model.file, readFileSync(this.path), -1);
    unlinkSync(this.path);
  }

  /** Is the map what the model is? */
  check(): void {
    const { map, model } = this;
    if (map.closed !== model.closed) throw new Wrong(`closed is ${map.closed}`);
    if (map.closed) return;
    if (map.length !== model.length()) throw new Wrong(`length is ${map.length} and should be ${model.length()}`);
    if (map.tell() !== model.position) throw new Wrong(`the position is ${map.tell()} and should be ${model.position}`);
    adopt(model.content, map.slice(), -1);
  }
}

let files = 0;

export class World {
  readonly random: Random;
  readonly tell: (action: string) => void;
  victims: Victim[] = [];
  /** Arrays over maps that nobody has any more, and what they should hold. */
  orphans: { array: Uint8Array; content: Uint8Array }[] = [];
  readonly #folder: string;
  /** Mischief does not call itself. */
  #busy = false;

  constructor(folder: string, random: Random, tell: (action: string) => void) {
    this.#folder = folder;
    this.random = random;
    this.tell = tell;
  }

  victim(): Victim {
    return this.random.pick(this.victims);
  }

  /** A new map; one of the older ones is closed when there are many. */
  open(): Victim {
    const { random } = this;
    const anonymous = random.oneIn(5);
    const size = random.oneIn(6) ? 60_000 + random.below(20_000) : 1 + random.below(random.oneIn(2) ? 300 : 9000);
    const file = Uint8Array.from({ length: size }, () => random.pick([97, 98, 10, 0, 255]));
    const offset = anonymous || random.oneIn(2) ? 0 : random.below(size);
    const length = random.oneIn(3) ? 1 + random.below(size - offset) : size - offset;
    const access = random.pick(["read", "write", "write", "copy", "default", "private"]);
    const options = access === "private" ? { flags: MAP_PRIVATE, offset } : { access: access as "read", offset };
    const shared = access === "write" || access === "default";
    this.tell(`  map ${length} of ${anonymous ? "anonymous" : size} bytes from ${offset}, ${access}`);
    const path = anonymous ? undefined : join(this.#folder, `victim-${files++}`);
    if (path !== undefined) writeFileSync(path, file);
    const fd = path === undefined ? -1 : openSync(path, "r+");
    const map = new MMap(fd, length, options);
    if (path !== undefined) closeSync(fd);
    const content = anonymous ? new Uint8Array(length) : file;
    const model = new Model({ file: content, offset, length, access, shared, anonymous });
    const victim = new Victim(map, model, path);
    this.victims.push(victim);
    if (this.victims.length > 3) (this.victims.shift() as Victim).end();
    return victim;
  }

  /** What hostile code does when it is called: closes or resizes a map, throws, or gives something strange. */
  readonly mischief = (): unknown => {
    if (this.#busy) return 0;
    this.#busy = true;
    try {
      return this.#mischief();
    } finally {
      this.#busy = false;
    }
  };

  #mischief(): unknown {
    const { random } = this;
    const victim = this.victim();
    switch (random.below(5)) {
      case 0:
        this.tell("  mischief: close");
        victim.close();
        return 3;
      case 1:
        if (victim.model.closed || !["write", "default"].includes(victim.model.access)) return undefined;
        this.tell("  mischief: resize");
        victim.resize(1 + random.below(5000));
        return 1;
      case 2:
        throw new MischiefError("mischief");
      default:
        return random.pick([3, "abc", null, undefined, 2 ** 32, -1, {}, []]);
    }
  }

  /** Runs a call of a victim and compares it with the model. */
  call(victim: Victim, op: string, args: readonly Given[], act: () => unknown): void {
    const outcome = attempt(act);
    if ("error" in outcome && outcome.error instanceof MischiefError) return;
    const expected = victim.model.call(op, args);
    if ("errors" in expected) {
      if (!("error" in outcome)) throw new Wrong(`${op} gave ${show(outcome.value)} and should have thrown`);
      if (expected.errors.includes(kindOf(outcome.error))) return;
      throw new Wrong(
        `${op} threw ${kindOf(outcome.error)} (${String(outcome.error)}) and should have: ${expected.errors}`,
      );
    }
    if ("error" in outcome) throw new Wrong(`${op} threw ${(outcome.error as Error)?.stack}`);
    if (same(outcome.value, expected.value)) return;
    throw new Wrong(`${op} gave ${show(outcome.value)} and should have given ${show(expected.value)}`);
  }

  /** Is all as it should be? */
  check(): void {
    for (const victim of this.victims) victim.check();
    for (const { array, content } of this.orphans) {
      if (!equal(array, content)) throw new Wrong("a view whose map is garbage has other bytes than it should");
      array[0] = content[0] = this.random.below(256);
    }
  }
}

/** Both must be the same but for one byte, which is taken over. */
function adopt(model: Uint8Array, real: Uint8Array, index: number): void {
  if (model.length !== real.length) throw new Wrong(`${real.length} bytes, and should be ${model.length}`);
  if (index >= 0 && index < model.length) model[index] = real[index] as number;
  if (equal(model, real)) return;
  const at = real.findIndex((value, place) => value !== model[place]);
  throw new Wrong(`the byte at ${at} is ${real[at]} and should be ${model[at]}`);
}

export function same(a: unknown, b: unknown): boolean {
  return a instanceof Uint8Array && b instanceof Uint8Array ? equal(a, b) : Object.is(a, b);
}

/** A value, short, without calling code of its own. */
export function show(value: unknown): string {
  if (typeof value === "object" && value !== null)
    return value instanceof Uint8Array ? `${value.length} bytes` : "an object";
  return typeof value === "string"
    ? JSON.stringify(value.slice(0, 50))
    : typeof value === "bigint"
      ? `${value}n`
      : String(value as number);
}
