/**
 * A body that a caller gives part by part (`body_parts`), as the pieces that go out.
 */
import { byteLength, toBytes } from "../../arguments.ts";
import { withScratchLent } from "../../engine/scratch.ts";
import { errorText, Failure } from "../../error.ts";
import { chunkOf, LAST_CHUNK } from "../wire/chunk-writer.ts";

/** To copy so many bytes costs more than another system call. */
const LARGE = 64 * 1024;

export class BodyParts {
  /** How many bytes they have together; null where nobody has said, and they go out in chunks. */
  readonly length: number | null;
  readonly #parts: Iterable<unknown>;
  #iterator: Iterator<unknown> | null = null;
  #given = 0;
  /** A part that follows the size of its chunk. */
  #large: Uint8Array | null = null;
  /** The end of the chunk before, which goes out with the next one. */
  #end = "";
  #state: "open" | "ended" | "over" = "open";

  constructor(parts: Iterable<unknown>, length: number | null) {
    this.#parts = parts;
    this.length = length;
  }

  /** Whether a part was asked for: they can be walked through once. */
  get hasBegun(): boolean {
    return this.#iterator !== null || this.#state !== "open";
  }

  /** The next piece to send; null behind the last one; or what is wrong. It lies in memory that may be the caller's. */
  next(): Uint8Array | null | Failure {
    const large = this.#large;
    if (large !== null) {
      this.#large = null;
      return large;
    }
    while (this.#state === "open") {
      const part = this.#step();
      if (part instanceof Failure) return this.#fail(part);
      if (part === null) {
        this.#state = "ended";
        break;
      }
      const size = byteLength(part);
      if (size === 0) continue;
      this.#given += size;
      if (this.length === null) return this.#chunk(part, size);
      if (this.#given > this.length)
        return this.#fail(new Failure(`body_parts have more than ${this.length} bytes`));
      return part;
    }
    if (this.#state === "over") return null;
    this.#state = "over";
    if (this.length === null) return Buffer.from(this.#end + LAST_CHUNK.toString());
    if (this.#given === this.length) return null;
    return new Failure(`body_parts have ${this.#given} of ${this.length} bytes`);
  }

  /** The beginning of a chunk: with its data, if that is little to copy. */
  #chunk(part: Uint8Array, size: number): Uint8Array {
    const end = this.#end;
    this.#end = "";
    if (size < LARGE) return end === "" ? chunkOf(part) : Buffer.concat([Buffer.from(end), chunkOf(part)]);
    this.#large = part;
    this.#end = "\r\n";
    return Buffer.from(`${end}${size.toString(16)}\r\n`);
  }

  /** The bytes of the next part; null behind the last one. Runs the caller's code. */
  #step(): Uint8Array | null | Failure {
    let part: Uint8Array | null | Failure = null;
    try {
      withScratchLent(() => {
        this.#iterator ??= this.#parts[Symbol.iterator]();
        const { done, value } = this.#iterator.next();
        if (done !== true) part = toBytes(value as Uint8Array);
      });
    } catch (thrown) {
      return new Failure(`body_parts threw: ${errorText(thrown)}`);
    }
    part = part as Uint8Array | null | Failure;
    return part instanceof Failure ? new Failure(`body_parts: ${part.reason}`) : part;
  }

  #fail(failure: Failure): Failure {
    this.close();
    return failure;
  }

  /** No more of them are wanted: a generator's `finally` runs. */
  close(): void {
    if (this.#state === "over") return;
    const isOpen = this.#state === "open";
    this.#state = "over";
    try {
      if (isOpen) withScratchLent(() => this.#iterator?.return?.());
    } catch {
      // What it throws at its end changes nothing any more.
    }
  }
}

/** The parts that a message's `body_parts` and `body_length` ask for; null for none; or what is wrong. */
export function readParts(message: { readonly [key: string]: unknown }): BodyParts | null | Failure {
  const { body_parts: parts, body_length: length } = message;
  if (parts === undefined) {
    return length === undefined ? null : new Failure("'body_length' goes with 'body_parts'");
  }
  if (length !== undefined && !(Number.isSafeInteger(length) && (length as number) >= 0)) {
    return new Failure("'body_length' must be a non-negative integer");
  }
  if (!isIterable(parts)) return new Failure("'body_parts' must be an iterable of bytes");
  return new BodyParts(parts, (length as number | undefined) ?? null);
}

/** A text or a Uint8Array can be iterated over too, but its elements are no parts. */
function isIterable(value: unknown): value is Iterable<unknown> {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  return typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] === "function";
}
