/**
 * The calls that Windows gets, with their arguments, against its documentation: the platform over a recording `Ffi`, in
 * every runtime on every system. The quotations are from https://learn.microsoft.com/en-us/windows/win32/api.
 */

import { closeSync, fstatSync, openSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Ffi, Signatures } from "../../ffi/types.ts";
import { Mapping } from "../../lib/mapping/mapping.ts";
import { MMap, MMapError } from "../../lib/mod.ts";
import { usePlatform } from "../../lib/platform.ts";
import type { OwnerLock, Platform, ProtectionRequest } from "../../platform/types.ts";
import { windowsPlatform } from "../../platform/windows/mod.ts";
import { newFile, thrown } from "../helpers/support.ts";

const test = suite("systems/windows-calls");

type Value = number | Uint8Array;

type Behaviour = (...parameters: Value[]) => number | undefined;

const FILE = 0x44;

const OBJECT = 0x88;

const COPY = 0xcc;

const ADDRESS = 0x7ff0_0000_0000;

const setLow = (buffer: Value | undefined, offset: number, value: number): number => {
  new DataView((buffer as Uint8Array).buffer).setUint32(offset, value, true);
  return 1;
};

/** What the functions do where a test says nothing else: succeed. */
const SUCCESS: Record<string, Behaviour> = {
  GetSystemInfo: (info) => setLow(info, 4, 4096) && setLow(info, 40, 65_536),
  uv_get_osfhandle: () => FILE,
  CreateFileW: () => FILE,
  CreateFileMappingW: () => OBJECT,
  OpenFileMappingW: () => 0,
  MapViewOfFile: () => ADDRESS,
  DuplicateHandle: (_process, _handle, _target, copy) => setLow(copy, 0, COPY),
  GetFileType: () => 1,
  GetFileSizeEx: (_handle, size) => setLow(size, 4, 3) && setLow(size, 0, 5),
  GetLastError: () => 5,
  FormatMessageW: (_flags, _source, _number, _language, buffer) => {
    const text = "Access is denied.\r\n";
    for (const [index, letter] of [...text].entries()) (buffer as Uint8Array)[2 * index] = letter.charCodeAt(0);
    return text.length;
  },
};

/** A platform over functions that do as they are told, and what it called: name and arguments, strings as strings. */
function recorded(behaviours: Record<string, Behaviour> = {}, withDescriptors = true, withPlaceholders = false) {
  const calls: unknown[][] = [];
  const ffi: Ffi = {
    openLater: undefined,
    maxViewLength: 2 ** 40,
    smallCopyLimit: 0,
    operationsKeepBuffers: true,
    readInt32: undefined,
    view: (_address, length) => new ArrayBuffer(length),
    open: ((libraries: readonly string[], signatures: Signatures) => {
      const [library] = libraries;
      assert.ok(
        ["kernel32.dll", "kernelbase.dll", "ucrtbase.dll", process.execPath].includes(library as string),
        library,
      );
      if (library === "kernelbase.dll" && !withPlaceholders) throw new Error("no such function");
      if (library === process.execPath && !withDescriptors) throw new Error("no such function");
      const functions = Object.entries(signatures).map(([name, { parameters }]) => [
        name,
        (...values: Value[]) => {
          assert.is(values.length, parameters.length, name);
          for (const [index, type] of parameters.entries()) checkType(type, values[index], `${name} ${index}`);
          calls.push([name, ...values.map(shown)]);
          return (behaviours[name] ?? SUCCESS[name] ?? (() => 1))(...values);
        },
      ]);
      return Object.fromEntries(functions);
    }) as Ffi["open"],
  };
  const system = (syscall: string, errno: number, code: string, meaning: string) =>
    new MMapError(meaning, { code, errno, syscall });
  const platform = windowsPlatform(ffi, { system });
  calls.length = 0;
  return { platform, calls };
}

function checkType(type: string, value: Value | undefined, name: string): void {
  if (type === "bytes") {
    assert.instance(value, Uint8Array, name);
    return;
  }
  const [low, high] = type === "u32" ? [0, 2 ** 32 - 1] : type === "i32" ? [-(2 ** 31), 2 ** 31 - 1] : [-1, 2 ** 53];
  assert.ok(Number.isInteger(value) && (value as number) >= low && (value as number) <= high, `${name}: ${value}`);
}

/** Strings end with a NUL in UTF-16; what else is passed is where the function writes. */
function shown(value: Value): unknown {
  if (typeof value === "number") return value;
  const text = new TextDecoder("utf-16le").decode(value);
  return text.length > 1 && text.endsWith("\0") && !text.slice(0, -1).includes("\0") ? text.slice(0, -1) : "buffer";
}

test("pageSize and allocationGranularity are GetSystemInfo's", () => {
  const { platform } = recorded();
  assert.is(platform.pageSize, 4096);
  // "dwAllocationGranularity: The granularity for the starting address at which virtual memory can be allocated."
  assert.is(platform.allocationGranularity, 65_536);
});

test("the platform says what Windows does with files, and shows memory through the Ffi", () => {
  const { platform } = recorded();
  assert.equal(
    [platform.canTruncateMappedFiles, platform.mappingExtendsFile, platform.hasRealDescriptors],
    [false, true, false],
  );
  assert.equal([platform.guard, platform.residency], [undefined, undefined]);
  assert.is(platform.view(ADDRESS, 123).byteLength, 123);
});

