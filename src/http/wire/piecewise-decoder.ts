/**
 * Content codings undone piece by piece (RFC 9110, 8.4), in constant memory. content-coding.ts undoes those of a body that is
 * there as a whole, with the same errors. Pure.
 */
import { Failure } from "../../error.ts";
import { MOST_CONTENT_CODINGS } from "./limits.ts";
import { ZlibEngine } from "./zlib-engine.ts";
import { ZstdFrames } from "./zstd.ts";

/** How much lies between two codings at once. */
const BETWEEN = 64 * 1024;

const NO_BYTES = Buffer.alloc(0);

/** One coding undone. */
abstract class Stage {
  readonly coding: string;
  /** The bytes to decode: those from `start` to `end`. */
  input: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  /** Whether more may come out without any input: the last call has filled its output. */
  #mayHaveMore = false;
  #hasBegun = false;

  constructor(coding: string) {
    this.coding = coding;
  }

  feed(input: Uint8Array, start: number, end: number): void {
    this.input = input;
    this.start = start;
    this.end = end;
    if (start < end) this.#hasBegun = true;
  }

  /** Whether there is something to go on with. */
  get isReady(): boolean {
    return this.start < this.end || this.#mayHaveMore;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Decodes up to `length` bytes, to the start of `output`: how many, perhaps none. */
  run(output: Uint8Array, length: number): number | Failure {
    const made = this.decode(output, length);
    this.#mayHaveMore = made === length;
    return made;
  }

  protected abstract decode(output: Uint8Array, length: number): number | Failure;

  /** Why the data is not whole, if it is not. */
  abstract finish(): Failure | undefined;

  abstract close(): void;

  protected undecodable(): Failure {
    return new Failure(`response body does not decode as ${this.coding}`);
  }

  protected goesOn(): Failure {
    return new Failure(`response body goes on after its ${this.coding} data`);
  }
}

/** A coding whose decoder itself notices where the data ends: gzip, deflate and br. */
class SelfEnding extends Stage {
  protected engine: ZlibEngine;
  readonly #isPadded: boolean;
  #hasEnded = false;

  constructor(coding: string, engine: ZlibEngine, isPadded: boolean) {
    super(coding);
    this.engine = engine;
    this.#isPadded = isPadded;
  }

  protected override decode(output: Uint8Array, length: number): number | Failure {
    if (this.#hasEnded) return this.#skipPadding() ?? 0;
    const { engine } = this;
    if (!engine.write(this.input, this.start, this.end, output, length)) return this.undecodable();
    this.start += engine.used;
    const { made } = engine;
    // A decoder that has room and leaves bytes has come to the end of its data.
    if (made === length || this.start === this.end) return made;
    this.#hasEnded = true;
    return this.#skipPadding() ?? made;
  }

  /** Zero bytes may follow: see isPadded() in content-coding.ts. */
  #skipPadding(): Failure | undefined {
    const { input, end } = this;
    if (!this.#isPadded) return this.goesOn();
    for (let at = this.start; at < end; at++) if (input[at] !== 0) return this.goesOn();
    this.start = end;
    return undefined;
  }

  override finish(): Failure | undefined {
    return this.#hasEnded || this.engine.finish() ? undefined : this.undecodable();
  }

  override close(): void {
    this.engine.close();
  }
}

/** RFC 9110, 8.4.1.2: the zlib format; some servers send the bare deflate data in it. The first two bytes tell. */
class Deflate extends SelfEnding {
  /** The first byte, while the second has not come. */
  #first: Uint8Array | null = null;
  #isKnown = false;

  protected override decode(output: Uint8Array, length: number): number | Failure {
    if (this.#isKnown || this.start === this.end) return super.decode(output, length);
    const { input, start, end } = this;
    const held = this.#first;
    if (held === null && end - start === 1) {
      this.#first = Uint8Array.of(input[start]!);
      this.start = end;
      return 0;
    }
    const [one, two] = held === null ? [input[start]!, input[start + 1]!] : [held[0]!, input[start]!];
    this.#isKnown = true;
    // RFC 1950, 2.2: the method is 8, and the first two bytes are a multiple of 31.
    if ((one & 0x0f) !== 8 || ((one << 8) | two) % 31 !== 0) {
      const raw = ZlibEngine.create("InflateRaw");
      if (raw === null) return this.undecodable();
      this.engine.close();
      this.engine = raw;
    }
    // One byte makes none.
    if (held !== null && !this.engine.write(held, 0, 1, output, length)) return this.undecodable();
    return super.decode(output, length);
  }
}

/** Frames of zstd: their end is where ZstdFrames finds it. */
class Zstd extends Stage {
  readonly #engine: ZlibEngine;
  readonly #frames = new ZstdFrames();
  /** The end of the bytes in the input that belong to the present frame. */
  #frameEnd = 0;
  #hasFrame = false;

  constructor(coding: string, engine: ZlibEngine) {
    super(coding);
    this.#engine = engine;
  }

