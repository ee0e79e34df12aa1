/**
 * Counts what a process has of the system on Windows.
 *
 * @module
 */

import { openFfi } from "../../ffi/mod.ts";

const SIGNATURES = {
  // SIZE_T VirtualQuery(LPCVOID lpAddress, PMEMORY_BASIC_INFORMATION lpBuffer, SIZE_T dwLength);
  VirtualQuery: { parameters: ["pointer", "bytes", "usize"], result: "usize" },
  // BOOL GetHandleInformation(HANDLE hObject, LPDWORD lpdwFlags);
  GetHandleInformation: { parameters: ["i64", "bytes"], result: "i32" },
} as const;

const MEM_MAPPED = 0x40000;

/** Far more than any test has. */
const LAST_HANDLE = 4 * 4096;

/** How many views of mapping objects, and how many handles this process has. */
export function windowsResources(): { maps: number; descriptors: number } {
  const kernel = openFfi().open(["kernel32.dll"], SIGNATURES);
  // MEMORY_BASIC_INFORMATION: AllocationBase is at 8, RegionSize at 24, Type at 40.
  const words = new BigUint64Array(6);
  const buffer = new Uint8Array(words.buffer);
  const views = new Set<bigint>();
  for (let address = 0; kernel.VirtualQuery(address, buffer, 48) !== 0; ) {
    if (Number((words[5] as bigint) & 0xffffffffn) === MEM_MAPPED) views.add(words[1] as bigint);
    address = Number((words[0] as bigint) + (words[3] as bigint));
  }
  let descriptors = 0;
  for (let handle = 4; handle <= LAST_HANDLE; handle += 4) {
    if (kernel.GetHandleInformation(handle, new Uint8Array(4)) !== 0) descriptors++;
  }
  return { maps: views.size, descriptors };
}
