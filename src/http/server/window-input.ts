import { HeldBytes } from "../../engine/pushback.ts";
import type { Transport } from "../../engine/transport.ts";
import { Input } from "../message/input.ts";

/** The most that one client's turn receives, so that a client with a fast line delays no other. */
const MOST_IN_TURN = 256 * 1024;
/** What bytes that stay over are given at least. */
const SMALLEST = 1024;

/**
 * The input of one of many clients of a thread. It reads ahead, as much as has come, into a window that all of them share; so an idle
 * client takes no memory for it. Bytes that stay over (half a head, the next request) get memory of their own.
 */
export class WindowInput extends Input {
  readonly readsAhead = true;
  /** Whether the last bytes that came left room for more: then no more had come. */
  hadRoom = true;
  /** All bytes that have come so far. */
  received = 0;
  readonly #transport: Transport;
  readonly #window: Buffer;
  /** What a receive gives that would have to wait. */
  readonly #wouldWait: number;
  #left = MOST_IN_TURN;

  constructor(transport: Transport, window: Buffer, wouldWait: number) {
    super();
    this.#transport = transport;
    this.#window = window;
    this.#wouldWait = wouldWait;
  }

  /** Begins the client's turn. */
  beginTurn(): void {
    this.#left = MOST_IN_TURN;
  }

  /** Whether this turn has received what it may, so that more can be there. */
  get isTurnOver(): boolean {
    return this.#left <= 0;
  }

  get isEmpty(): boolean {
    return this.start === this.end;
  }

  fill(_most: number, deadline: number): number {
    if (this.isEmpty) {
      this.bytes = this.#window;
      this.start = 0;
      this.end = 0;
    } else if (this.bytes === this.#window || this.end === this.bytes.length) {
      this.#toOwnMemory();
    }
    const { bytes, end } = this;
    const count = this.#receive(end === 0 ? bytes : bytes.subarray(end), bytes.length - end, deadline);
    if (count > 0) this.end = end + count;
    return count;
  }

  receive(target: Uint8Array, length: number, deadline: number): number {
    return this.#receive(target, length, deadline);
  }

  #receive(target: Uint8Array, length: number, deadline: number): number {
    if (this.#left <= 0) return this.#wouldWait;
    const count = this.#transport.receive(target, length, deadline);
    this.hadRoom = count < length;
    if (count > 0) {
      this.received += count;
      this.#left -= count;
    }
    return count;
  }

  #toOwnMemory(): void {
    const { bytes, start, end } = this;
    const used = end - start;
    const own = Buffer.allocUnsafeSlow(Math.max(2 * used, SMALLEST));
    bytes.copy(own, 0, start, end);
    this.bytes = own;
    this.start = 0;
    this.end = used;
  }

  /** Before another client's turn: what is not used yet leaves the window. */
  leaveWindow(): void {
    if (!this.isEmpty) {
      if (this.bytes === this.#window) this.#toOwnMemory();
    } else if (this.bytes !== this.#window) {
      this.bytes = this.#window;
      this.start = 0;
      this.end = 0;
    }
  }

  /** Gives what is not used yet back to the stream, for others to read. */
  lend(): void {
    this.leaveWindow();
    if (this.isEmpty) return;
    this.#transport.hold(
      new HeldBytes(this.bytes.subarray(this.start, this.end), this.end - this.start, false),
    );
    this.start = this.end;
  }

  /** After `lend`: what nobody has read comes back, without a copy. */
  takeBack(): void {
    if (this.#transport.heldLength === 0) return;
    const held = this.#transport.takeHeld(1, Number.MAX_SAFE_INTEGER);
    if (held === null) return;
    this.bytes = held.memory!;
    this.start = 0;
    this.end = held.length;
  }

  /** What is not used yet stays here. */
  settle(): number {
    return 0;
  }

  finish(): number {
    return 0;
  }
}
