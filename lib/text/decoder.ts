/**
 * Turns bytes into text, a block at a time, with the result that one TextDecoder has for all of them at once.
 *
 * @module
 */

import { builtins } from "../../ffi/builtins.ts";
import { ReflectApply, RegExpPrototypeExec, Uint8Array } from "../../ffi/primordials.ts";
import { show } from "../errors.ts";

/** The one of `node:util`, which Deno types apart from the global one. */
type TextDecoder = InstanceType<ReturnType<typeof builtins>["TextDecoder"]>;

/** The decoders of UTF-8: one removes a byte order mark, the other keeps it. Neither keeps state between two calls. */
let utf8: { readonly first: TextDecoder; readonly later: TextDecoder } | undefined;

/** The encoding of one text, and how much of the text has been decoded. */
export class Decoder {
  /** The bytes of a newline. */
  readonly newline: Uint8Array;
  readonly isUtf8: boolean;
  readonly #decoder: TextDecoder;
  /** Whether a byte order mark may come next. */
  #atStart: boolean;

  /**
   * @param atStart false: the bytes to come are from the middle of a text.
   * @throws {TypeError | RangeError} The encoding is not supported.
   */
  constructor(encoding: unknown, atStart = true) {
    const decoder = newDecoder(encoding, !atStart);
    this.newline = newlineIn(decoder.encoding);
    this.isUtf8 = decoder.encoding === "utf-8";
    this.#decoder = decoder;
    this.#atStart = atStart;
  }

  /**
   * The text of the next bytes. In UTF-8, these must not end within a character, because engines decode faster without
   * state.
   *
   * @param isLast Whether the text ends here.
   */
  decode(bytes: Uint8Array, isLast: boolean): string {
    const { decode } = builtins();
    if (!this.isUtf8) return ReflectApply(decode, this.#decoder, isLast ? [bytes] : [bytes, { stream: true }]);
    utf8 ??= { first: newDecoder("utf-8", false), later: newDecoder("utf-8", true) };
    const decoder = this.#atStart ? utf8.first : utf8.later;
    const text = this.#atStart ? undefined : transcoded(bytes);
    this.#atStart = false;
    return text ?? ReflectApply(decode, decoder, [bytes]);
  }
}

/** A character that strings of one byte a character cannot hold. */
const WIDE = /[^\0-\xff]/;

/** The text of UTF-8 that is well-formed and not all ASCII. undefined for other bytes, and where TextDecoder is as fast. */
function transcoded(bytes: Uint8Array): string | undefined {
  const { Buffer, isAscii, isUtf8, transcode } = builtins();
  if (transcode === undefined || isAscii(bytes) || !isUtf8(bytes)) return undefined;
  const text = transcode(bytes, "utf8", "utf16le").toString("utf16le");
  // A string of UTF-16 takes two bytes a character, whatever its characters are.
  return RegExpPrototypeExec(WIDE, text) === null ? Buffer.from(text, "latin1").toString("latin1") : text;
}

function newDecoder(encoding: unknown, ignoreBOM: boolean): TextDecoder {
  if (typeof encoding !== "string") throw new TypeError(`encoding must be a string: got ${show(encoding)}`);
  const { TextDecoder } = builtins();
  try {
    return new TextDecoder(encoding, { ignoreBOM });
  } catch (error) {
    const expected = `one that TextDecoder supports here, "utf-8" or "utf-16le" for example`;
    throw new RangeError(`encoding must be ${expected}: got ${show(encoding)}`, { cause: error });
  }
}

/** The bytes of a newline. Every encoding but UTF-16 has it as ASCII does, and never as a part of another character. */
function newlineIn(encoding: string): Uint8Array {
  if (encoding === "utf-16le") return Uint8Array.of(10, 0);
  return encoding === "utf-16be" ? Uint8Array.of(0, 10) : Uint8Array.of(10);
}
