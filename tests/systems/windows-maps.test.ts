/**
 * Maps of files on Windows, call by call: a file grows with its map, and does not get shorter while it is mapped.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FfiUnavailable } from "../../ffi/types.ts";
import { MMap, type MMapError } from "../../lib/mod.ts";
import { windowsPlatform } from "../../platform/windows/mod.ts";
import { over, type Recorder, recorder } from "../helpers/recorder.ts";
import { refuses, thrown } from "../helpers/support.ts";

const test = suite("systems/windows-maps");

const ADDRESS = 0x7ff0_0000_0000;
const ERROR_ACCESS_DENIED = 5;
const ERROR_USER_MAPPED_FILE = 1224;

/** A Windows with one file, which refuses to be cut while a view of it is mapped. */
interface Windows {
  readonly ffi: Recorder;
  size: number;
  readonly views: Set<number>;
  /** The name of a function that is refused. */
  refused: string | undefined;
}

function playedWindows(size: number): Windows {
  let last = 0;
  let made = 0;
  const number = (memory: Uint8Array) => new DataView(memory.buffer);
  /** The result of a function, unless it is refused. */
  const result = (name: string, act: () => number): number => {
    if (system.refused !== name) return act();
    last = ERROR_ACCESS_DENIED;
    return 0;
  };
  const ffi = recorder({
    GetSystemInfo: (info: Uint8Array) => {
      number(info).setUint32(4, 4096, true);
      number(info).setUint32(40, 65_536, true);
      return 1;
    },
    uv_get_osfhandle: () => 0x44,
    DuplicateHandle: (_process: number, _handle: number, _target: number, copy: Uint8Array) => {
      number(copy).setUint32(0, 0xcc, true);
      return 1;
    },
    GetFileType: () => 1,
    GetFileSizeEx: (_handle: number, memory: Uint8Array) => {
      number(memory).setBigInt64(0, BigInt(system.size), true);
      return 1;
    },
    SetFileInformationByHandle: (_handle: number, _kind: number, memory: Uint8Array) =>
      result("SetFileInformationByHandle", () => {
        const wanted = Number(number(memory).getBigInt64(0, true));
        if (wanted < system.size && system.views.size > 0) {
          last = ERROR_USER_MAPPED_FILE;
          return 0;
        }
        system.size = wanted;
        return 1;
      }),
    CreateFileMappingW: () => result("CreateFileMappingW", () => 0x88),
    MapViewOfFile: () =>
      result("MapViewOfFile", () => {
        const address = ADDRESS + 2 ** 24 * made++;
        system.views.add(address);
        return address;
      }),
    UnmapViewOfFile: (address: number) => (system.views.delete(address) ? 1 : 0),
    CloseHandle: () => 1,
    GetLastError: () => last,
  });
  // A Windows before 10 1803, which has no placeholders: systems/windows-calls.test.ts has the calls of later ones.
  const { open } = ffi;
  ffi.open = (libraries, signatures) => {
    if ("VirtualAlloc2" in signatures) throw new FfiUnavailable("no such function: VirtualAlloc2");
    return open(libraries, signatures);
  };
  const system: Windows = { ffi, size, views: new Set(), refused: undefined };
  return system;
}

/** Runs `act` on a map of a file of so many bytes, of which `length` are mapped. */
function onWindows(size: number, length: number, act: (mm: MMap, system: Windows) => void, tagname?: string): Windows {
  const system = playedWindows(size);
  over(windowsPlatform, system.ffi, () => {
    const mm = new MMap(7, length, { access: "write", tagname });
    act(mm, system);
    if (!mm.closed) mm.close();
  });
  return system;
}

