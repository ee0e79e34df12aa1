/**
 * The deliberate differences from Python's `mmap`, each with its reason. Any other difference is a failure of the fuzzer.
 *
 * An entry without functions is handled by the generator of steps, or by `peer.py`.
 *
 * @module
 */

import { type OpenArguments, type Outcome, PAGE, type State, type Step } from "./steps.ts";

export interface Difference {
  readonly what: string;
  readonly reason: string;
  /** The rows of the tables in docs/python.md that describe it, by their first column. */
  readonly rows: readonly string[];
  /** The step that Python runs instead of this one. */
  asked?(step: Step, before: State, ours: Outcome): Step | undefined;
  /** Whether an outcome that Python does not have is right. Python's map stays as it was. */
  right?(step: Step, before: State, ours: Outcome): boolean | undefined;
  /** Whether these two errors mean the same. */
  same?(step: Step, before: State, ours: string, theirs: string): boolean;
}

/** The step that Python runs if only the position, the length and the file are compared. */
export const STATE: Step = { op: "state", args: [] };

const CLASSES: Record<string, string> = {
  ValueError: "RangeError",
  IndexError: "RangeError",
  OverflowError: "RangeError",
  closed: "ERR_MMAP_CLOSED",
};

const ARGUMENT_ERRORS = ["TypeError", "RangeError", "ValueError", "IndexError", "OverflowError"];

const READING = [
  "read",
  "readByte",
  "readline",
  "lines",
  "find",
  "rfind",
  "matchAll",
  "index",
  "slice",
  "move",
  "iterate",
];

const isFraction = (value: unknown): boolean =>
  typeof value === "number"
    ? !Number.isInteger(value)
    : typeof value === "object" && isFraction((value as OpenArguments | null)?.offset ?? 0);

const isError = ([status, value]: Outcome, ...kinds: string[]) => status === "error" && kinds.includes(value as string);

