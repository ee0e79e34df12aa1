/**
 * What the hostile fuzzer does, by name. Each action compares with the model what can be compared.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { channel } from "node:diagnostics_channel";
import { closeSync, openSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { inspect } from "node:util";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import { MMap, type Residency, type ViewConstructor } from "../../lib/mod.ts";
import { newFile } from "../helpers/support.ts";
import { type Given, lineOf, WRONG } from "./model.ts";
import { pollute } from "./pollute.ts";
import { bytes, expression, noInteger, number, optional, options } from "./values.ts";
import { attempt, equal, kindOf, MischiefError, type Victim, type World, Wrong } from "./world.ts";

type Kind = "number" | "optional" | "count" | "bytes" | "index";

/** The methods, and what they take. */
const METHODS: Record<string, Kind[]> = {
  read: ["count"],
  readByte: [],
  readline: [],
  write: ["bytes"],
  writeByte: ["number"],
  seek: ["number", "optional"],
  tell: [],
  size: [],
  find: ["bytes", "optional", "optional"],
  rfind: ["bytes", "optional", "optional"],
  move: ["number", "number", "number"],
  at: ["number"],
  get: ["index"],
  set: ["index", "number"],
  slice: ["optional", "optional", "optional"],
  assign: ["bytes", "optional", "optional", "optional"],
  flush: ["optional", "optional"],
};

function argument({ random, mischief }: World, kind: Kind, room: number): Given {
  switch (kind) {
    case "number":
      return number(random, random.oneIn(3) ? 255 : room, mischief);
    case "bytes":
      return bytes(random, room, mischief);
    case "count":
      return random.oneIn(4) ? { value: null, means: undefined } : optional(random, room, mischief);
    case "index":
      return index(random.oneIn(5) ? { value: 1.5, means: WRONG } : number(random, room, mischief));
    default:
      return optional(random, room, mischief);
  }
}

/** Other keys than numbers are none of the map's. */
function index(given: Given): Given {
  return typeof given.value === "number" && Math.abs(given.value) < 1e20 ? given : { value: 0, means: 0 };
}

function callSomething(world: World): void {
  const { random } = world;
  const victim = world.victim();
  const { map, model } = victim;
  const op = random.pick(Object.keys(METHODS));
  const args = (METHODS[op] as Kind[]).map((kind) => argument(world, kind, model.length()));
  const values = args.map(({ value }) => value) as never[];
  world.tell(`  ${op}(${values.map((value) => typeof value).join(", ")})`);
  world.call(victim, op, args, () => {
    if (op === "get") return map[values[0] as unknown as number];
    if (op === "set") {
      map[values[0] as unknown as number] = values[1] as unknown as number;
      return undefined;
    }
    return (map as unknown as Record<string, (...given: never[]) => unknown>)[op]?.(...values);
  });
}

/** Runs what may fail for many reasons, all of them documented. */
function mayFail(what: string, act: () => unknown, ...others: string[]): unknown {
  const outcome = attempt(act);
  if ("value" in outcome) return outcome.value;
  const { error } = outcome;
  const kind = kindOf(error);
  const known = error instanceof MischiefError || ["TypeError", "RangeError", "SyntaxError", ...others].includes(kind);
  if (known || /^(ERR_MMAP_CLOSED|E[A-Z]+)$/.test(kind)) return undefined;
  throw new Wrong(`${what} threw ${(error as Error)?.stack ?? kind}`);
}

const CLOSED = { errors: ["ERR_MMAP_CLOSED"] };

function takeView(world: World): void {
  const { random } = world;
  const victim = world.victim();
  const { map, model } = victim;
  const start = random.oneIn(2) ? 0 : random.below(model.length() + 1);
  const type = random.pick([Uint8Array, DataView, Float64Array, BigInt64Array, Uint16Array] as const);
  const outcome = attempt(() => (start === 0 ? map.bytes : map.view(type as ViewConstructor, start)));
  if ("error" in outcome) {
    const allowed = model.closed ? CLOSED.errors : ["RangeError"];
    if (!allowed.includes(kindOf(outcome.error)) || (start === 0 && !model.closed)) throw outcome.error;
    return;
  }
  const { buffer, byteOffset, byteLength } = outcome.value as ArrayBufferView<ArrayBuffer>;
  if (byteLength === 0) return;
  const array = new Uint8Array(buffer, byteOffset, byteLength);
  if (!equal(array, model.content.subarray(start))) throw new Wrong("a view has other bytes than its map");
  victim.views.push({ array, first: start });
}

function writeView(world: World): void {
  const { random } = world;
  const victim = world.victim();
  if (victim.views.length === 0) return;
  const { array, first } = random.pick(victim.views);
  if (array.length === 0) return;
  const at = random.below(array.length);
  // On a map for reading, too: the byte is the process's alone.
  array[at] = victim.model.content[first + at] = random.below(256);
}