test("protection() says which maps write to their file, and refuses what POSIX has", () => {
  const { platform } = recorded();
  const plain = { access: "default", prot: undefined, flags: undefined, tagname: undefined, descriptor: 7 } as const;
  const told = (more: Partial<ProtectionRequest>) => {
    const { readable, writable, shared, common, unit, name } = platform.protection({ ...plain, ...more });
    return { readable, writable, shared, common, unit, name };
  };
  const writing = { readable: true, writable: true, shared: true, common: true, unit: 1, name: undefined };
  assert.equal(told({}), writing);
  assert.equal(told({ access: "write" }), writing);
  assert.equal(told({ access: "copy" }), { ...writing, shared: false, common: false });
  assert.equal(told({ access: "read" }), { ...writing, writable: false, shared: false });
  assert.equal(told({ descriptor: -1 }), { ...writing, shared: false });
  assert.equal(told({ tagname: "x" }), { ...writing, name: "x" });
  assert.equal(told({ tagname: "" }), writing);
  for (const wrong of [{ prot: 0 }, { flags: 0 }, { tagname: "a\0b" }]) {
    const error = thrown(() => told(wrong));
    assert.instance(error, TypeError);
    assert.ok(error.message.includes(Object.keys(wrong)[0] as string), error.message);
  }
});

test("duplicate() makes a handle that no child inherits", () => {
  const { platform, calls } = recorded();
  const own = platform.duplicate(7);
  // "bInheritHandle: … If FALSE, the new handle cannot be inherited." DUPLICATE_SAME_ACCESS (2) "Ignores the
  // dwDesiredAccess parameter." -1 is GetCurrentProcess(), "a pseudo handle to the current process".
  assert.equal(calls, [
    ["uv_get_osfhandle", 7],
    ["DuplicateHandle", -1, FILE, -1, "buffer", 0, 0, 2],
  ]);
  calls.length = 0;
  platform.closeDescriptor(own);
  assert.equal(calls, [["CloseHandle", COPY]]);
});

function requestFor(
  platform: Platform,
  descriptor: number,
  length: number,
  asked: Partial<ProtectionRequest> = {},
  offset = 0,
) {
  const plain = { access: "default", prot: undefined, flags: undefined, tagname: undefined, descriptor } as const;
  return { descriptor, length, offset, protection: platform.protection({ ...plain, ...asked }) };
}

test("map() passes the page protection and the kind of view of each access", () => {
  // "PAGE_READONLY (0x02): Specifies that views can be mapped for read-only or copy-on-write access.", "PAGE_READWRITE
  // (0x04): … for read-only, copy-on-write, or read/write access.", "PAGE_WRITECOPY (0x08): … for read-only or
  // copy-on-write access." FILE_MAP_READ is 4, FILE_MAP_WRITE 2, FILE_MAP_COPY 1.
  for (const [access, page, view] of [
    ["default", 0x04, 2],
    ["write", 0x04, 2],
    ["read", 0x02, 4],
    ["copy", 0x08, 1],
  ] as const) {
    const { platform, calls } = recorded();
    assert.is(platform.map(requestFor(platform, 7, 1000, { access })), ADDRESS);
    const made = [
      ["uv_get_osfhandle", 7],
      ["CreateFileMappingW", FILE, 0, page, 0, 1000, 0],
      ["MapViewOfFile", OBJECT, view, 0, 0, 1000],
    ];
    // "Mapped views of a file mapping object maintain internal references to the object, and a file mapping object does
    // not close until all references to it are released." A map for reading is mapped again for what the user sees.
    assert.equal(calls, access === "read" ? made : [...made, ["CloseHandle", OBJECT]]);
  }
});

const GIB = 2 ** 30;

test("map() passes offsets and sizes of 4 GiB and more in two halves", () => {
  const { platform, calls } = recorded();
  platform.map(requestFor(platform, 7, 6 * GIB, {}, 5 * GIB + 65_536));
  // "dwMaximumSizeHigh: The high-order DWORD of the maximum size of the file mapping object."
  assert.equal(calls.slice(1), [
    ["CreateFileMappingW", FILE, 0, 0x04, 2, 3 * GIB + 65_536, 0],
    ["MapViewOfFile", OBJECT, 2, 1, GIB + 65_536, 6 * GIB],
    ["CloseHandle", OBJECT],
  ]);
});

test("map() without a descriptor maps the paging file", () => {
  const { platform, calls } = recorded();
  // "If hFile is INVALID_HANDLE_VALUE, the calling process must also specify a size for the file mapping object … In this
  // scenario, CreateFileMapping creates a file mapping object of a specified size that is backed by the system paging
  // file instead of by a file in the file system."
  platform.map(requestFor(platform, -1, 1000));
  assert.equal(calls, [
    ["CreateFileMappingW", -1, 0, 0x04, 0, 1000, 0],
    ["MapViewOfFile", OBJECT, 2, 0, 0, 1000],
    ["CloseHandle", OBJECT],
  ]);
});

