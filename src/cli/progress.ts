import type { SingleBar } from "cli-progress";
import { printable } from "./command.ts";

/** What a transfer tells while it goes on. */
export interface Progress {
  /** `total` is null where the server does not say how much it is. */
  begin(total: number | null, done: number): void;
  update(done: number): void;
  end(): void;
}

/** Where nobody looks on: standard error is no terminal. */
const noProgress: Progress = { begin() {}, update() {}, end() {} };

/** A bar on standard error, when that is a terminal. The bar itself is cli-progress's, loaded when there is one to show. */
export async function progressFor(name: string): Promise<Progress> {
  if (process.stderr.isTTY !== true) return noProgress;
  const { default: bars } = await import("cli-progress");
  const meter = new Meter(printable(name));
  const bar: SingleBar = new bars.SingleBar({
    stream: process.stderr,
    // The formatter is called at each redraw. cli-progress has no rate, and no way to leave out a total.
    format: (options, { progress }) => meter.line(bars.Format.BarFormat(progress, options)),
    barsize: 24,
    barCompleteChar: "#",
    barIncompleteChar: "-",
    hideCursor: true,
    // The thread is blocked in a read most of the time, and its timers with it: the bar is drawn by `update` as well.
    synchronousUpdate: true,
    fps: 5,
  });
  return {
    begin(total, done) {
      meter.begin(total, done);
      bar.start(total ?? 0, done);
    },
    update(done) {
      meter.update(done);
      bar.update(done);
    },
    end: () => bar.stop(),
  };
}

export interface Count {
  /** So many bytes have come, and so many files have ended. */
  update(bytes: number, ended: number): void;
  end(): void;
}

/** A bar for several files together. Their sizes are not known before each has begun, so it counts the files. */
export async function countFor(total: number): Promise<Count> {
  if (process.stderr.isTTY !== true) return { update() {}, end() {} };
  const { default: bars } = await import("cli-progress");
  const meter = new Meter("");
  meter.begin(null, 0);
  let ended = 0;
  const bar = new bars.SingleBar({
    stream: process.stderr,
    format: (options, { progress }) =>
      `[${bars.Format.BarFormat(progress, options)}] ${ended} of ${total} files,${meter.line("")}`,
    barsize: 24,
    barCompleteChar: "#",
    barIncompleteChar: "-",
    hideCursor: true,
    fps: 5,
  });
  bar.start(total, 0);
  return {
    update(bytes, files) {
      ended = files;
      meter.update(bytes);
      bar.update(files);
    },
    end: () => bar.stop(),
  };
}

/** How fast something grows, from what it was in the last seconds. */
export class Meter {
  readonly #name: string;
  readonly #now: () => number;
  #total: number | null = null;
  #done = 0;
  /** When how much was done: at most one a time of SAMPLE_TIME, the oldest first. */
  #samples: { readonly at: number; readonly done: number }[] = [];

  /** `now` gives milliseconds. */
  constructor(name: string, now: () => number = () => performance.now()) {
    this.#name = name;
    this.#now = now;
  }

  begin(total: number | null, done: number): void {
    this.#total = total;
    this.#done = done;
    this.#samples = [{ at: this.#now(), done }];
  }

  update(done: number): void {
    this.#done = done;
    const at = this.#now();
    if (at - this.#samples.at(-1)!.at < SAMPLE_TIME) return;
    this.#samples.push({ at, done });
    // One sample older than the window stays, from which the rate is measured.
    while (this.#samples.length > 2 && this.#samples[1]!.at < at - WINDOW) this.#samples.shift();
  }

  /** `name [####----] 45% 1.2 of 2.7 MiB, 512 KiB/s, 3 s left` */
  line(bar: string): string {
    const { at, done } = this.#samples[0]!;
    const elapsed = this.#now() - at;
    const rate = elapsed > 0 ? ((this.#done - done) * 1000) / elapsed : 0;
    const speed = `${sizeText(rate)}/s`;
    const total = this.#total;
    if (total === null) return `${this.#name} ${sizeText(this.#done)}, ${speed}`;
    const percentage = total === 0 ? 100 : Math.floor((100 * this.#done) / total);
    const left = total - this.#done;
    const time = left === 0 ? "done" : rate > 0 ? `${timeText(left / rate)} left` : "waiting";
    const size = `${sizeText(this.#done)} of ${sizeText(total)}`;
    return `${this.#name} [${bar}] ${percentage}% ${size}, ${speed}, ${time}`;
  }
}

/** Milliseconds. */
const SAMPLE_TIME = 200;
const WINDOW = 5000;

export function sizeText(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1023.95 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${unit === 0 ? Math.round(size) : size.toFixed(1)} ${UNITS[unit]}`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `75 s`, `3 min 20 s`, `2 h 5 min` */
export function timeText(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 100) return `${whole} s`;
  if (whole < 6000) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