/** How many buffers may go to new owners: the memory of each is never given back. */
let escapes = 10_000;

function giveAway(world: World): void {
  const { random } = world;
  const victim = world.victim();
  if (victim.views.length === 0 || escapes-- <= 0) return;
  const { array, first } = random.pick(victim.views);
  const { buffer, byteOffset, length } = array as Uint8Array<ArrayBuffer>;
  if (length === 0) return;
  const how = random.pick([transferred, cloned, posted]);
  // Some engines let no foreign memory go.
  const owned = mayFail("giving a buffer away", () => how(buffer), "DataCloneError") as ArrayBuffer | undefined;
  if (owned === undefined) return;
  victim.strays.push({ array: new Uint8Array(owned, byteOffset, length), first });
  victim.views = victim.views.filter((view) => view.array.length > 0);
}

function transferred(buffer: ArrayBuffer): ArrayBuffer {
  return "transfer" in buffer ? (buffer as unknown as { transfer(): ArrayBuffer }).transfer() : cloned(buffer);
}

function cloned(buffer: ArrayBuffer): ArrayBuffer {
  return structuredClone(buffer, { transfer: [buffer] });
}

function posted(buffer: ArrayBuffer): ArrayBuffer {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(buffer, [buffer]);
  const received = receiveMessageOnPort(port2) as { message: ArrayBuffer };
  port1.close();
  return received.message;
}

function touchStray(world: World): void {
  const { random } = world;
  const victim = world.victim();
  if (victim.strays.length > 0) victim.touch(random.pick(victim.strays), random.next(), random.below(256));
}

function resize(world: World): void {
  const { random, mischief } = world;
  const victim = world.victim();
  const { map, model } = victim;
  if (model.anonymous && model.access === "write" && random.oneIn(2)) return;
  const wanted = number(random, 2 * model.length(), mischief);
  const huge = typeof wanted.means === "number" && wanted.means > 1e6;
  const given = huge ? { value: 1, means: 1 } : wanted;
  world.tell(`  resize(${String(typeof given.value === "number" ? given.value : typeof given.value)})`);
  world.call(victim, "resize", [given], () => map.resize(given.value as number));
  if (!map.closed && map.length !== model.length()) throw new Wrong(`length ${map.length} after resize`);
  const changed = typeof given.means === "number" && given.means >= 1 && model.writable && model.access !== "copy";
  if (changed && !model.closed) victim.dropViews();
}

// --- Iterators -------------------------------------------------------------------------------------------------------

function iterate(world: World): void {
  const { random } = world;
  const victim = world.victim();
  if (victim.model.closed) return;
  const make = random.pick([overBytes, overLines, overMatches]);
  victim.iterations.push({ what: make.name, next: make(victim) });
}

/** What the iterator must give next: a value, or nothing; a closed map makes it throw. */
function expectNext(
  victim: Victim,
  what: string,
  act: () => IteratorResult<unknown>,
  right: (value: unknown) => boolean,
) {
  const outcome = attempt(act);
  if ("error" in outcome) {
    if (victim.model.closed && kindOf(outcome.error) === "ERR_MMAP_CLOSED") return false;
    throw outcome.error;
  }
  const { done, value } = outcome.value as IteratorResult<unknown>;
  if (!right(done ? undefined : value)) throw new Wrong(`an iterator ${what} gave what is wrong`);
  return !done;
}

function overBytes(victim: Victim): () => void {
  const iterator = victim.map[Symbol.iterator]();
  let at = 0;
  let alive = true;
  return () => {
    const right = (value: unknown) => value === (alive ? victim.model.content[at] : undefined);
    alive = expectNext(victim, "over bytes", () => iterator.next(), right) && alive;
    at++;
  };
}

/**
 * Lines are copied some at a time: each is of what the map had at one of the calls, and of none before that of the line
 * before it. What was copied is not given any more when the map's length has changed.
 */
function overLines(victim: Victim): () => void {
  const iterator = victim.map.lines();
  const end = victim.model.length();
  let at = 0;
  let alive = true;
  let contents: Uint8Array[] = [];
  return () => {
    const limit = Math.min(end, victim.model.length());
    contents.push(victim.model.content.slice());
    const right = (value: unknown) => {
      if (!alive || at >= limit) return value === undefined;
      if (!(value instanceof Uint8Array)) return false;
      const first = contents.findIndex(
        (content) => Math.min(end, content.length) === limit && equal(value, lineOf(content, at, limit)),
      );
      contents = contents.slice(first);
      at += value.length;
      return first !== -1;
    };
    alive = expectNext(victim, "over lines", () => iterator.next(), right) && alive;
  };
}

