import { suite } from "uvu";
import * as assert from "uvu/assert";
import { optionNames, rejectUnknown } from "../../lib/option-names.ts";
import { thrown } from "../helpers/support.ts";

const test = suite("units/option-names");

const SEVERAL = optionNames("offset", "length", "trackfd");
const SHORT = optionNames("mode", "off");
const ONE = optionNames("reserve");

const messageOf = (name: string, names = SEVERAL): string => {
  const error = thrown(() => rejectUnknown({ [name]: 1 }, names, "call()"));
  assert.instance(error, TypeError);
  const start = `"${name}" is not an option of call(): `;
  assert.ok(error.message.startsWith(start), error.message);
  return error.message.slice(start.length);
};

test("rejectUnknown() takes the names of the table, and objects without any", () => {
  rejectUnknown({ offset: 1, length: undefined, trackfd: 2 }, SEVERAL, "call()");
  rejectUnknown({}, SEVERAL, "call()");
});

test("rejectUnknown() names the option that is up to two letters away", () => {
  // One letter less, one more, another, two that are swapped; and two of these.
  for (const name of [
    "ofset",
    "ooffset",
    "offsat",
    "offste",
    "foffset",
    "offsets",
    "Offset",
    "OFFSET",
    "ffest",
    "offtes",
  ]) {
    assert.is(messageOf(name), 'did you mean "offset"?', name);
  }
  for (const name of ["lenght", "legnth", "lengh", "enlgth"])
    assert.is(messageOf(name), 'did you mean "length"?', name);
});

test("rejectUnknown() lists the options where none is near, or the name is short", () => {
  for (const name of ["nothing", "offset123", "oset1", "le", "tesffo"]) {
    assert.is(messageOf(name), "it has offset, length, trackfd", name);
  }
  for (const name of ["a", "md", "of"]) assert.is(messageOf(name, SHORT), "it has mode, off", name);
  for (const name of ["mod", "mde", "offf"]) assert.match(messageOf(name, SHORT), /^did you mean/, name);
  assert.is(messageOf("nothing", ONE), "it has only reserve");
  assert.is(messageOf("reserved", ONE), 'did you mean "reserve"?');
});

test.run();
