/**
 * A program that makes each system call of each method fail once, and compares the file, the map, its views, and the process's
 * mappings and descriptors before and after. Prints the name of a case before it runs, and then what it found, as JSON: a
 * case may end the process. Arguments: `RUN_CASES`, and the number of the first case to run.
 *
 * @module
 */

import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import process from "node:process";
import { openFfi } from "../../ffi/mod.ts";
import { errorFactory } from "../../lib/errors.ts";
import {
  MADV_DONTNEED,
  MADV_RANDOM,
  MADV_WILLNEED,
  MAP_PRIVATE,
  MMap,
  type MMapError,
  type MMapOptions,
  PAGESIZE as PAGE,
} from "../../lib/mod.ts";
import { usePlatform } from "../../lib/platform.ts";
import { linuxPlatform } from "../../platform/linux.ts";
import { FAILURE, type FailingFfi, failingFfi } from "./failing-ffi.ts";
import { descriptorsOf, mappingsOf } from "./resources.ts";
import { newFile, newPath } from "./support.ts";

/** The first argument of the program. The suite imports this file too, with arguments of its own, and runs no case here. */
export const RUN_CASES = "--run-cases";

/** A map and what it is of. */
interface Subject {
  readonly path: string;
  /** Undefined where the call itself is to make the map. */
  mm: MMap | undefined;
  /** What the user has of it. */
  readonly views: readonly Uint8Array[];
}

/** How the subject of a case is made, what is called, and what the map is like once that has worked. */
interface Case {
  readonly name: string;
  readonly make: () => Subject;
  readonly act: (subject: Subject) => unknown;
  /** What is wrong with the subject once the call has worked; undefined where nothing is. */
  readonly check?: (subject: Subject) => void;
}

const content = (pages: number) => Uint8Array.from({ length: pages * PAGE }, (_, index) => 1 + (index % 250));

/** A map of a file of four pages, with its position within. */
function ofFile(options: MMapOptions = { access: "write" }, viewed = false): () => Subject {
  return () => {
    const path = newFile(content(4));
    const fd = openSync(path, "r+");
    const mm = new MMap(fd, 0, options);
    closeSync(fd);
    mm.seek(PAGE + 7);
    return { path, mm, views: viewed ? [mm.bytes, mm.view(Uint8Array, PAGE, 100)] : [] };
  };
}

/** A map of anonymous memory of four pages. */
function ofMemory(options: MMapOptions, viewed = false): () => Subject {
  return () => {
    const mm = MMap.anonymous(4 * PAGE, options);
    mm.write(content(4));
    mm.seek(PAGE + 7);
    return {
      path: options.flags === MAP_PRIVATE ? "no file" : "/memfd:mmap-ffi (deleted)",
      mm,
      views: viewed ? [mm.bytes, mm.view(Uint8Array, PAGE, 100)] : [],
    };
  };
}

/** A file that is to be mapped. */
const onlyFile = (): Subject => ({ path: newFile(content(4)), mm: undefined, views: [] });
const noFile = (): Subject => ({ path: newPath(), mm: undefined, views: [] });

const hash = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && `${bytes.length}: ${bytes.reduce((sum, byte, index) => (sum * 31 + byte * (index + 1)) % 1_000_003, 7)}`;

/** All that a call could have changed. */
interface State {
  readonly mappings: number;
  readonly descriptors: number;
  readonly [property: string]: unknown;
}

function stateOf({ path, mm, views }: Subject): State {
  return {
    file: existsSync(path) ? hash(readFileSync(path)) : undefined,
    mappings: mappingsOf(path),
    descriptors: descriptorsOf(path),
    views: views.map(hash),
    ...(mm?.closed === false
      ? {
          length: mm.length,
          position: mm.tell(),
          size: mm.size(),
          fd: mm.fd,
          guarded: mm.guarded,
          faults: mm.faults,
          bytes: hash(mm.slice()),
          sameViews: views.length === 0 || mm.bytes === views[0],
        }
      : {}),
  };
}