test("map() with a tagname keeps the mapping object as long as the view", () => {
  const { platform, calls } = recorded();
  platform.map(requestFor(platform, -1, 1000, { tagname: "Local\\żółć" }));
  platform.unmap(ADDRESS, 1000);
  assert.equal(calls, [
    ["CreateFileMappingW", -1, 0, 0x04, 0, 1000, "Local\\żółć"],
    ["MapViewOfFile", OBJECT, 2, 0, 0, 1000],
    ["UnmapViewOfFile", ADDRESS],
    ["CloseHandle", OBJECT],
  ]);
});

test("map() closes its object if the view is refused", () => {
  const { platform, calls } = recorded({ MapViewOfFile: () => 0 });
  const error = thrown(() => platform.map(requestFor(platform, -1, 1000, { tagname: "n" }))) as MMapError;
  assert.equal(
    [error.code, error.errno, error.syscall, error.message],
    ["EACCES", 5, "MapViewOfFile", "Access is denied"],
  );
  // "If you want to get the last error, call GetLastError immediately": before anything else is called.
  assert.equal(
    calls.slice(1).map(([name]) => name),
    ["MapViewOfFile", "GetLastError", "CloseHandle", "FormatMessageW"],
  );
  // FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, the error number, the user's language.
  assert.equal(calls[4], ["FormatMessageW", 0x1200, 0, 5, 0, "buffer", 512, 0]);
});

test("mapPrivateView() maps a copy-on-write view of the same object", () => {
  let address = ADDRESS;
  const { platform, calls } = recorded({ MapViewOfFile: () => (address += 0x10000) });
  const map = platform.map(requestFor(platform, 7, 500_000, { access: "read" }, 65_536));
  calls.length = 0;
  const copy = platform.mapPrivateView?.(map, 131_072, 1000) as number;
  // "FILE_MAP_COPY: A copy-on-write view of the file is mapped. The file mapping object must have been created with
  // PAGE_READONLY, … When copy-on-write access is specified, the system and process commit charge taken is for the entire
  // view": so no more is mapped than the user sees.
  assert.equal(calls, [["MapViewOfFile", OBJECT, 1, 0, 196_608, 1000]]);
  calls.length = 0;
  platform.unmap(copy, 1000);
  platform.unmap(map, 500_000);
  assert.equal(calls, [
    ["UnmapViewOfFile", copy],
    ["UnmapViewOfFile", map],
    ["CloseHandle", OBJECT],
  ]);
});

/** The calls of a resize, of a file of `size` bytes or of anonymous memory. */
function resizeCalls(descriptor: number, size: number, length: number, tagname?: string) {
  let address = ADDRESS;
  const { platform, calls } = recorded({
    MapViewOfFile: () => (address += 0x10000),
    GetFileSizeEx: (_handle, buffer) =>
      setLow(buffer, 0, size % 2 ** 32) && setLow(buffer, 4, Math.floor(size / 2 ** 32)),
  });
  const before = usePlatform(platform);
  try {
    const request = { descriptor, access: "default", prot: undefined, flags: undefined, tagname } as const;
    const mapping = new Mapping({
      ...request,
      length: size,
      offset: 0,
      path: undefined,
      trackDescriptor: true,
      guard: true,
    });
    calls.length = 0;
    mapping.resize(length, false);
    return calls.splice(0);
  } finally {
    usePlatform(before);
  }
}

test("resize() of a file maps anew before it unmaps", () => {
  const changes = new Set([
    "SetFileInformationByHandle",
    "CreateFileMappingW",
    "MapViewOfFile",
    "CloseHandle",
    "UnmapViewOfFile",
  ]);
  assert.equal(
    resizeCalls(7, 1000, 2000).filter(([name]) => changes.has(name as string)),
    [
      ["SetFileInformationByHandle", COPY, 6, "buffer", 8],
      ["CreateFileMappingW", COPY, 0, 0x04, 0, 2000, 0],
      ["MapViewOfFile", OBJECT, 2, 0, 0, 2000],
      ["CloseHandle", OBJECT],
      ["UnmapViewOfFile", ADDRESS + 0x10000],
    ],
  );
});

test("resize() of anonymous memory copies it", () => {
  for (const [before, length, copied] of [
    [1000, 2000, 1000],
    [1000, 10, 10],
    [8 * GIB, 9 * GIB, 8 * GIB],
  ] as const) {
    const next = ADDRESS + 0x20000;
    const old = ADDRESS + 0x10000;
    assert.equal(
      resizeCalls(-1, before, length).slice(2, 5),
      [
        ["CloseHandle", OBJECT],
        ["memmove", next, old, copied],
        ["UnmapViewOfFile", old],
      ],
      `${before} to ${length}`,
    );
  }
});

test("resize() of a named map makes sure that it can be mapped before it releases the name", () => {
  const names = resizeCalls(-1, 1000, 2000, "name").map(([name]) => name);
  assert.ok(names.indexOf("MapViewOfFile") < names.indexOf("OpenFileMappingW"), String(names));
});

test("store() calls memmove, because the source may be a view of the same memory", () => {
  const { platform, calls } = recorded();
  platform.store(ADDRESS, Uint8Array.of(1, 2, 3), 3);
  // On memcpy: "If the source and destination regions overlap, the behavior of memcpy is undefined. Use memmove to handle
  // overlapping regions."
  assert.equal(calls, [["memmove", ADDRESS, "buffer", 3]]);
});