export const DIFFERENCES: readonly Difference[] = [
  {
    what: "The classes of errors.",
    rows: ["empty file: `ValueError`", "closed map: `ValueError`"],
    reason: "RangeError is JavaScript's ValueError, IndexError and OverflowError; a closed map has a separate code.",
    same: (_step, _before, ours, theirs) => ours === (CLASSES[theirs] ?? theirs),
  },
  {
    what: "Which error comes first if several things are wrong: arguments, a closed map, a map of another access.",
    rows: ["several things wrong at once"],
    reason: "Either is true, and neither changes anything.",
    same: ({ args }, before, ours, theirs) =>
      (!before.open || !before.writable || before.options.access === "copy" || args.some(isFraction)) &&
      [...ARGUMENT_ERRORS, "closed"].includes(theirs) &&
      [...ARGUMENT_ERRORS, "ERR_MMAP_CLOSED"].includes(ours),
  },
  {
    what: "access together with flags or prot is a TypeError, in Python a ValueError.",
    rows: ["`access` with `flags`: `ValueError`"],
    reason: "Options that exclude each other are a mistake of the call: no value is out of range.",
    same: ({ op, args }, _before, ours, theirs) =>
      op === "open" &&
      (args[2] as OpenArguments).access !== undefined &&
      ours === "TypeError" &&
      theirs === "ValueError",
  },
  {
    what: "An anonymous map of length 0 is a RangeError, in Python the system's EINVAL.",
    rows: ["`OSError`"],
    reason: "It is known before the system is asked.",
    same: ({ op, args }, _before, ours, theirs) =>
      op === "open" && args[0] === "anonymous" && args[1] === 0 && ours === "RangeError" && theirs === "EINVAL",
  },
  {
    what: "find and rfind search the whole map by default, in Python from the position on.",
    rows: ["`find(sub, start, end)`, `rfind(…)`"],
    reason: "An argument that is not given means the same in every method.",
    asked: ({ op, args: [sub = "", start, end] }, { open, length }) =>
      (op === "find" || op === "rfind") && open ? { op, args: [sub, start ?? 0, end ?? length] } : undefined,
  },
  {
    what: "Iteration returns numbers, in Python byte strings of length 1.",
    rows: ["`for b in mm`"],
    reason: "Elements are what indexing returns, as in a Uint8Array. peer.py joins Python's.",
  },
  {
    what: "A carriage return ends a line for ^, $ and the dot of an expression.",
    rows: ["`re.search`, `re.finditer`"],
    reason: "Expressions are JavaScript's. The generator makes no carriage returns.",
  },
  {
    what: "There are views, and a map can be resized and closed while they exist.",
    rows: ["`close()`", "`resize(newsize)`"],
    reason: "They are detached; Python throws BufferError. What is written through a view, Python writes to the index.",
    asked: ({ op, args }, { readable }, [, index]) => {
      if (op === "takeView" && readable) return STATE;
      if (op !== "viewSet") return undefined;
      return typeof index === "number" && index >= 0 ? { op: "setIndex", args: [index, args[1] as number] } : STATE;
    },
    right: ({ op }, { open }, [status, value]) => {
      if (op === "takeView") return open ? status === "ok" || value === "TypeError" || value === "RangeError" : true;
      return op === "viewSet" && value === -1 ? true : undefined;
    },
  },
  {
    what: "An offset may be any, in Python only a multiple of ALLOCATIONGRANULARITY.",
    rows: ["`mmap.mmap(fileno, length, …)` (Unix)"],
    reason: "The library aligns the mapping by itself. peer.py removes what lies before the offset from its file.",
  },
  {
    what: "trackfd: false makes size and resize throw a TypeError.",
    rows: ["`trackfd=False`"],
    reason: "Python has it since 3.13, and throws ValueError; the map lacks what they need, whatever the argument.",
    right: ({ op }, { open, mode, options }, ours) =>
      open &&
      mode !== "anonymous" &&
      options.trackfd === false &&
      (op === "resize" || (op === "size" && ours[0] === "error"))
        ? isError(ours, "TypeError", "RangeError")
        : undefined,
  },
  {
    what: "size of an anonymous map is its length, in Python the system's EBADF or the like.",
    rows: ["`size()`"],
    reason: "The length is the useful answer.",
    right: ({ op }, { open, mode, length }, ours) =>
      op === "size" && open && mode === "anonymous" ? ours[0] === "ok" && ours[1] === length : undefined,
  },
  {
    what: "Reading a map whose prot lacks PROT_READ throws, even if the processor allows it.",
    rows: ["reading without `PROT_READ`"],
    reason: "Processors other than x86 do not allow it: in Python the process is killed there.",
    right: ({ op }, { open, readable }, ours) =>
      open && !readable && READING.includes(op) ? isError(ours, "TypeError", "RangeError") : undefined,
  },
  {
    what: "Maps with access read are private pages, in Python shared ones.",
    rows: ["`ACCESS_READ`, `ACCESS_WRITE`, …"],
    reason: "A stray write through a view must not kill the process. The generator writes through no such view.",
  },
  {
    what: "resize to 0 throws before anything has changed; Python empties the file and then fails.",
    rows: ["`resize(newsize)`"],
    reason: "A call that throws has changed nothing.",
    right: ({ op, args }, { open }, ours) =>
      op === "resize" && args[0] === 0 && open ? isError(ours, "RangeError", "TypeError") : undefined,
  },
  {
    what: "resize moves a position past the new end to the end; Python leaves it.",
    rows: ["`resize` to before the position"],
    reason: "A position is always within the map. peer.py moves Python's.",
  },
  {
    what: "A map can be resized after advice on a part of it; in Python Linux fails with EFAULT.",
    rows: ["`resize` after advice on a part"],
    reason: "It is mapped anew then. peer.py does the same.",
  },
  {
    what: "A private map grows by zeros; in Python the last page keeps old bytes from beyond a former end.",
    rows: ["`resize` of private memory"],
    reason: "The same file would have different bytes. peer.py puts zeros there.",
  },
  {
    what: "flush rounds its range out to pages, and goes to the end by default; Python requires a page's start and a size.",
    rows: ["`flush(offset, size)`"],
    reason: "A changed range is seldom one of whole pages.",
    asked: ({ op, args }, { open, length }) => {
      const [offset, size = null] = args as [number | undefined, (number | null)?];
      if (op !== "flush" || !open || !Number.isInteger(offset ?? 0) || !Number.isInteger(size ?? 0)) return undefined;
      const start = offset ?? 0;
      const lead = start % PAGE;
      return { op, args: [start - lead, (size ?? length - start) + lead] };
    },
    right: ({ op, args }, { open, length }, ours) => {
      const outside = args.some(
        (value) => Number.isInteger(value) && ((value as number) < 0 || (value as number) > length),
      );
      return op === "flush" && open && outside ? isError(ours, "RangeError", "TypeError") : undefined;
    },
  },
  {
    what: "madvise with a start within a page is a RangeError, in Python the system's EINVAL.",
    rows: ["`OSError`", "`madvise(option, start, length)`"],
    reason: "The start is the argument that is wrong.",
    same: ({ op }, _before, ours, theirs) => op === "madvise" && ours === "RangeError" && theirs === "EINVAL",
    right: ({ op, args }, { open, length, options: { offset = 0 } }, ours) => {
      // Pages begin at other offsets in Python's file, which lacks what lies before the offset.
      if (op !== "madvise" || !open || offset % PAGE === 0 || args.length < 2) return undefined;
      if (args.some((value) => Number(value) < 0 || isFraction(value))) return isError(ours, "RangeError", "TypeError");
      const start = args[1] as number;
      const within = start < length && (start === 0 || (offset + start) % PAGE === 0);
      return within ? ours[0] === "ok" : isError(ours, "RangeError");
    },
  },
];

/** The other rows of those tables that describe a difference, which no step of the fuzzer meets. */
export const NOT_RUN: readonly { readonly reason: string; readonly rows: readonly string[] }[] = [
  {
    reason: "Windows has another constructor, and lengths beyond the file's end; Python is compared on other systems.",
    rows: ["a page that fails, on Windows", "`mmap.mmap(…, tagname, …)` (Windows)", "`length` 0: to the file's end"],
  },
  {
    reason: "What backs anonymous memory shows only to other processes, and when it is resized, which kills Python.",
    rows: ["`fileno` -1: anonymous"],
  },
  {
    reason: "The fuzzer runs on Linux.",
    rows: ["`ACCESS_READ` on macOS", "the file is synced first, on macOS"],
  },
  {
    reason: "JavaScript has other words for it, or none.",
    rows: [
      "audit event `mmap.__new__`",
      "`mm[a:b:c]`, `mm[a:b:c] = …`",
      '`b"a" in mm`, `reversed(mm)`',
      "`memoryview(mm)`",
      "`bytes(mm)`, `bytearray(mm)`",
      "`repr(mm)`",
      "`class Sub(mmap.mmap)`",
    ],
  },
  {
    reason: "Python 3.15 has it, and the machine's Python may be older.",
    rows: ["`flush(offset, size, flags=…)`", "`MS_SYNC`, `MS_ASYNC`, …", "`set_name(name)`"],
  },
  { reason: "Strings are not bytes in Python.", rows: ["`write(bytes)`"] },
  { reason: "They are values, and the tests of constants compare them.", rows: ["`MADV_*`, `MAP_*`, `PROT_*`"] },
];
