import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { withPlatform } from "../helpers/platform.ts";
import { newFile, newPath, printedBy, unless } from "../helpers/support.ts";
import { printed, TRUNCATED, UNGUARDED } from "../helpers/truncation.ts";

const test = suite("safety/mutex");

// Each map had its own page of zeros, and so a free mutex.
unless(UNGUARDED, test)("no map acquires a mutex in a page that the file has lost", () => {
  const results = printed(`
    for (const way of ["tryAcquire", "acquire", "hold", "acquireAsync"]) {
      const path = file(0);
      writeFileSync(path, new Uint8Array(2 * PAGE));
      const maps = [1, 2].map(() => MMap.open(path, { access: "write" }));
      const mutexes = maps.map((mm) => mm.mutex(PAGE));
      cut(path, PAGE);
      const ends = [];
      for (const mutex of mutexes) {
        try { ends.push(await mutex[way]()); } catch (error) { ends.push(error.code); }
      }
      // A map that holds a mutex throws here.
      for (const mm of maps) ends.push(failure(() => mm.close()));
      print(way, ...ends);
    }`);
  for (const [way, first, second, ...closed] of results) {
    assert.equal([first, second], [TRUNCATED, TRUNCATED], String(way));
    assert.equal(closed, ["done", "done"], String(way));
  }
  assert.is(results.length, 4);
});

// The word was free and the map held the mutex, so that the map's next release() was that of another owner.
test("acquire() and release() that overflow the stack change both the word and the map, or none", () => {
  const program = `
    const mm = MMap.open(process.argv[2], { access: "write" });
    const words = mm.view(Int32Array);
    const mutex = mm.mutex(0);
    // Calls \`act\` with more and more stack, until it succeeds or what threw has changed the word.
    function withLittleStack(act, before) {
      try { if (withLittleStack(act, before)) return true; } catch {}
      try { act(); } catch { return words[0] !== before; }
      return true;
    }
    let changed = 0;
    for (let round = 0; round < 40; round++) {
      for (const [act, undo] of [["acquire", "release"], ["release", "acquire"]]) {
        if (undo === "acquire") mutex.acquire();
        const before = words[0];
        let done = false;
        withLittleStack(() => { mutex[act](); done = true; }, before);
        if (!done) changed++;
        try { mutex[undo](); } catch {}
        try { mutex.release(); } catch {}
        words[0] = 0;
      }
    }
    console.log(changed);`;
  assert.is(printedBy(program, { args: [newFile(new Uint8Array(4096))] }), "0");
});

// koffi ends the process if a worker is terminated while it makes a view, which each use of another word did.
test("words that are not far from each other have one view", () => {
  let views = 0;
  withPlatform(
    (real) => ({
      view(address, length) {
        views++;
        return real.view(address, length);
      },
    }),
    () => {
      using mm = MMap.open(newFile(new Uint8Array(20_000)), { access: "write" });
      for (let round = 0; round < 10; round++) {
        const mutexes = [mm.mutex(0), mm.mutex(8), mm.mutex(19_992)];
        for (const mutex of mutexes) mutex.acquire();
        for (const mutex of mutexes) mutex.release();
        mm.notify(16);
        mm.wait(20, 1);
      }
    },
  );
  assert.is(views, 1);
});

test("words are found at every place of a long map, also with an offset", () => {
  for (const offset of [0, 1, 2, 3, 4096, 70_002]) {
    const length = 200_000;
    using mm = MMap.open(newPath(), { create: true, offset, length });
    const first = (4 - (offset % 4)) % 4;
    // The edges of the views, and the last word.
    const around = [0, 1, 2, 3].flatMap((part) => [-8, -4, 0, 4, 8].map((by) => first + part * 65_536 + by));
    const places = around.filter((place) => place >= 0 && place <= length - 4);
    places.push(first + 4 * Math.floor((length - 4 - first) / 4));
    const data = mm.view(DataView);
    for (const [index, place] of places.entries()) data.setInt32(place, index + 1, true);
    const wrong = places.filter((place, index) => {
      const value = data.getInt32(place, true);
      assert.ok(value >= index + 1);
      return mm.wait(place, value, 0) !== "timed-out" || mm.wait(place, value + 1000, 0) !== "not-equal";
    });
    assert.equal(wrong, [], `offset ${offset}`);
  }
});

test.run();