test("releaseName() closes the object of a tagname that nobody else has", () => {
  const { platform, calls } = recorded();
  platform.map(requestFor(platform, -1, 1000, { tagname: "name" }));
  calls.length = 0;
  platform.releaseName?.(ADDRESS, "name");
  assert.equal(calls, [
    ["CloseHandle", OBJECT],
    ["OpenFileMappingW", 4, 0, "name"],
  ]);
});

test("map() does not join an object that somebody else gave the tagname meanwhile", () => {
  let last = 0;
  const { platform, calls } = recorded({ GetLastError: () => last });
  const request = requestFor(platform, -1, 1000, { tagname: "name" });
  // A map of that name that somebody else made is joined.
  last = 183;
  platform.map(request);
  platform.releaseName?.(ADDRESS, "name");
  calls.length = 0;
  const error = thrown(() => platform.map(request)) as MMapError;
  assert.equal([error.code, error.errno], ["EBUSY", 1224]);
  assert.equal(
    calls.filter(([name]) => name === "CloseHandle" || name === "MapViewOfFile"),
    [["CloseHandle", OBJECT]],
  );
  platform.map(request);
});

/** A platform that refuses to map 2000 bytes, after `refused` was called for them; `last` is GetLastError's for any object. */
function refusing2000(refused: "CreateFileMappingW" | "MapViewOfFile", last = 0) {
  const handles = [OBJECT, ...(refused === "MapViewOfFile" ? [0xaa] : []), 0x99];
  let error = 0;
  const refuse = () => {
    error = 8;
    return 0;
  };
  return recorded({
    GetLastError: () => error,
    CreateFileMappingW: (_file, _security, _protection, _high, size) => {
      if (size === 2000 && refused === "CreateFileMappingW") return refuse();
      error = size === 2000 ? 0 : last;
      return handles.shift();
    },
    MapViewOfFile: (_object, _access, _high, _low, length) => (length === 2000 ? refuse() : ADDRESS),
  });
}

test("map() gives a released tagname back to the mapping of a file if the next one fails", () => {
  for (const refused of ["CreateFileMappingW", "MapViewOfFile"] as const) {
    const { platform, calls } = refusing2000(refused);
    platform.map(requestFor(platform, 7, 1000, { tagname: "name" }));
    platform.releaseName?.(ADDRESS, "name");
    calls.length = 0;
    const error = thrown(() => platform.map(requestFor(platform, 7, 2000, { tagname: "name" }))) as MMapError;
    assert.equal([error.syscall, error.errno], [refused, 8]);
    assert.equal(
      calls.filter(([called]) => called === "CreateFileMappingW" || called === "CloseHandle"),
      [
        ["CreateFileMappingW", FILE, 0, 0x04, 0, 2000, "name"],
        ...(refused === "MapViewOfFile" ? [["CloseHandle", 0xaa]] : []),
        ["CreateFileMappingW", FILE, 0, 0x04, 0, 1000, "name"],
      ],
    );
    // The name leads to the new object as long as the view of the old one lasts.
    calls.length = 0;
    platform.unmap(ADDRESS, 1000);
    assert.equal(calls, [
      ["UnmapViewOfFile", ADDRESS],
      ["CloseHandle", 0x99],
    ]);
  }
});

test("map() does not give back the tagname of anonymous memory, nor one that somebody else has taken", () => {
  const anonymous = refusing2000("MapViewOfFile");
  // ERROR_ALREADY_EXISTS: "a handle to the existing object".
  const taken = refusing2000("MapViewOfFile", 183);
  for (const [{ platform, calls }, descriptor, handles] of [
    [anonymous, -1, [0xaa]],
    [taken, 7, [0xaa, 0x99]],
  ] as const) {
    platform.map(requestFor(platform, descriptor, 1000, { tagname: "name" }));
    platform.releaseName?.(ADDRESS, "name");
    calls.length = 0;
    const error = thrown(() => platform.map(requestFor(platform, descriptor, 2000, { tagname: "name" }))) as MMapError;
    assert.equal([error.syscall, error.errno], ["MapViewOfFile", 8]);
    const closed = handles.map((handle) => ["CloseHandle", handle]);
    assert.equal(
      calls.filter(([called]) => called === "CloseHandle"),
      closed,
    );
    calls.length = 0;
    platform.unmap(ADDRESS, 1000);
    assert.equal(calls, [["UnmapViewOfFile", ADDRESS]]);
  }
});

test("releaseName() takes back a tagname that somebody else has", () => {
  const { platform, calls } = recorded({ OpenFileMappingW: () => 0x99 });
  platform.map(requestFor(platform, -1, 1000, { tagname: "name" }));
  const error = thrown(() => platform.releaseName?.(ADDRESS, "name")) as MMapError;
  assert.equal([error.code, error.errno], ["EBUSY", 1224]);
  calls.length = 0;
  platform.unmap(ADDRESS, 1000);
  assert.equal(calls, [
    ["UnmapViewOfFile", ADDRESS],
    ["CloseHandle", 0x99],
  ]);
});