function overMatches(victim: Victim): () => void {
  const iterator = victim.map.matchAll(/[ab]+|\n/);
  return () => {
    const right = (value: unknown) => {
      if (value === undefined) return true;
      const { index, end, bytes } = value as { index: number; end: number; bytes: Uint8Array };
      return (
        end - index === bytes.length &&
        end <= victim.model.length() &&
        /^(?:[ab]+|\n)$/.test(Buffer.from(bytes).toString("latin1"))
      );
    };
    expectNext(victim, "over matches", () => iterator.next(), right);
  };
}

function next(world: World): void {
  const { random } = world;
  const { iterations } = world.victim();
  if (iterations.length > 0) random.pick(iterations).next();
}

// --- Expressions -----------------------------------------------------------------------------------------------------

function search(world: World): void {
  const { random, mischief } = world;
  const victim = world.victim();
  const { map, model } = victim;
  const { value, plain } = expression(random, mischief);
  const outcome = attempt(() => [...map.matchAll(value)]);
  if ("error" in outcome) {
    const { error } = outcome;
    const allowed = error instanceof MischiefError || (model.closed && kindOf(error) === "ERR_MMAP_CLOSED");
    if (!allowed) throw error;
    return;
  }
  if (model.closed) throw new Wrong("matchAll of a closed map did not throw");
  const given = outcome.value as { index: number; bytes: Uint8Array }[];
  const found = given.map((match) => `${match.index} ${Buffer.from(match.bytes).toString("latin1")}`);
  const text = Buffer.from(model.content).toString("latin1");
  const all = new RegExp(plain.source, `${plain.flags}g`);
  const right = [...text.matchAll(all)].map((match) => `${match.index} ${match[0]}`);
  if (found.join() !== right.join())
    throw new Wrong(`${plain} gave ${found.length} matches, and ${right.length} are right`);
  mayFail("search", () => map.search(noInteger(random, mischief) as RegExp));
}

// --- Opening ---------------------------------------------------------------------------------------------------------

function hostileOpen(world: World): void {
  const { random, mischief } = world;
  const path = newFile("abcdefghij");
  const fd = openSync(path, "r+");
  const given = options(random, mischief) as object;
  const makers: (() => MMap)[] = [
    () => new MMap(fd, 0, given),
    () => new MMap(fd, number(random, 10, mischief).value as number, given),
    () => new MMap(noInteger(random, mischief) as number, 0),
    () => MMap.open(path, given),
    () => MMap.open(noInteger(random, mischief) as string, given),
    () => MMap.open(random.pick(["", "/", "\0", "/dev/null", "/proc/self/mem", "/no/such"]), given),
    () => MMap.anonymous(random.pick([0, -1, 1.5, 2 ** 53 - 1, 2 ** 53, 2 ** 47, 10]), given),
  ];
  const act = random.pick(makers);
  world.tell(`  ${act}`);
  // node:fs throws errors of its own for paths that are none.
  const map = mayFail("opening", act, "ERR_INVALID_ARG_VALUE", "ERR_INVALID_URL_SCHEME", "Error") as MMap | undefined;
  map?.close();
  map?.close();
  closeSync(fd);
}

/** Everybody may be told of an opening, and do what they like. */
function subscribe(world: World): void {
  const told = () => {
    for (const victim of world.victims) if (world.random.oneIn(2)) victim.close();
  };
  channel("mmap:open").subscribe(told);
  try {
    world.open();
  } finally {
    channel("mmap:open").unsubscribe(told);
  }
}

/** A map that nobody closes, of which a view may stay. */
function drop({ random, orphans }: World): void {
  const map = MMap.anonymous(1 + random.below(9000), { access: random.pick(["copy", "write"]) });
  map.write("a");
  const array = random.pick([() => undefined, () => map.bytes, () => map.view(Uint8Array, 0)])();
  if (array === undefined) return;
  array.fill(random.below(256));
  orphans.push({ array, content: array.slice() });
  if (orphans.length > 5) orphans.shift();
}

async function collect(): Promise<void> {
  const { gc: own, Bun } = globalThis as { gc?: () => void; Bun?: { gc(force: boolean): void } };
  const gc = own ?? (() => Bun?.gc(true));
  for (let count = 0; count < 3; count++) {
    gc();
    await setImmediate();
  }
}

// --- What else can be done to an object ------------------------------------------------------------------------------

function madvise(world: World): void {
  const { random, mischief } = world;
  const { map, model } = world.victim();
  const option = random.oneIn(4) ? (noInteger(random, mischief) as number) : random.below(110);
  // MADV_FREE: what the memory has afterwards is for the system to choose, at any time.
  if (option === 8 || option === 18) return;
  const start = random.oneIn(2) ? 0 : (number(random, model.length(), mischief).value as number);
  const length = optional(random, model.length(), mischief).value as number;
  mayFail("madvise", () => map.madvise(option, start, length));
  for (const victim of world.victims) if (!victim.model.closed) victim.resync();
}

