import { writeSync } from "node:fs";
import { isClosedOutput } from "./closed-output.ts";
import { printable } from "./command.ts";

/** How writing to standard output has ended: null while it goes on, "closed" when nobody reads it, else why it failed. */
export type OutputEnd = null | "closed" | { readonly error: string };

/**
 * Writes bytes to standard output at once, also from a worker thread and while the event loop is blocked. (process.stdout may keep
 * them until the event loop runs.)
 */
export function writeOut(bytes: Uint8Array): OutputEnd {
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(1, bytes, written);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      // The reader has stopped: `std-net tcp ... | head -1`.
      if (isClosedOutput(error)) return "closed";
      if (code !== "EAGAIN") return { error: message };
      // The pipe is full, and another process has put it into non-blocking mode. Give the reader a moment.
      Atomics.wait(moment, 0, 0, 5);
    }
  }
  return null;
}

const moment = new Int32Array(new SharedArrayBuffer(4));

/** Where a response's body goes. */
export interface Output {
  write(bytes: Uint8Array): OutputEnd;
  finish(): void;
}

/** Standard output when it is no terminal: the bytes as they are. */
export const plainOutput: Output = { write: writeOut, finish() {} };

/** A terminal: a stranger's text, with which nobody controls it. Bytes that are no text are refused. */
export class TerminalOutput implements Output {
  readonly #decoder = new TextDecoder();
  readonly #stream: NodeJS.WriteStream;
  #last = "\n";

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  write(bytes: Uint8Array): OutputEnd {
    if (bytes.includes(0)) return { error: "the body is not text: save it with -o FILE, or pipe it on" };
    this.#show(this.#decoder.decode(bytes, { stream: true }));
    return null;
  }

  /** The prompt of the shell comes on a line of its own. */
  finish(): void {
    this.#show(this.#decoder.decode());
    if (this.#last !== "\n") this.#show("\n");
  }

  #show(text: string): void {
    if (text === "") return;
    this.#last = text.at(-1)!;
    // A line may end with CR LF, and the two can come in two pieces.
    this.#stream.write(text.replaceAll("\r\n", "\n").replaceAll(/[^\n\t]+/g, printable));
  }
}

/** Passes whole lines on, each as soon as it has come, so that the lines of several responses do not mix. */
export class LineOutput implements Output {
  readonly #output: Output;
  #rest: Buffer = Buffer.alloc(0);

  constructor(output: Output) {
    this.#output = output;
  }

  write(bytes: Uint8Array): OutputEnd {
    const all = Buffer.concat([this.#rest, bytes]);
    const length = all.length > LONGEST_HELD ? all.length : all.lastIndexOf(LF) + 1;
    this.#rest = all.subarray(length);
    return length === 0 ? null : this.#output.write(all.subarray(0, length));
  }

  finish(): void {
    if (this.#rest.length > 0) this.#output.write(this.#rest);
    this.#output.finish();
  }
}

const LF = 0x0a;
/** A line that is longer is not held back, so memory has a bound. */
const LONGEST_HELD = 1024 * 1024;