test("named.use() has the name open while it is mapped, and fails if it must not be there, or must", () => {
  for (const exists of [false, true]) {
    const { platform, calls } = recorded({ OpenFileMappingW: () => (exists ? 0x99 : 0) });
    const { named } = platform;
    if (named?.kind !== "mappings") throw new Error("Windows has mappings by name");
    calls.length = 0;
    const isOpen = () => calls.at(-1)?.[0] === "OpenFileMappingW";
    const codes = [
      { create: false, exclusive: false },
      { create: true, exclusive: false },
      { create: true, exclusive: true },
    ].map((how) => {
      try {
        assert.ok(named.use("name", { writable: true, mode: 0o600, ...how }, isOpen));
        return "passed";
      } catch (error) {
        return (error as MMapError).syscall;
      }
    });
    // FILE_MAP_READ is 4 in memoryapi.h.
    const opened = ["OpenFileMappingW", 4, 0, "name"];
    const own = calls.filter(([name]) => /^(OpenFileMappingW|CloseHandle)$/.test(`${name}`));
    if (exists) {
      assert.equal(codes, ["passed", "passed", "CreateFileMappingW"]);
      const closed = ["CloseHandle", 0x99];
      assert.equal(own, [opened, closed, opened, closed, opened, closed]);
    } else {
      assert.equal(codes, ["OpenFileMappingW", "passed", "passed"]);
      assert.equal(own, [opened, opened, opened]);
    }
  }
});

test("named.use() fails if another program takes a name that must be new just before it is mapped", () => {
  // CreateFileMappingW: "If the object exists before the function call, the function returns a handle to the existing object
  // [...], and GetLastError returns ERROR_ALREADY_EXISTS", which is 183.
  const { platform, calls } = recorded({ GetLastError: () => 183 });
  const { named } = platform;
  if (named?.kind !== "mappings") throw new Error("Windows has mappings by name");
  const make = () => platform.map(requestFor(platform, -1, 1000, { tagname: "name" }));
  const how = { writable: true, mode: 0o600, create: true };
  const error = thrown(() => named.use("name", { ...how, exclusive: true }, make)) as MMapError;
  assert.equal([error.code, error.errno], ["EEXIST", 183]);
  assert.equal(calls.at(-2)?.[0], "CloseHandle");
  assert.is(named.use("name", { ...how, exclusive: false }, make), ADDRESS);
});

test("truncate() sets the size without moving the position of the user's descriptor", () => {
  const sizes: number[] = [];
  const { platform, calls } = recorded({
    SetFileInformationByHandle: (_handle, _class, info) => {
      sizes.push(Number(new DataView((info as Uint8Array).buffer).getBigInt64(0, true)));
      return 1;
    },
  });
  const own = platform.duplicate(7);
  calls.length = 0;
  platform.truncate(own, 5 * GIB);
  // FileEndOfFileInfo is 6: "FILE_END_OF_FILE_INFO: Contains the specified value to which the end of the file should be
  // set", a LARGE_INTEGER of 8 bytes.
  assert.equal(calls, [["SetFileInformationByHandle", COPY, 6, "buffer", 8]]);
  assert.equal(sizes, [5 * GIB]);
});

test("reserve() needs no call, because a file has the blocks of its size", () => {
  // SetEndOfFile: "If the file is extended, the contents of the file between the old end of the file and the new end of the
  // file are not defined": they are allocated; FSCTL_SET_SPARSE is what makes a file otherwise.
  const { platform, calls } = recorded();
  platform.allocateBlocks?.(7, 0, GIB);
  assert.is(typeof platform.allocateBlocks, "function");
  assert.equal(calls, []);
});

test("status() asks for 64 bits, of files on disk only", () => {
  const { platform, calls } = recorded();
  assert.equal(platform.status(platform.duplicate(7)), {
    regular: true,
    size: 3 * 2 ** 32 + 5,
    hugePageSize: undefined,
  });
  // "FILE_TYPE_DISK (0x0001): The specified file is a disk file." "PLARGE_INTEGER lpFileSize"
  assert.equal(calls.slice(2), [
    ["GetFileType", COPY],
    ["GetFileSizeEx", COPY, "buffer"],
  ]);
  const pipe = recorded({ GetFileType: () => 3 });
  assert.equal(pipe.platform.status(7), { regular: false, size: 0, hugePageSize: undefined });
});

test("flush() waits for the disk", () => {
  const { platform, calls } = recorded();
  const own = platform.duplicate(7);
  calls.length = 0;
  platform.flush(ADDRESS, 4096, own, undefined);
  // "The FlushViewOfFile function does not flush the file metadata, and it does not wait to return until the changes are
  // flushed from the underlying hardware disk cache and physically written to disk. To flush all the dirty pages plus the
  // metadata for the file and ensure that they are physically written to disk, call FlushViewOfFile and then call the
  // FlushFileBuffers function."
  assert.equal(calls, [
    ["FlushViewOfFile", ADDRESS, 4096],
    ["FlushFileBuffers", COPY],
  ]);
  calls.length = 0;
  platform.flush(ADDRESS, 4096, -1, undefined);
  assert.equal(calls, [["FlushViewOfFile", ADDRESS, 4096]]);
});

test("flush() of a map that does not write to its file flushes no descriptor", () => {
  // "FlushFileBuffers … hFile: A handle to the open file. The file handle must have the GENERIC_WRITE access right."
  for (const [access, flushed] of [
    ["read", ["FlushViewOfFile"]],
    ["copy", ["FlushViewOfFile"]],
    ["write", ["FlushViewOfFile", "FlushFileBuffers"]],
  ] as const) {
    const { platform, calls } = recorded();
    const before = usePlatform(platform);
    try {
      const request = { descriptor: 7, access, prot: undefined, flags: undefined, tagname: undefined };
      const mapping = new Mapping({
        ...request,
        length: 10,
        offset: 0,
        path: undefined,
        trackDescriptor: true,
        guard: true,
      });
      calls.length = 0;
      mapping.flush(0, 10, undefined);
      const names = calls.map(([name]) => name);
      assert.equal(names, flushed, access);
      mapping.close(false);
    } finally {
      usePlatform(before);
    }
  }
});