/** What says nothing about the contents: they stay. */
function pages(world: World): void {
  const { random, mischief } = world;
  const { map, model } = world.victim();
  const start = random.oneIn(2) ? 0 : (number(random, model.length(), mischief).value as number);
  const length = optional(random, model.length(), mischief).value as number;
  const options = random.pick([undefined, { write: true }, { write: random.oneIn(2) }, noInteger(random, mischief)]);
  const name = random.pick(["lock", "unlock", "residency", "prefault"] as const);
  world.tell(`  ${name}`);
  const counted = mayFail(name, () => map[name](start, length, options as object)) as Residency | undefined;
  if (counted !== undefined && counted.resident > counted.pages.length) throw new Wrong("more pages than there are");
}

async function wrongThis(world: World): Promise<void> {
  const { random } = world;
  const { map } = world.victim();
  const receiver = random.pick([
    {},
    null,
    undefined,
    3,
    Object.create(map),
    new Proxy(map, {}),
    MMap.prototype,
    new Uint8Array(3),
  ]);
  const names = [...Object.getOwnPropertyNames(MMap.prototype), Symbol.iterator, Symbol.dispose ?? Symbol.iterator];
  const name = random.pick(names);
  const { value, get } = Object.getOwnPropertyDescriptor(MMap.prototype, name) ?? {};
  const method = get ?? value;
  if (name === "constructor" || typeof method !== "function") return;
  const outcome = attempt(() => {
    const result = method.call(receiver, 0, 0, 0);
    // A generator has not run yet.
    return name === Symbol.iterator ? result.next() : result;
  });
  // flushAsync's promise is rejected.
  const error =
    "error" in outcome
      ? outcome.error
      : await Promise.resolve(outcome.value).then(
          () => undefined,
          (reason: unknown) => reason,
        );
  const kind = error === undefined ? "nothing" : kindOf(error);
  // Arguments are looked at first.
  if (!["TypeError", "RangeError"].includes(kind)) throw new Wrong(`${String(name)} with a wrong this threw ${kind}`);
  if (Object.create(map)[0] !== undefined || new Proxy(map, {})[0] !== undefined)
    throw new Wrong("an index of what is no map");
}

function look(world: World): void {
  const { map, model } = world.victim();
  const said = inspect(map);
  if (!said.startsWith("MMap {")) throw new Wrong(`inspecting gave ${said}`);
  mayFail("looking", () => [
    JSON.stringify(map),
    Object.keys(map),
    `${map}`,
    3 in map,
    Object.entries(map),
    { ...map },
  ]);
  mayFail("cloning", () => structuredClone(map), "DataCloneError", "Error");
  if (!model.closed) mayFail("copying", () => Object.assign([], map));
  if (Reflect.set(map, "0", 1, {}) !== true) throw new Wrong("setting an index of another object");
}

/** Calls while the built-in classes are not what they were: nothing is promised but that nothing breaks. */
function polluted(world: World): void {
  const { random, mischief } = world;
  const victim = world.victim();
  const { map } = victim;
  const calls: (() => unknown)[] = [
    () => map.read(random.below(100)),
    () => map.slice(),
    () => map.find("ab"),
    () => map.rfind(Uint8Array.of(97, 98)),
    () => [...map.lines()],
    () => map.search(/[ab]+/),
    () => map.bytes,
    () => map.view(Uint8Array, 1),
    () => map.close(),
    () => map.write("abc"),
    () => map.assign(Uint8Array.of(1, 2), 0, 2),
    () => map.write(new Uint8Array(70_000)),
    () => map.readline(),
    () => map[0],
    () => map.resize(100),
  ];
  const restore = pollute(random, mischief, (name) => world.tell(`  polluted: ${name}`));
  try {
    for (let count = 0; count < 3; count++) attempt(random.pick(calls));
  } finally {
    restore();
  }
  // What the calls did is not known; that what they were not to touch is as it was, is checked at the end.
  for (const each of world.victims) each.forget();
}

function closeTwice(world: World): void {
  const victim = world.victim();
  if (world.random.oneIn(2)) victim.close();
  if (!victim.map.closed) return;
  victim.map.close();
  victim.map[Symbol.dispose]?.();
}

export const ACTIONS: Record<string, (world: World) => void | Promise<void>> = {
  call: callSomething,
  takeView,
  writeView,
  giveAway,
  touchStray,
  resize,
  iterate,
  next,
  search,
  open: (world) => void world.open(),
  hostileOpen,
  subscribe,
  drop,
  collect,
  madvise,
  pages,
  wrongThis,
  look,
  polluted,
  closeTwice,
};
