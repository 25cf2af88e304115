import type { Watcher } from "../../engine/owned-descriptor.ts";
import { type PollSet, READABLE } from "../../engine/poll-set.ts";
import type { Socket } from "../../engine/socket.ts";
import { error_code } from "../../error-code.ts";
import type { MakeStream } from "./serving.ts";

/** How long a listener rests after an accept that failed, in milliseconds. */
const REST = 100;
/** How many connections are accepted in one turn from a listener that no other thread accepts from. */
const MOST_IN_TURN = 16;

/** A listener that `http.serve` accepts from. */
export class ServedListener implements Watcher {
  readonly socket: Socket;
  readonly token: number;
  readonly makeStream: MakeStream;
  /** Until when no connection is accepted, on monotonicTime()'s clock; 0 while it does not rest. */
  restsUntil = 0;
  readonly #poll: PollSet;
  #isListening = false;

  constructor(poll: PollSet, socket: Socket, token: number, makeStream: MakeStream) {
    this.#poll = poll;
    this.socket = socket;
    this.token = token;
    this.makeStream = makeStream;
    socket.watch(this);
  }

  /** Whether connections can still come. */
  get open(): boolean {
    return this.socket.open && this.#isOpen;
  }
  #isOpen = true;

  /** Waits for connections from now on: 0, or minus an errno. */
  listen(): number {
    if (this.#isListening) return 0;
    const failure = this.#poll.add(this.socket, this.token, READABLE);
    this.#isListening = failure === 0;
    return failure;
  }

  /** Ends its rest, if that is over. */
  resume(now: number): void {
    if (this.restsUntil === 0 || now < this.restsUntil || !this.open) return;
    this.restsUntil = this.listen() < 0 ? now + REST : 0;
  }

  /**
   * Accepts connections that have arrived. Of a listener that several threads accept from, one at a time: so they share the
   * connections, and with them the work, evenly.
   */
  accept(now: number, admit: (socket: Socket, listener: ServedListener) => void): void {
    const most = this.socket.isShared ? 1 : MOST_IN_TURN;
    for (let count = 0; count < most && this.open; count++) {
      const made = this.socket.acceptNow();
      if (typeof made === "number") {
        this.#afterFailure(made, now);
        return;
      }
      admit(made, this);
    }
  }

  /** Accepts all connections that have arrived, `most` of them, and then ends. */
  acceptLast(most: number, admit: (socket: Socket, listener: ServedListener) => void): void {
    for (let count = 0; count < most && this.open; count++) {
      const made = this.socket.acceptNow();
      if (typeof made === "number") break;
      admit(made, this);
    }
    this.socket.close();
  }

  #afterFailure(failure: number, now: number): void {
    const { EAGAIN, EINTR, EINVAL, EBADF } = this.socket.sys.constants;
    if (failure === -EAGAIN || failure === -EINTR) return;
    // The peer has gone again (accept(2)).
    if (error_code(this.socket.reason(failure)) === "ECONNABORTED") return;
    this.#pause();
    // After shutdown(2) of a listener, whoever has called it, no connection comes any more.
    if (failure === -EINVAL || failure === -EBADF) this.#isOpen = false;
    // Mostly there is no free descriptor. The connection stays in the backlog (accept(2)), and each wait would end at once. Of
    // other errors, which are those of the network, nobody knows for how long they last.
    else this.restsUntil = now + REST;
  }

  #pause(): void {
    if (this.#isListening) this.#poll.remove(this.socket, READABLE);
    this.#isListening = false;
  }

  /** The end of serving: the listener is its owner's again. */
  letGo(): void {
    if (!this.socket.open) return;
    this.#pause();
    this.socket.unwatch(this);
  }

  beforeEnd(): void {
    this.#pause();
  }

  maybePending(): void {}
}
