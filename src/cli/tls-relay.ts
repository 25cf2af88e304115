import { parentPort } from "node:worker_threads";
import {
  error_code,
  type Interest,
  type Pollable,
  Poller,
  Result,
  TcpListener,
  TcpStream,
  type TlsConnectOptions,
  type TlsServerOptions,
  TlsStream,
  UnixStream,
} from "std-net";
import { writeOut } from "./output.ts";

/*
 * A TLS session belongs to one thread. So the worker has all of it, and reads what the main thread reads of standard input from a
 * local connection between the two. A Poller tells which of the two directions can go on.
 */

/** How the worker makes the session. */
export type TlsSession =
  | { readonly role: "client"; readonly address: string; readonly options: TlsConnectOptions }
  | { readonly role: "server"; readonly descriptor: number; readonly options: TlsServerOptions };

/** What the worker has to do. */
export interface TlsTask {
  readonly kind: "tls";
  readonly session: TlsSession;
  /** The worker's end of the local connection. */
  readonly input: number;
  readonly isUnix: boolean;
  /** How long the peer may be silent when all is sent, in milliseconds. */
  readonly silence: number;
}

/** What a worker tells the main thread of a direction that has ended. */
export interface Report {
  error: string | null;
  /** The reader of standard output has closed it. */
  nobodyReads?: true;
  /** Only the peer has ended: another report comes when all is sent. */
  goesOn?: true;
}

/** Two ends of a local connection: of a socket pair, or where the system has none, of one over the loopback interface. */
export function localPair(): Result<{ near: TcpStream | UnixStream; far: number; isUnix: boolean }, string> {
  const pair = UnixStream.pair();
  if (pair.isOk) {
    const [near, far] = pair.value;
    return far.into_fd().map((descriptor) => ({ near, far: descriptor, isUnix: true }));
  }
  return TcpListener.bind("127.0.0.1:0").andThen((listener) => {
    const near = listener.local_addr().andThen((address) => TcpStream.connect(address));
    const far = near.andThen(() => listener.accept());
    listener.close();
    return near.andThen((stream) =>
      far.andThen((other) => {
        // Another program could have been faster.
        if (other.peer_addr().unwrapOr("") !== stream.local_addr().unwrapOr("?")) {
          return Result.err("another program has connected to this one");
        }
        return other.into_fd().map((descriptor) => ({ near: stream, far: descriptor, isUnix: false }));
      }),
    );
  });
}

/** What the worker thread runs: it returns when both directions have ended, and reports when the peer's has. */
export function relay(task: TlsTask): Report {
  const session = connect(task.session);
  if (session.isErr) return { error: session.error };
  const input = (task.isUnix ? UnixStream : TcpStream).from_fd(task.input) as Result<
    UnixStream | TcpStream,
    string
  >;
  if (input.isErr) return { error: input.error };
  const poller = Poller.create();
  if (poller.isErr) return { error: poller.error };
  const report = new Relay(session.value, input.value, poller.value, task.silence).run();
  // The main thread may be blocked in a write that nobody reads any more.
  input.value.close();
  session.value.close();
  return report;
}

function connect(task: TlsSession): Result<TlsStream, string> {
  if (task.role === "client") return TlsStream.connect(task.address, task.options);
  return TcpStream.from_fd(task.descriptor).andThen((stream) => TlsStream.server(stream, task.options));
}

class Relay {
  readonly #peer: TlsStream;
  readonly #input: UnixStream | TcpStream;
  readonly #poller: Poller;
  readonly #silence: number;
  /** What was read of the input and not sent yet. */
  #unsent: Buffer = Buffer.alloc(0);
  #inputIsOpen = true;
  #hasInput = false;
  #peerIsOpen = true;

  /** `silence`: milliseconds. */
  constructor(peer: TlsStream, input: UnixStream | TcpStream, poller: Poller, silence: number) {
    this.#silence = silence;
    this.#peer = peer;
    this.#input = input;
    this.#poller = poller;
  }

  run(): Report {
    this.#peer.set_nonblocking(true);
    this.#input.set_nonblocking(true);
    this.#poller.add(this.#peer, { readable: true });
    this.#poller.add(this.#input, { readable: true });
    while (this.#peerIsOpen || this.#inputIsOpen || this.#unsent.length > 0) {
      // TLS has no half-closed connections that all peers understand, so a peer cannot be told that all is sent: silence then
      // ends it. A command that only receives waits for the peer's end.
      const isAllSent = !this.#inputIsOpen && this.#hasInput && this.#unsent.length === 0;
      const events = this.#poller.wait(isAllSent ? this.#silence : null);
      if (events.isErr) return { error: events.error };
      if (isAllSent && events.value.length === 0) return { error: null };
      for (const { socket, readable, writable, closed } of events.value) {
        const isPeer = socket === this.#peer;
        const end = isPeer && (readable || closed) && this.#peerIsOpen ? this.#receive() : null;
        if (end !== null) return end;
        if (!isPeer || writable) {
          const error = this.#send();
          if (error !== null) return { error };
        }
      }
    }
    return { error: null };
  }

  /** Prints what has come. Returns a report when nothing more can be done. */
  #receive(): Report | null {
    for (let turn = 0; turn < MOST_IN_TURN; turn++) {
      const bytes = this.#peer.read(PIECE);
      if (bytes.isErr) return error_code(bytes.error) === "EAGAIN" ? null : { error: bytes.error };
      if (bytes.value.length === 0) {
        this.#peerIsOpen = false;
        this.#watch();
        // The main thread sees to it that the rest of standard input comes, or that it does not take too long.
        if (this.#inputIsOpen) parentPort!.postMessage({ error: null, goesOn: true } satisfies Report);
        return null;
      }
      const end = writeOut(bytes.value);
      if (end === "closed") return { error: null, nobodyReads: true };
      if (end !== null) return { error: end.error };
    }
    return null;
  }

  /** Sends what standard input has given. Returns the text of an error, or null. */
  #send(): string | null {
    for (let turn = 0; turn < MOST_IN_TURN; turn++) {
      while (this.#unsent.length > 0) {
        const count = this.#peer.write(this.#unsent);
        if (count.isErr && error_code(count.error) !== "EAGAIN") return count.error;
        this.#unsent = this.#unsent.subarray(count.unwrapOr(0));
        if (count.isErr) break;
      }
      if (this.#unsent.length > 0) break;
      const bytes = this.#input.read(PIECE);
      if (bytes.isErr) {
        if (error_code(bytes.error) !== "EAGAIN") return bytes.error;
        break;
      }
      if (bytes.value.length === 0) {
        this.#inputIsOpen = false;
        break;
      }
      this.#unsent = bytes.value;
      this.#hasInput = true;
    }
    this.#watch();
    return null;
  }

  /** Waits for what can go on: while bytes are left to send, no more are read. */
  #watch(): void {
    const waits = this.#unsent.length > 0;
    this.#set(this.#peer, { readable: this.#peerIsOpen, writable: waits });
    this.#set(this.#input, { readable: this.#inputIsOpen && !waits });
  }

  /** What is of no interest is removed, because the poller tells of its end in any case, again and again. */
  #set(socket: Pollable, interest: Interest): void {
    if (!interest.readable && !interest.writable) this.#poller.remove(socket);
    else if (this.#poller.modify(socket, interest).isErr) this.#poller.add(socket, interest);
  }
}

const PIECE = 64 * 1024;
/** How many pieces go one way before the other direction gets its turn. */
const MOST_IN_TURN = 16;
