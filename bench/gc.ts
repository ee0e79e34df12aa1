/**
 * Code that creates much garbage, while 12 GiB are mapped and viewed: engines count the length of a view as memory, and
 * may collect garbage sooner because of it.
 *
 * @module
 */

import { MMap } from "../lib/mod.ts";
import { type Data, GiB, MiB } from "./data.ts";
import { type Bench, here } from "./harness.ts";

/** Objects that live for a short time, and some for longer. */
function garbage(): number {
  const kept: { name: string; numbers: number[] }[] = [];
  for (let count = 0; count < 200_000; count++) {
    const made = { name: `object ${count}`, numbers: [count, count + 1, count + 2] };
    kept[count % 1000] = made;
  }
  return kept.length;
}

export default async function (bench: Bench, data: Data): Promise<void> {
  const [size, name] = bench.quick ? [12 * MiB, "12 MiB"] : [12 * GiB, "12 GiB"];
  const path = data.sparse(size);
  let map: MMap | undefined;
  const views: Uint8Array[] = [];
  const work = here(garbage);
  const nothing = async (count: number) => {
    map?.close();
    map = undefined;
    views.length = 0;
    return work(count);
  };
  const withMap = (parts: number) => async (count: number) => {
    await nothing(0);
    const opened = MMap.open(path);
    map = opened;
    // One view per part, because no runtime can view all of it with one buffer.
    for (let part = 0; part < parts; part++) views.push(opened.view(Uint8Array, (part * size) / parts, size / parts));
    return work(count);
  };
  const peer = { name: "nothing mapped", target: 1.1, time: nothing };
  await bench.compare(`garbage while ${name} are mapped`, withMap(0), [peer]);
  await bench.compare(`garbage while ${name} are viewed in 12 parts`, withMap(12), [peer]);
  await nothing(0);
}
