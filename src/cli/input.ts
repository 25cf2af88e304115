import { fstatSync, readSync } from "node:fs";
import { Readable } from "node:stream";

/** Standard input cannot be read: an error of the system, and not of what was typed. */
export class InputError extends Error {
  constructor(cause: unknown) {
    super(`standard input cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** Standard input as a stream; its "error" event still has to be listened to. Throws an InputError. */
export function standardInput(): Readable {
  try {
    const input: Readable = process.stdin; // made by this very access, which throws what opening it throws
    if (Object.getPrototypeOf(input) === Readable.prototype) refuseDummy();
    return input;
  } catch (thrown) {
    throw thrown instanceof InputError ? thrown : new InputError(thrown);
  }
}

/** Node replaces what it cannot read (a directory, a datagram socket) by a stream without any byte. */
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

/** Hands on what standard input gives, piece by piece, and knows how far it has come. */
export class InputPump {
  readonly #input: Readable;
  readonly #isTerminal = process.stdin.isTTY === true;
  readonly #ended: Promise<string | null>;
  #end: (error: string | null) => void = () => {};
  #hasGiven = false;
  #isBroken = false;
  /** When the last piece had been handed on. */
  #lastAt = 0;

  /**
   * `send` gets each piece and blocks until it is sent; `finish` is called once, at the end of standard input. Both give the
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

  /** Whether it was standard input that failed, and not `send`. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Settles when standard input is at its end, and all of it was sent: null. Or with the text of an error. */
  get ended(): Promise<string | null> {
    return this.#ended;
  }

  /**
   * As `ended`, but waits no longer than `silence` milliseconds for the next piece. Then it is null where nobody can take the
   * input for sent: when there was none, or when somebody at a terminal sees the command end. Else it is an error.
   */
  async endedOrSilent(silence: number): Promise<string | null> {
    const begun = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const silent = new Promise<string | null>((resolve) => {
      const look = (): void => {
        // A timer alone would not do: it also runs while `send` blocks, and fires before the next piece is read.
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