test("flush() tries again if it is refused for a moment, and throws at once otherwise", () => {
  const refusing = (number: number, times: number) => {
    const made = recorded({ FlushViewOfFile: () => (times-- > 0 ? 0 : 1), GetLastError: () => number });
    return { ...made, names: () => made.calls.map(([name]) => name) };
  };
  // ERROR_LOCK_VIOLATION is 33.
  const twice = refusing(33, 2);
  twice.platform.flush(ADDRESS, 4096, -1, undefined);
  assert.equal(twice.calls, [
    ["FlushViewOfFile", ADDRESS, 4096],
    ["GetLastError"],
    ["Sleep", 2],
    ["FlushViewOfFile", ADDRESS, 4096],
    ["GetLastError"],
    ["Sleep", 4],
    ["FlushViewOfFile", ADDRESS, 4096],
  ]);
  const always = refusing(33, Number.POSITIVE_INFINITY);
  const busy = thrown(() => always.platform.flush(ADDRESS, 4096, -1, undefined)) as MMapError;
  assert.equal([busy.code, busy.errno, busy.syscall], ["EBUSY", 33, "FlushViewOfFile"]);
  assert.is(always.names().filter((name) => name === "FlushViewOfFile").length, 10);
  const broken = refusing(1117, 1);
  const error = thrown(() => broken.platform.flush(ADDRESS, 4096, -1, undefined)) as MMapError;
  assert.equal([error.code, error.errno], ["EIO", 1117]);
  assert.not.ok(broken.names().includes("Sleep"));
});

test("advise() passes a list of one range", () => {
  let range: bigint[] = [];
  const { platform, calls } = recorded({
    PrefetchVirtualMemory: (_process, _count, entries) => {
      range = [...new BigUint64Array((entries as Uint8Array).buffer)];
      return 1;
    },
  });
  platform.advise(ADDRESS, 8192, 3);
  // "WIN32_MEMORY_RANGE_ENTRY: PVOID VirtualAddress; SIZE_T NumberOfBytes;" "Flags: Reserved. Must be 0."
  assert.equal(calls, [["PrefetchVirtualMemory", -1, 1, "buffer", 0]]);
  assert.equal(range, [BigInt(ADDRESS), 8192n]);
  // "NumberOfBytes" 0 is ERROR_INVALID_PARAMETER.
  calls.length = 0;
  platform.advise(ADDRESS, 0, 3);
  assert.equal(calls, []);
  assert.instance(
    thrown(() => platform.advise(ADDRESS, 8192, 4)),
    RangeError,
  );
});

test("lock() and unlock() call VirtualLock and VirtualUnlock, which may find nothing locked", () => {
  const { platform, calls } = recorded({ VirtualLock: () => 1, VirtualUnlock: () => 1 });
  platform.lock(ADDRESS, 8192, true);
  platform.unlock(ADDRESS, 8192);
  assert.equal(calls, [
    ["VirtualLock", ADDRESS, 8192],
    ["VirtualUnlock", ADDRESS, 8192],
  ]);
  assert.is(platform.populate(ADDRESS, 8192, false), false);
  assert.is(platform.residency, undefined);
  // ERROR_NOT_LOCKED: "The segment is already unlocked."
  recorded({ VirtualUnlock: () => 0, GetLastError: () => 158 }).platform.unlock(ADDRESS, 8192);
  for (const [name, number, code] of [
    ["VirtualLock", 1453, "ENOMEM"],
    ["VirtualUnlock", 5, "EACCES"],
  ] as const) {
    const { platform } = recorded({ [name]: () => 0, GetLastError: () => number });
    const act = name === "VirtualLock" ? () => platform.lock(ADDRESS, 1, true) : () => platform.unlock(ADDRESS, 1);
    const { code: said, syscall } = thrown(act) as MMapError;
    assert.equal([said, syscall], [code, name]);
  }
});

test("duplicate() refuses an invalid descriptor before any call with it", () => {
  // -2: "_NO_CONSOLE_FILENO", a standard stream that leads nowhere.
  for (const answer of [-1, -2]) {
    const { platform, calls } = recorded({ uv_get_osfhandle: () => answer });
    for (const use of [
      () => platform.duplicate(9),
      () => platform.status(9),
      () => platform.map(requestFor(platform, 9, 10)),
    ]) {
      const error = thrown(use) as MMapError;
      assert.equal([error.code, error.errno, error.syscall], ["EBADF", 6, "uv_get_osfhandle"]);
    }
    for (const [name] of calls) assert.ok(name === "uv_get_osfhandle" || name === "FormatMessageW", name as string);
  }
});

/** The identity that `GetFileInformationByHandle` gives of an open file, or of another one. */
function identity(fd: number, change = 0n): Behaviour {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  const index = ino + change;
  return (_handle, info) => {
    // BY_HANDLE_FILE_INFORMATION: DWORD dwVolumeSerialNumber at 28, nFileIndexHigh at 44, nFileIndexLow at 48.
    setLow(info, 28, Number(dev & 0xffffffffn));
    setLow(info, 44, Number(index >> 32n));
    return setLow(info, 48, Number(index & 0xffffffffn));
  };
}