/** The names of the calls since the last time, without those that only ask. */
const calls = ({ ffi }: Windows): string[] =>
  ffi
    .take()
    .map((call) => call.replace(/\(.*/, ""))
    .filter((name) => /^(CreateFileMapping|MapView|UnmapView|SetFileInformation)/.test(name));

test("new MMap() on Windows extends the file before it maps, and not if it is long enough", () => {
  for (const [size, length, after] of [
    [1000, 5000, 5000],
    [5000, 5000, 5000],
    [9000, 5000, 9000],
  ] as const) {
    onWindows(size, length, (mm, system) => {
      assert.equal([mm.length, system.size], [length, after]);
      const extends_ = size < length ? ["SetFileInformationByHandle"] : [];
      assert.equal(calls(system), [...extends_, "CreateFileMappingW", "MapViewOfFile"]);
    });
  }
});

test("new MMap() on Windows that is refused gives the file its size back", () => {
  for (const refused of ["CreateFileMappingW", "MapViewOfFile"]) {
    for (const size of [1000, 9000]) {
      const system = playedWindows(size);
      system.refused = refused;
      over(windowsPlatform, system.ffi, () => {
        const error = thrown(() => new MMap(7, 5000, { access: "write" })) as MMapError;
        assert.equal([error.code, error.syscall], ["EACCES", refused]);
      });
      assert.is(system.size, size);
      assert.is(system.views.size, 0);
    }
  }
});

test("resize() on Windows grows the file and maps it before the old view goes", () => {
  onWindows(5000, 5000, (mm, system) => {
    calls(system);
    mm.resize(9000);
    assert.equal([mm.length, system.size, system.views.size], [9000, 9000, 1]);
    assert.equal(calls(system), [
      "SetFileInformationByHandle",
      "CreateFileMappingW",
      "MapViewOfFile",
      "UnmapViewOfFile",
    ]);
  });
});

test("resize() on Windows unmaps the file before it is cut, and maps it again", () => {
  onWindows(9000, 9000, (mm, system) => {
    calls(system);
    mm.resize(5000);
    assert.equal([mm.length, system.size, system.views.size], [5000, 5000, 1]);
    assert.equal(calls(system), [
      "UnmapViewOfFile",
      "SetFileInformationByHandle",
      "CreateFileMappingW",
      "MapViewOfFile",
    ]);
  });
});

test("resize() on Windows of a file that cannot be cut maps it again as long as it was", () => {
  onWindows(9000, 9000, (mm, system) => {
    system.refused = "SetFileInformationByHandle";
    const error = thrown(() => mm.resize(5000)) as MMapError;
    assert.equal([error.code, error.syscall], ["EACCES", "SetFileInformationByHandle"]);
    system.refused = undefined;
    assert.equal([mm.length, mm.size(), system.size, system.views.size], [9000, 9000, 9000, 1]);
    mm.resize(5000);
    assert.equal([mm.length, system.size], [5000, 5000]);
  });
});

test("resize() on Windows of a file whose views are in use is refused, and changes nothing", () => {
  onWindows(9000, 9000, (mm, system) => {
    const { bytes } = mm;
    const before = [...system.views];
    calls(system);
    const error = thrown(() => mm.resize(5000)) as MMapError;
    assert.equal([error.code, error.syscall], ["EBUSY", "SetFileInformationByHandle"]);
    // The view stays where it is.
    assert.equal([...new Set(calls(system))], ["SetFileInformationByHandle"]);
    assert.equal([mm.length, system.size, [...system.views]], [9000, 9000, before]);
    assert.equal([bytes.length, mm.bytes === bytes], [9000, true]);
  });
});

test("resize() on Windows that is refused because of a view keeps the name", () => {
  onWindows(
    9000,
    9000,
    (mm, { ffi }) => {
      mm.bytes;
      ffi.take();
      thrown(() => mm.resize(5000));
      assert.not.ok(ffi.take().some((call) => call.startsWith("CloseHandle")));
    },
    "name",
  );
});

test("anonymous() on Windows maps memory of the paging file, which resize() copies", () => {
  const system = playedWindows(0);
  over(windowsPlatform, system.ffi, () => {
    const mm = MMap.anonymous(5000);
    assert.equal([mm.length, mm.size(), mm.fd, system.views.size], [5000, 5000, -1, 1]);
    assert.equal(calls(system), ["CreateFileMappingW", "MapViewOfFile"]);
    mm.resize(9000);
    assert.equal([mm.length, mm.size(), system.views.size], [9000, 9000, 1]);
    assert.equal(calls(system), ["CreateFileMappingW", "MapViewOfFile", "UnmapViewOfFile"]);
    system.refused = "CreateFileMappingW";
    const error = thrown(() => mm.resize(20_000)) as MMapError;
    assert.equal([error.code, error.syscall, mm.length, system.views.size], ["EACCES", "CreateFileMappingW", 9000, 1]);
    mm.close();
    // The descriptor of no file is not closed.
    assert.equal(calls(system).slice(-1), ["UnmapViewOfFile"]);
    assert.is(system.views.size, 0);
  });
});

test("close() on Windows unmaps the view", () => {
  const system = onWindows(5000, 5000, (mm) => {
    mm.close();
    refuses("ERR_MMAP_CLOSED", () => mm.length);
  });
  assert.is(system.views.size, 0);
});

test.run();