/** A check that a resize has kept the first bytes, and put zeros after them. */
const resizedTo =
  (length: number) =>
  ({ mm }: Subject) => {
    const kept = content(4).subarray(0, length);
    same(mm?.length, length, "length");
    same(mm?.tell(), Math.min(PAGE + 7, length), "tell()");
    same(hash(mm?.slice(0, kept.length)), hash(kept), "what was there before");
    same(hash(mm?.slice(kept.length)), hash(new Uint8Array(length - kept.length)), "what is new");
  };

const resizes = (name: string, make: (viewed: boolean) => () => Subject): Case[] =>
  [false, true].flatMap((viewed) =>
    [PAGE - 5, 2 * PAGE, 9 * PAGE, 9 * PAGE + 5].map((length) => ({
      name: `resize() to ${length} bytes ${viewed ? "with" : "without"} views, of ${name}`,
      make: make(viewed),
      act: ({ mm }: Subject) => mm?.resize(length),
      check: resizedTo(length),
    })),
  );

/** Calls that change nothing that is compared. */
const calls: [name: string, act: (mm: MMap) => unknown][] = [
  ["size()", (mm) => mm.size()],
  ["flush()", (mm) => mm.flush()],
  ["flush() of a range", (mm) => mm.flush(PAGE + 1, 10)],
  ["flushAsync()", (mm) => mm.flushAsync()],
  ["madvise()", (mm) => mm.madvise(MADV_RANDOM)],
  ["madvise() of a part", (mm) => mm.madvise(MADV_WILLNEED, PAGE, PAGE)],
  ["madvise() with MADV_DONTNEED", (mm) => mm.madvise(MADV_DONTNEED)],
  ["lock()", (mm) => mm.lock()],
  ["lock() of a range", (mm) => mm.lock(PAGE, 1)],
  ["unlock()", (mm) => mm.unlock()],
  ["residency()", (mm) => mm.residency()],
  ["prefault()", (mm) => mm.prefault()],
  ["prefault() with write", (mm) => mm.prefault(0, PAGE, { write: true })],
  ["read()", (mm) => mm.slice(0, 3 * PAGE)],
  ["find()", (mm) => mm.find("not there")],
  ["bytes", (mm) => mm.bytes.length],
  ["view()", (mm) => mm.view(Uint8Array, PAGE, 2 * PAGE).length],
];

/** A case that makes a map, and looks at its last byte. */
const opens = (name: string, make: () => Subject, open: (path: string) => MMap, length = 4 * PAGE): Case => ({
  name,
  make,
  act: (subject) => {
    subject.mm = open(subject.path);
  },
  check: ({ mm }) => {
    same(mm?.length, length, "length");
    same(mm?.at(-1), length > 4 * PAGE ? 0 : content(4)[length - 1], "the last byte");
  },
});

/** The cases, in their order. */
export const CASES: readonly Case[] = [
  ...calls.map(([name, act]) => ({ name, make: ofFile(), act: ({ mm }: Subject) => act(mm as MMap) })),
  ...resizes("a file", (viewed) => ofFile({ access: "write" }, viewed)),
  ...resizes("a file without a guard", (viewed) => ofFile({ access: "write", guard: false }, viewed)),
  ...resizes("a private map", (viewed) => ofFile({ flags: MAP_PRIVATE }, viewed)),
  ...resizes("shared memory", (viewed) => ofMemory({}, viewed)),
  ...resizes("private memory", (viewed) => ofMemory({ flags: MAP_PRIVATE }, viewed)),
  ...[2 * PAGE, 9 * PAGE].map((length) => ({
    name: `resize() to ${length} bytes after advice on a part`,
    make: () => {
      const subject = ofFile()();
      subject.mm?.madvise(MADV_RANDOM, PAGE, PAGE);
      return subject;
    },
    act: ({ mm }: Subject) => mm?.resize(length),
    check: resizedTo(length),
  })),
  ...[false, true].map((viewed) => ({
    name: `resize() with reserve ${viewed ? "with" : "without"} views`,
    make: ofFile({ access: "write" }, viewed),
    act: ({ mm }: Subject) => mm?.resize(9 * PAGE, { reserve: true }),
    check: resizedTo(9 * PAGE),
  })),
  opens("open()", onlyFile, (path) => MMap.open(path)),
  opens("open() for writing", onlyFile, (path) => MMap.open(path, { access: "write" })),
  opens("open() with trackfd: false", onlyFile, (path) => MMap.open(path, { trackfd: false })),
  opens("open() with reserve", onlyFile, (path) => MMap.open(path, { access: "write", reserve: true })),
  opens("open() with create of an existing file", onlyFile, (path) => MMap.open(path, { create: true })),
  opens("new MMap()", onlyFile, (path) => {
    const fd = openSync(path, "r");
    try {
      return new MMap(fd, 0, { access: "copy" });
    } finally {
      closeSync(fd);
    }
  }),
  ...[false, true].flatMap((reserve) => [
    opens(
      `open() with create of a new file, reserve: ${reserve}`,
      noFile,
      (path) => MMap.open(path, { create: true, length: 5 * PAGE, reserve }),
      5 * PAGE,
    ),
    opens(
      `open() with create of a longer file, reserve: ${reserve}`,
      onlyFile,
      (path) => MMap.open(path, { create: true, length: 5 * PAGE, reserve }),
      5 * PAGE,
    ),
  ]),
];