test("withPath() opens the path again where descriptors have no handle, and checks that it is the same file", () => {
  const fd = openSync(newFile("content"), "r");
  const { platform, calls } = recorded({ GetFileInformationByHandle: identity(fd) }, false);
  const copy = platform.withPath?.(fd, "C:\\data.bin", true, () => platform.duplicate(fd));
  assert.is(copy, 2 ** 32 + COPY);
  // GENERIC_READ | GENERIC_WRITE; FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE; OPEN_EXISTING (3): "Opens a file
  // or device, only if it exists."; FILE_ATTRIBUTE_NORMAL (0x80). "To extend this limit to 32,767 wide characters, prepend
  // \\?\ to the path."
  assert.equal(calls, [
    ["CreateFileW", "\\\\?\\C:\\data.bin", 0xc0000000, 7, 0, 3, 0x80, 0],
    ["GetFileInformationByHandle", FILE, "buffer"],
    ["DuplicateHandle", -1, FILE, -1, "buffer", 0, 0, 2],
    ["CloseHandle", FILE],
  ]);
  calls.length = 0;
  platform.withPath?.(fd, "C:\\data.bin", false, () => 0);
  assert.is(calls[0]?.[2], 0x80000000);
  const error = thrown(() => platform.duplicate(fd)) as MMapError;
  assert.equal([error.code, error.errno], ["ENOTSUP", 50]);
  assert.match(error.message, "this runtime does not tell which file a descriptor stands for: use MMap.open(path)");
  closeSync(fd);
});

test("withPath() refuses a path that leads to another file by now", () => {
  const fd = openSync(newFile("content"), "r");
  const { platform, calls } = recorded({ GetFileInformationByHandle: identity(fd, 1n) }, false);
  const error = thrown(() => platform.withPath?.(fd, "C:\\data.bin", true, () => assert.unreachable())) as MMapError;
  assert.equal([error.code, error.errno, error.syscall], ["ESTALE", 1006, "CreateFileW"]);
  assert.ok(calls.some(([name, handle]) => name === "CloseHandle" && handle === FILE));
  closeSync(fd);
});

test("withPath() opens no path where descriptors have handles", () => {
  const { platform, calls } = recorded();
  assert.is(
    platform.withPath?.(7, "C:\\data.bin", true, () => 5),
    5,
  );
  assert.equal(calls, []);
});

test("system errors have POSIX's names for Win32's numbers", () => {
  for (const [number, code] of [
    [2, "ENOENT"],
    [5, "EACCES"],
    [6, "EBADF"],
    [8, "ENOMEM"],
    [32, "EBUSY"],
    [87, "EINVAL"],
    [112, "ENOSPC"],
    [1224, "EBUSY"],
    [1455, "ENOMEM"],
    [12_345, "UNKNOWN"],
  ] as const) {
    const { platform } = recorded({ UnmapViewOfFile: () => 0, GetLastError: () => number, FormatMessageW: () => 0 });
    const error = thrown(() => platform.unmap(ADDRESS, 10)) as MMapError;
    assert.equal([error.code, error.errno, error.syscall], [code, number, "UnmapViewOfFile"]);
    assert.match(error.message, new RegExp(`error ${number}`));
  }
});

const PLACE = 0x7ee0_0000_0000;

test("map() maps into a placeholder, and retire() replaces the view by zeros without giving up the addresses", () => {
  const { platform, calls } = recorded(
    {
      VirtualAlloc2: (_process, address) => (address === 0 ? PLACE : (address as number)),
      MapViewOfFile3: () => PLACE,
    },
    true,
    true,
  );
  const address = platform.map(requestFor(platform, -1, 5000));
  // memoryapi.h and winnt.h: MEM_RESERVE 0x2000, MEM_RESERVE_PLACEHOLDER 0x40000, MEM_REPLACE_PLACEHOLDER 0x4000, PAGE_NOACCESS 1,
  // PAGE_READWRITE 4. "A placeholder is completely replaced only if Size is its size": whole pages.
  assert.equal(calls.splice(0).slice(1), [
    ["VirtualAlloc2", -1, 0, 8192, 0x42000, 1, 0, 0],
    ["MapViewOfFile3", OBJECT, -1, PLACE, 0, 5000, 0x4000, 4, 0, 0],
    ["CloseHandle", OBJECT],
  ]);
  platform.retire?.(address, 5000, false);
  // MEM_PRESERVE_PLACEHOLDER 2, MEM_COMMIT 0x1000.
  assert.equal(calls.splice(0), [
    ["UnmapViewOfFile2", -1, PLACE, 2],
    ["VirtualAlloc2", -1, PLACE, 8192, 0x7000, 4, 0, 0],
  ]);
  platform.unmap(address, 5000);
  // MEM_RELEASE 0x8000: "the dwSize parameter must be 0".
  assert.equal(calls.splice(0), [["VirtualFree", PLACE, 0, 0x8000]]);
  // Another view at the same address, which is not replaced.
  platform.map(requestFor(platform, -1, 5000));
  calls.length = 0;
  platform.unmap(address, 5000);
  assert.equal(calls, [["UnmapViewOfFile", PLACE]]);
});

