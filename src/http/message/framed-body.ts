/**
 * The body of one message, whichever way it is framed: piece by piece in constant memory (`read`), or all of it (`gather`).
 */
import { TOO_LATE } from "../../engine/transport.ts";
import { ChunkedDecoder } from "../wire/chunked.ts";
import type { Framing } from "../wire/framing.ts";
import type { SectionLimits } from "../wire/limits.ts";
import { BODY_TOO_LARGE, MessageError } from "../wire/message-error.ts";
import { ByteCollector } from "./byte-collector.ts";
import type { Input } from "./input.ts";

/** How much of a body is received at once. For so much it is worth a system call to spare it a copy. */
const PIECE = 64 * 1024;

const NO_BYTES = Buffer.alloc(0);

export class FramedBody {
  /** Whether the body was read to its end. */
  isDone = true;
  readonly #input: Input;
  /** Of a chunked body. */
  #decoder: ChunkedDecoder | undefined;
  /** How many bytes are still to come, of a body that is not chunked; Infinity where the end of the stream ends it. */
  #left = 0;
  /** How many bytes may still come where the end of the stream is the end. */
  #room = 0;
  #gathered: ByteCollector | undefined;

  constructor(input: Input) {
    this.#input = input;
  }

  /**
   * Begins a body, at whose first byte the input is. It may have `most` bytes, the chunked coding undone; an error where its
   * length is more. For `section` and `allowBlanks` see ChunkedDecoder.
   */
  begin(
    framing: Framing,
    most: number,
    section: SectionLimits,
    allowBlanks: boolean,
  ): MessageError | undefined {
    this.isDone = framing.kind === "none";
    this.#decoder = undefined;
    this.#left = 0;
    this.#room = most;
    switch (framing.kind) {
      case "length":
        this.#left = framing.length;
        return framing.length > most ? BODY_TOO_LARGE : undefined;
      case "chunked":
        this.#decoder = new ChunkedDecoder(most, section, allowBlanks);
        return undefined;
      case "close":
        this.#left = Number.POSITIVE_INFINITY;
        return undefined;
      case "none":
        return undefined;
    }
  }

  /** Whether the body ends where the stream ends. */
  get endsWithStream(): boolean {
    return this.#left === Number.POSITIVE_INFINITY;
  }

