/**
 * The first example of Python's mmap page: read a file, change a word of it through its map.
 *
 * @see https://docs.python.org/3.13/library/mmap.html
 * @module
 */

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MMap } from "../lib/mod.ts"; // in your program: from "mmap-ffi"

const folder = mkdtempSync(join(tmpdir(), "example-"));
const path = join(folder, "hello.txt");
const decoder = new TextDecoder();

// Write a simple example file.
writeFileSync(path, "Hello Python!\n");

// Memory-map the file, size 0 means whole file.
const fd = openSync(path, "r+");
const mm = new MMap(fd, 0);
// Read content via standard file methods.
console.log(decoder.decode(mm.readline()).trimEnd()); // Hello Python!
// Read content via slice notation.
console.log(decoder.decode(mm.slice(0, 5))); // Hello
// Update content using slice notation; note that new content must have same size.
mm.assign(" world!\n", 6);
// … and read again using standard file methods.
mm.seek(0);
console.log(decoder.decode(mm.readline()).trimEnd()); // Hello  world!
// Close the map.
mm.close();
closeSync(fd);

console.log(readFileSync(path, "utf8").trimEnd()); // Hello  world!
rmSync(folder, { recursive: true });
