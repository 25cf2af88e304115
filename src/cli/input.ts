import { fstatSync, readSync } from "node:fs";
import { Readable } from "node:stream";

/** Standard input cannot be read. This is an error of the system, not wrong usage. */
export class InputError extends Error {
  constructor(cause: unknown) {
    super(`standard input cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** Standard input as a stream. The caller must listen to its "error" event. Throws an InputError. */
export function standardInput(): Readable {
  try {
    const input: Readable = process.stdin; // this access opens it, and throws when that fails
    if (Object.getPrototypeOf(input) === Readable.prototype) refuseDummy();
    return input;
  } catch (thrown) {
    throw thrown instanceof InputError ? thrown : new InputError(thrown);
  }
}

/** Node replaces an input that it cannot read (a directory, a datagram socket) with a stream without any byte. */
function refuseDummy(): never {
  if (fstatSync(0).isDirectory()) readSync(0, Buffer.alloc(1)); // throws the system's own error, EISDIR (read(2))
  throw new InputError("it is neither a file, a pipe, a terminal nor a stream socket");
}

/** All bytes of standard input. Rejects with an InputError. */
export async function readInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of standardInput()) chunks.push(chunk);
  } catch (thrown) {
    throw thrown instanceof InputError ? thrown : new InputError(thrown);
  }
  return Buffer.concat(chunks);
}

/** Passes standard input on piece by piece, and knows how far it is. */
export class InputPump {
  readonly #input: Readable;
  readonly #isTerminal = process.stdin.isTTY === true;
  readonly #ended: Promise<string | null>;
  #end: (error: string | null) => void = () => {};
  #hasGiven = false;
  #isBroken = false;
  /** When the last piece was passed on. */
  #lastAt = 0;

  /**
   * `send` gets each piece and blocks until it is sent. `finish` is called once, at the end of standard input. Both return the
   * text of an error, or null. Nothing more is read after an error.
   */
  constructor(input: Readable, send: (bytes: Buffer) => string | null, finish: () => string | null) {
    this.#input = input;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    input.on("data", (bytes: Buffer) => {
      this.#hasGiven = true;
      const error = send(bytes);
      this.#lastAt = performance.now();
      if (error === null) return;
      this.#end(error);
      input.destroy();
    });
    input.on("end", () => this.#end(finish()));
    input.on("error", (error) => {
      this.#isBroken = true;
      this.#end(new InputError(error).message);
    });
  }

  /** Whether standard input has failed, and not `send`. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Resolves at the end of standard input: to null when all of it was sent, else to the text of an error. */
  get ended(): Promise<string | null> {
    return this.#ended;
  }

  /**
   * As `ended`, but waits at most `silence` milliseconds for the next piece. Silence is an error, because the caller could
   * think that all input was sent. It is null when there was no input, or at a terminal, where the user sees that the command
   * ends.
   */
  async endedOrSilent(silence: number): Promise<string | null> {
    const begun = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const silent = new Promise<string | null>((resolve) => {
      const look = (): void => {
        // A timer alone is not enough: its time also passes while `send` blocks, and it fires before the next piece is read.
        const left = Math.max(begun, this.#lastAt) + silence - performance.now();
        if (left > 0) timer = setTimeout(look, left);
        else resolve(this.#hasGiven && !this.#isTerminal ? CUT_SHORT : null);
      };
      look();
    });
    const error = await Promise.race([this.#ended, silent]);
    clearTimeout(timer);
    return error;
  }

  close(): void {
    this.#input.destroy();
  }
}

const CUT_SHORT = "the peer ended the connection before standard input was at its end";
