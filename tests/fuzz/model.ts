/**
 * What a map should hold and answer: a plain array that is worked on in the simplest way. The hostile fuzzer compares with it.
 *
 * @module
 */

/** An argument as it is passed, and what it stands for; `WRONG` has no meaning, and must be refused. */
export interface Given {
  readonly value: unknown;
  readonly means: number | Uint8Array | undefined | typeof WRONG;
}

export const WRONG = Symbol("wrong");

/** What a call must do: give this value, or throw one of these. */
export type Expected = { readonly value: unknown } | { readonly errors: readonly string[] };

type Means = number | undefined;

class Refusal extends Error {
  readonly kind: string;

  constructor(kind: string) {
    super(kind);
    this.kind = kind;
  }
}

const MAX = Number.MAX_SAFE_INTEGER;

function check(right: boolean, kind = "RangeError"): void {
  if (!right) throw new Refusal(kind);
}

/** The line from `start`, up to `end` at most. */
export function lineOf(content: Uint8Array, start: number, end: number): Uint8Array {
  const newline = content.indexOf(10, start);
  return content.slice(start, newline === -1 || newline >= end ? end : newline + 1);
}

export interface ModelOptions {
  readonly file: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly access: string;
  readonly shared: boolean;
  readonly anonymous: boolean;
}

export class Model {
  readonly access: string;
  readonly shared: boolean;
  readonly anonymous: boolean;
  readonly offset: number;
  /** What the file has. */
  file: Uint8Array;
  /** What the map has: of a shared one, a part of the file. */
  content: Uint8Array;
  position = 0;
  closed = false;

  constructor({ file, offset, length, access, shared, anonymous }: ModelOptions) {
    const part = file.subarray(offset, offset + length);
    this.file = file;
    this.content = shared ? part : part.slice();
    this.offset = offset;
    this.access = access;
    this.shared = shared;
    this.anonymous = anonymous;
  }

  get writable(): boolean {
    return this.access !== "read";
  }

  /** What a call must do; where it is to succeed, it is done to the model. */
  call(op: string, args: readonly Given[]): Expected {
    const wrong = args.some(({ means }) => means === WRONG);
    if (wrong) return { errors: ["TypeError", "RangeError", ...(this.closed ? ["ERR_MMAP_CLOSED"] : [])] };
    const means = args.map((given) => given.means);
    if (this.closed) return { errors: ["ERR_MMAP_CLOSED", "RangeError", "TypeError"] };
    try {
      const method = (this as unknown as Record<string, (...values: unknown[]) => unknown>)[op];
      return { value: method?.apply(this, means) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // Which of two reasons comes first does not matter.
      return { errors: this.writable ? [error.kind] : ["TypeError", "RangeError"] };
    }
  }

  length(): number {
    return this.content.length;
  }

  read(count: Means): Uint8Array {
    check(Math.abs(count ?? 0) <= MAX);
    const rest = this.content.length - this.position;
    const end = this.position + (count === undefined || count < 0 ? rest : Math.min(count, rest));
    const part = this.content.slice(this.position, end);
    this.position = end;
    return part;
  }

  readByte(): number {
    check(this.position < this.content.length);
    return this.content[this.position++] as number;
  }

  readline(): Uint8Array {
    const line = lineOf(this.content, this.position, this.content.length);
    this.position += line.length;
    return line;
  }

  write(bytes: Uint8Array): number {
    check(this.writable, "TypeError");
    check(bytes.length <= this.content.length - this.position);
    this.content.set(bytes, this.position);
    this.position += bytes.length;
    return bytes.length;
  }

  writeByte(value: number): void {
    check(value >= 0 && value <= 255);
    check(this.writable, "TypeError");
    check(this.position < this.content.length);
    this.content[this.position++] = value;
  }

  seek(pos: number, whence: number | undefined = 0): number {
    check(Math.abs(pos) <= MAX && [0, 1, 2].includes(whence));
    const target = [0, this.position, this.content.length][whence] as number;
    check(target + pos >= 0 && target + pos <= this.content.length);
    this.position = target + pos;
    return this.position;
  }

  tell(): number {
    return this.position;
  }

  size(): number {
    return this.anonymous ? this.content.length : this.file.length;
  }

  #range(start: Means, end: Means): [number, number] {
    const { length } = this.content;
    const clamp = (value: number) => (value < 0 ? Math.max(0, value + length) : Math.min(value, length));
    return [start === undefined ? 0 : clamp(start), end === undefined ? length : clamp(end)];
  }