  /** Whether all of it is there, so that nothing need be waited for. (Of a chunked body nobody knows.) */
  get isHere(): boolean {
    const { start, end } = this.#input;
    return this.isDone || (this.#decoder === undefined && end - start >= this.#left);
  }

  /**
   * What tells whether the window has all of the rest, without using any of it. It is asked again each time that the window has
   * grown, and looks at each byte once.
   */
  lookAhead(): () => boolean {
    const input = this.#input;
    const decoder = this.#decoder?.copy();
    if (decoder === undefined) return () => this.isHere;
    let seen = 0;
    return () => {
      while (input.start + seen < input.end && !decoder.done) {
        const next = decoder.decode(input.bytes, input.start + seen, input.end);
        // A read will come upon it.
        if (next instanceof MessageError) seen = Number.POSITIVE_INFINITY;
        else seen = next - input.start;
      }
      return this.isDone || decoder.done;
    };
  }

  /**
   * The next bytes of the body, to the start of `target`: how many, at most `length`; an error in the message; or the
   * transport's failure. 0 where no more come: the body is done, or else the stream has ended before it. Makes as few waits as
   * there can be: none where bytes of the body have come.
   */
  read(target: Uint8Array, length: number, deadline: number): number | MessageError {
    const input = this.#input;
    while (!this.isDone) {
      if (input.start < input.end) {
        const moved = this.#move(target, length);
        if (moved !== 0) return moved;
        continue;
      }
      if (input.isLate(deadline)) return TOO_LATE;
      if (this.#goesStraight(length)) return this.#receive(target, length, deadline);
      const count = input.fill(PIECE, deadline);
      if (count === 0 && this.endsWithStream) this.isDone = true;
      if (count <= 0) return count;
    }
    return 0;
  }

  /** Whether the next bytes go to the caller's memory and not through the window, from where they would be copied. */
  #goesStraight(length: number): boolean {
    const decoder = this.#decoder;
    if (decoder !== undefined) return Math.min(length, decoder.dataLeft) >= PIECE;
    return !this.#input.readsAhead || Math.min(length, this.#left) >= PIECE;
  }

  #receive(target: Uint8Array, length: number, deadline: number): number | MessageError {
    const decoder = this.#decoder;
    const most = Math.min(length, decoder === undefined ? this.#left : decoder.dataLeft);
    const count = this.#input.receive(target, most, deadline);
    if (count > 0) {
      if (decoder === undefined) return this.#counted(count);
      decoder.skip(count);
    } else if (count === 0 && this.endsWithStream) {
      this.isDone = true;
    }
    return count;
  }

  /** Moves bytes of the body out of the window: how many. 0 where it has none, or no more than what frames them. */
  #move(target: Uint8Array, length: number): number | MessageError {
    const input = this.#input;
    const { bytes, start, end } = input;
    const decoder = this.#decoder;
    if (decoder === undefined) {
      const count = Math.min(length, this.#left, end - start);
      bytes.copy(target, 0, start, start + count);
      input.use(count);
      return this.#counted(count);
    }
    let at = start;
    let moved = 0;
    do {
      const next = decoder.decode(bytes, at, end, length - moved);
      if (next instanceof MessageError) {
        input.use(end - start);
        return next;
      }
      if (decoder.dataEnd > decoder.dataStart) {
        bytes.copy(target, moved, decoder.dataStart, decoder.dataEnd);
        moved += decoder.dataEnd - decoder.dataStart;
      }
      at = next;
    } while (at < end && moved < length && !decoder.done);
    input.use(at - start);
    this.isDone = decoder.done;
    return moved;
  }

  /** Counts bytes of a body that is not chunked. */
  #counted(count: number): number | MessageError {
    this.#left -= count;
    this.#room -= count;
    if (this.#left === 0) this.isDone = true;
    return this.#room < 0 ? BODY_TOO_LARGE : count;
  }

  /**
   * The whole body; an error in the message; or the transport's failure (0: the stream has ended before it), after which the
   * next call goes on. It lies in memory that the input or this reader uses again.
   */
  gather(deadline: number): Buffer | MessageError | number {
    const input = this.#input;
    if (this.isHere && (this.#gathered === undefined || this.#gathered.length === 0)) {
      // So it is in the usual case.
      if (this.isDone) return NO_BYTES;
      this.isDone = true;
      const { bytes, start } = input;
      input.use(this.#left);
      return bytes.subarray(start, start + this.#left);
    }
    this.#gathered ??= new ByteCollector();
    const gathered = this.#gathered;
    while (!this.isDone) {
      const wanted = this.#wanted(gathered.length);
      if (wanted === 0) {
        if (input.isLate(deadline)) return TOO_LATE;
        const count = input.fill(PIECE, deadline);
        if (count <= 0) return count;
        continue;
      }
      const room = gathered.room(wanted);
      const count = this.read(room, room.length, deadline);
      if (count instanceof MessageError) return count;
      if (count < 0 || (count === 0 && !this.isDone)) return count;
      gathered.length += count;
    }
    return gathered.bytes();
  }

  /**
   * How much room the next bytes want; 0 where that is not known before some have come. The memory grows with what has come (to
   * four times that at most), not with what the peer announced.
   */
  #wanted(gathered: number): number {
    const decoder = this.#decoder;
    const here = this.#input.end - this.#input.start;
    if (here > 0) return decoder === undefined ? Math.min(here, this.#left) : here;
    if (decoder !== undefined && decoder.dataLeft < PIECE) return 0;
    return Math.min(decoder?.dataLeft ?? this.#left, Math.max(PIECE, 3 * gathered));
  }

  /** Forgets what has gathered. Memory of more than `mostKept` bytes is given up. */
  forget(mostKept: number): void {
    if (this.#gathered === undefined) return;
    if (this.#gathered.capacity > mostKept) this.#gathered = undefined;
    else this.#gathered.length = 0;
  }
}
