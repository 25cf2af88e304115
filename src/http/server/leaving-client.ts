import { lastingBuffer } from "../../engine/scratch.ts";
import type { Socket } from "../../engine/socket.ts";

/** How long a client may be silent after its last response, and how long it may go on sending in all, in milliseconds. */
const SILENCE = 5000;
const LONGEST = 10_000;
/** How many bytes it may send in that time. */
const MOST_DROPPED = 256 * 1024 * 1024;
/** How many pieces are dropped in one turn. */
const MOST_DROPS = 16;

let sink: Buffer | undefined;

/** A client whose last response is out, and whose bytes are dropped until it ends its side too. */
export class LeavingClient {
  readonly #socket: Socket;
  readonly #end: number;
  #until: number;
  #dropped = 0;

  constructor(socket: Socket, now: number) {
    this.#socket = socket;
    this.#end = now + LONGEST;
    this.#until = now + SILENCE;
  }

  /** Drops what has come. Gives when the client must have ended or sent more; null when it is over. */
  drop(now: number): number | null {
    const socket = this.#socket;
    sink ??= lastingBuffer(64 * 1024);
    for (let drops = 0; drops < MOST_DROPS; drops++) {
      const count = socket.receive(sink, sink.length, 0);
      if (count < 0 && socket.wouldBlock(count)) break;
      if (count > 0) this.#dropped += count;
      if (count <= 0 || this.#dropped > MOST_DROPPED) return null;
      this.#until = Math.min(now + SILENCE, this.#end);
    }
    return this.#until;
  }
}