test("map() gives the placeholder back if the view is refused", () => {
  const { platform, calls } = recorded({ VirtualAlloc2: () => PLACE, MapViewOfFile3: () => 0 }, true, true);
  const error = thrown(() => platform.map(requestFor(platform, -1, 5000))) as MMapError;
  assert.equal([error.code, error.syscall], ["EACCES", "MapViewOfFile3"]);
  assert.equal(
    calls.filter(([name]) => name === "VirtualFree" || name === "CloseHandle"),
    [
      ["VirtualFree", PLACE, 0, 0x8000],
      ["CloseHandle", OBJECT],
    ],
  );
});

test("an owner's lock of a file is LockFile's, of one byte at 2^62", () => {
  let error = 33;
  const free = new Set<number>([77, 78]);
  const { platform, calls } = recorded({
    LockFile: (_handle, low) => (free.delete(low as number) ? 1 : 0),
    UnlockFile: (_handle, low) => {
      free.add(low as number);
      return 1;
    },
    GetLastError: () => error,
  });
  const own = platform.ownerLocks?.open(7, undefined) as OwnerLock;
  assert.is(own.take(77), true);
  assert.is(own.isTaken(77), true, "an exclusive lock cannot overlap another, not even one of the same handle");
  assert.is(own.isTaken(78), false);
  own.close();
  assert.equal(
    calls.filter(([name]) => name !== "GetLastError"),
    [
      ["uv_get_osfhandle", 7],
      ["LockFile", FILE, 77, 2 ** 30, 1, 0],
      ["LockFile", FILE, 77, 2 ** 30, 1, 0],
      ["LockFile", FILE, 78, 2 ** 30, 1, 0],
      ["UnlockFile", FILE, 78, 2 ** 30, 1, 0],
      ["UnlockFile", FILE, 77, 2 ** 30, 1, 0],
    ],
  );
  assert.equal([...free].sort(), [77, 78]);
  calls.length = 0;
  platform.ownerLocks?.open(7, undefined).close();
  assert.equal(calls, [["uv_get_osfhandle", 7]], "nothing to unlock");
  // "If the function fails, the return value is zero (FALSE)." ERROR_LOCK_VIOLATION is 33.
  error = 5;
  const refused = thrown(() => own.take(1)) as MMapError;
  assert.equal([refused.code, refused.syscall], ["EACCES", "LockFile"]);
});

test("an owner's lock of named memory is an event, of which the name is the memory's and a number", () => {
  let error = 0;
  let handle = 0x99;
  const { platform, calls } = recorded({
    CreateEventW: () => handle,
    OpenEventW: () => handle,
    GetLastError: () => error,
  });
  const open = () => platform.ownerLocks?.open(-1, "Local\\visit") as OwnerLock;
  const own = open();
  assert.is(own.take(77), true);
  assert.is(own.isTaken(78), true);
  own.close();
  // SYNCHRONIZE is 0x100000. "bManualReset: If this parameter is TRUE, the function creates a manual-reset event object".
  assert.equal(
    calls.filter(([name]) => name !== "GetLastError"),
    [
      ["CreateEventW", 0, 1, 0, "Local\\visit.mmap-ffi.77"],
      ["OpenEventW", 0x100000, 0, "Local\\visit.mmap-ffi.78"],
      ["CloseHandle", 0x99],
      ["CloseHandle", 0x99],
    ],
  );
  // "If the named event object existed before the function call, the function returns a handle to the existing object and
  // GetLastError returns ERROR_ALREADY_EXISTS", which is 183.
  error = 183;
  calls.length = 0;
  const late = open();
  assert.is(late.take(77), false);
  late.close();
  assert.equal(calls.slice(-1), [["CloseHandle", 0x99]]);
  assert.is(calls.filter(([name]) => name === "CloseHandle").length, 1);
  // Another user's event: ERROR_ACCESS_DENIED, 5.
  [handle, error] = [0, 5];
  assert.is(late.take(77), false);
  assert.is(late.isTaken(77), true);
  // ERROR_FILE_NOT_FOUND, 2.
  error = 2;
  assert.is(late.isTaken(77), false);
  error = 87;
  assert.is((thrown(() => late.isTaken(77)) as MMapError).syscall, "OpenEventW");
  assert.is((thrown(() => late.take(77)) as MMapError).syscall, "CreateEventW");
});

test("shared() maps the paging file by the name, and must be told the length", () => {
  const { platform, calls } = recorded();
  const before = usePlatform(platform);
  try {
    MMap.shared("visit", { create: true, length: 10 }).close();
    // winnt.h: PAGE_READWRITE is 4. INVALID_HANDLE_VALUE (-1): "the calling process must also specify a size".
    assert.equal(calls.find(([name]) => name === "CreateFileMappingW")?.slice(0, 7), [
      "CreateFileMappingW",
      -1,
      0,
      4,
      0,
      10,
      "visit",
    ]);
    calls.length = 0;
    for (const options of [{ create: true }, {}, { create: true, length: 0 }]) {
      const error = thrown(() => MMap.shared("visit", options));
      assert.instance(error, RangeError);
      assert.match(error.message, "length must be given");
    }
    assert.equal(calls, []);
  } finally {
    usePlatform(before);
  }
});

test.run();