  find(sub: Uint8Array, start?: number, end?: number): number {
    const [from, to] = this.#range(start, end);
    for (let at = from; at + sub.length <= to; at++) if (this.#has(sub, at)) return at;
    return -1;
  }

  rfind(sub: Uint8Array, start?: number, end?: number): number {
    const [from, to] = this.#range(start, end);
    for (let at = to - sub.length; at >= from; at--) if (this.#has(sub, at)) return at;
    return -1;
  }

  #has(sub: Uint8Array, at: number): boolean {
    for (let index = 0; index < sub.length; index++) if (this.content[at + index] !== sub[index]) return false;
    return true;
  }

  move(dest: number, src: number, count: number): void {
    const { length } = this.content;
    check([dest, src, count].every((value) => value >= 0));
    check(this.writable, "TypeError");
    check(dest + count <= length && src + count <= length);
    this.content.copyWithin(dest, src, src + count);
  }

  at(index: number): number | undefined {
    check(Math.abs(index) <= MAX);
    return this.content[index < 0 ? index + this.content.length : index];
  }

  get(index: number): number {
    const value = this.content[index < 0 ? index + this.content.length : index];
    check(value !== undefined);
    return value as number;
  }

  set(index: number, value: number): void {
    check(value >= 0 && value <= 255);
    check(this.writable, "TypeError");
    this.get(index);
    this.content[index < 0 ? index + this.content.length : index] = value;
  }

  #indices(start: Means, end: Means, step: number): number[] {
    check(step !== 0);
    const { length } = this.content;
    const clamp = (value: number) =>
      value < 0 ? Math.max(step < 0 ? -1 : 0, value + length) : Math.min(value, step < 0 ? length - 1 : length);
    const from = start === undefined ? (step < 0 ? length - 1 : 0) : clamp(start);
    const to = end === undefined ? (step < 0 ? -1 : length) : clamp(end);
    const indices: number[] = [];
    for (let at = from; step > 0 ? at < to : at > to; at += step) indices.push(at);
    return indices;
  }

  slice(start: Means, end: Means, step: number | undefined = 1): Uint8Array {
    return Uint8Array.from(this.#indices(start, end, step), (index) => this.content[index] as number);
  }

  assign(bytes: Uint8Array, start: Means, end: Means, step: number | undefined = 1): void {
    check(this.writable, "TypeError");
    const indices = this.#indices(start, end, step);
    check(indices.length === bytes.length);
    const source = bytes.slice();
    for (const [place, index] of indices.entries()) this.content[index] = source[place] as number;
  }

  flush(offset: number | undefined = 0, size: Means): void {
    const { length } = this.content;
    check(offset >= 0 && offset <= length && (size === undefined || (size >= 0 && offset + size <= length)));
  }

  /** Grows and shrinks the file too. */
  resize(size: number): void {
    check(size >= 1);
    check(this.writable && this.access !== "copy", "TypeError");
    const file = new Uint8Array(this.offset + size);
    file.set(this.file.subarray(0, file.length));
    const part = file.subarray(this.offset);
    if (!this.shared) {
      const old = this.content.subarray(0, size);
      this.content = part.slice();
      this.content.set(old);
    } else {
      this.content = part;
    }
    this.file = file;
    this.position = Math.min(this.position, size);
  }
}