  override feed(input: Uint8Array, start: number, end: number): void {
    super.feed(input, start, end);
    this.#frameEnd = start;
  }

  protected override decode(output: Uint8Array, length: number): number | Failure {
    const { input, end } = this;
    if (this.start === this.#frameEnd && this.start < end) {
      const frameEnd = this.#frames.follow(input, this.start, end);
      if (frameEnd < 0) return this.#hasFrame ? this.goesOn() : this.undecodable();
      this.#frameEnd = frameEnd;
      this.#hasFrame ||= this.#frames.isBetween;
    }
    const engine = this.#engine;
    if (!engine.write(input, this.start, this.#frameEnd, output, length)) return this.#broken();
    // A decoder that takes nothing and makes nothing, with room and bytes left, does not agree about where the frame ends.
    if (engine.used + engine.made === 0 && this.start < this.#frameEnd) return this.#broken();
    this.start += engine.used;
    return engine.made;
  }

  override finish(): Failure | undefined {
    return this.#hasFrame && this.#frames.isBetween ? undefined : this.#broken();
  }

  #broken(): Failure {
    return this.#hasFrame && this.#frames.isInMagic ? this.goesOn() : this.undecodable();
  }

  override close(): void {
    this.#engine.close();
  }
}

/** The stage of one coding, or null where the runtime cannot undo it piece by piece. */
function stageOf(coding: string): Stage | null {
  switch (coding) {
    case "gzip":
    case "x-gzip": {
      const engine = ZlibEngine.create("Gunzip");
      return engine && new SelfEnding(coding, engine, true);
    }
    case "deflate": {
      const engine = ZlibEngine.create("Inflate");
      return engine && new Deflate(coding, engine, true);
    }
    case "br": {
      const engine = ZlibEngine.create("BrotliDecompress");
      return engine && new SelfEnding(coding, engine, false);
    }
    case "zstd": {
      const engine = ZlibEngine.create("ZstdDecompress");
      return engine && new Zstd(coding, engine);
    }
    default:
      return null;
  }
}

/** The codings that a server may be asked for, where the body is read piece by piece. */
export function piecewiseCodings(): readonly string[] {
  known ??= ["gzip", "deflate", "br", "zstd"].filter((coding) => {
    const stage = stageOf(coding);
    stage?.close();
    return stage !== null;
  });
  return known;
}

let known: readonly string[] | undefined;

/** Undoes the codings of one body. */
export class PiecewiseDecoder {
  /** In the order in which they are undone. */
  readonly #stages: readonly Stage[];
  /** What lies before each stage but the first. */
  readonly #between: readonly Buffer[];

  private constructor(stages: readonly Stage[]) {
    this.#stages = stages;
    this.#between = stages.slice(1).map(() => Buffer.allocUnsafeSlow(BETWEEN));
  }

  /** For codings in the order in which they were applied; or why it cannot be. */
  static create(codings: readonly string[]): PiecewiseDecoder | Failure {
    if (codings.length > MOST_CONTENT_CODINGS) return new Failure("too many content codings");
    const stages: Stage[] = [];
    for (let index = codings.length - 1; index >= 0; index--) {
      const stage = stageOf(codings[index]!);
      if (stage === null) {
        for (const made of stages) made.close();
        return new Failure(`unknown content coding '${codings[index]}'`);
      }
      stages.push(stage);
    }
    return new PiecewiseDecoder(stages);
  }

  /** Whether it can go on; else it needs a `feed`. */
  get isReady(): boolean {
    return this.#stages.some((stage) => stage.isReady);
  }

  /** Gives it the next bytes of the body, when it is not ready. They stay where they are until it is not ready again. */
  feed(input: Uint8Array, start: number, end: number): void {
    this.#stages[0]!.feed(input, start, end);
  }

  /**
   * Decodes, in one step, up to `length` bytes to the start of `output`: how many, perhaps none although it is ready to go on; or
   * why not. Each step takes a bounded time, whatever the data.
   */
  decode(output: Uint8Array, length: number): number | Failure {
    const stages = this.#stages;
    for (let index = stages.length - 1; index >= 0; index--) {
      const stage = stages[index]!;
      if (!stage.isReady) continue;
      if (index === stages.length - 1) return stage.run(output, length);
      const between = this.#between[index]!;
      const made = stage.run(between, between.length);
      if (made instanceof Failure) return made;
      stages[index + 1]!.feed(between, 0, made);
      return 0;
    }
    return 0;
  }

  /** At the body's end, when it is not ready: why the data is not whole, if it is not. An empty body is whole. */
  finish(): Failure | undefined {
    if (!this.#stages[0]!.hasBegun) return undefined;
    for (const stage of this.#stages) {
      const failure = stage.finish();
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  /** Gives its memory back. It is not to be used any more. */
  close(): void {
    for (const stage of this.#stages) stage.close();
  }
}