/** Runs `act` while the library runs over this machine, of whose calls one can fail. */
async function overFailing<T>(act: (ffi: FailingFfi) => T): Promise<Awaited<T>> {
  const ffi = failingFfi(openFfi());
  const before = usePlatform(linuxPlatform(ffi, errorFactory));
  try {
    return await act(ffi);
  } finally {
    usePlatform(before);
  }
}

/** The system calls that a case makes. */
async function callsOf(ffi: FailingFfi, { make, act }: Case): Promise<string[]> {
  const subject = make();
  ffi.calls = [];
  await act(subject);
  const names = ffi.calls.slice();
  subject.mm?.close();
  return names;
}

/** What is wrong with a case: one line for each call. */
async function run(ffi: FailingFfi, one: Case): Promise<string[]> {
  const wrong: string[] = [];
  const names = await callsOf(ffi, one);
  for (let index = 0; index < names.length; index++) {
    try {
      await failOnce(ffi, one, index);
    } catch (error) {
      wrong.push(`call ${index + 1} of ${names.length}, ${ffi.failed}: ${(error as Error).message}`);
    }
  }
  return wrong;
}

async function failOnce(ffi: FailingFfi, { make, act, check }: Case, index: number): Promise<void> {
  const subject = make();
  const before = stateOf(subject);
  let thrown: MMapError | undefined;
  try {
    ffi.failed = undefined;
    ffi.failAt = index;
    try {
      await act(subject);
    } catch (error) {
      thrown = error as MMapError;
    }
    ffi.failAt = undefined;
    if (thrown === undefined) check?.(subject);
    else {
      same([thrown.errno, thrown.syscall], [FAILURE, nameInErrors(ffi.failed)], "the error");
      same(stateOf(subject), withLeft(before, ffi.failed), "the state");
    }
  } finally {
    subject.mm?.close();
  }
}

/** What aio_error and aio_return report is the failure of aio_fsync. */
const nameInErrors = (name: string | undefined) => (name?.startsWith("aio_") ? "aio_fsync" : name);

/** What munmap and close were to free stays when they fail. */
function withLeft(state: State, failed: string | undefined): State {
  if (failed === "munmap") return { ...state, mappings: state.mappings + 1 };
  if (failed === "close") return { ...state, descriptors: state.descriptors + 1 };
  return state;
}

function same(actual: unknown, expected: unknown, what: string): void {
  const [one, other] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (one !== other) throw new Error(`${what} is ${one}, and should be ${other}`);
}

if (process.argv[2] === RUN_CASES) {
  const first = Number(process.argv[3]);
  await overFailing(async (ffi) => {
    for (const one of CASES.slice(first)) {
      console.log(`running ${one.name}`);
      console.log(JSON.stringify(await run(ffi, one)));
    }
  });
}
