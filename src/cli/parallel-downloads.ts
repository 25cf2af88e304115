import { parentPort, Worker, workerData } from "node:worker_threads";
import { type Download, type Outcome, save } from "./download.ts";
import type { Progress } from "./progress.ts";

/*
 * Several downloads at once. Each is a blocking loop, so each has a worker thread. The main thread hands out the work, shows how far it
 * is, and hears signals.
 */

/** What a worker thread gets when it begins. */
export interface DownloadsTask {
  readonly kind: "downloads";
  /** Not 0 once the downloads are to stop. */
  readonly stop: Int32Array;
}

/** What a worker thread tells: how many bytes have come, or how a download has ended. */
type Report = { readonly bytes: number } | { readonly outcome: Outcome };

/** How long a worker may take to stop by itself, in milliseconds: it looks between two pieces. */
const STOP_TIME = 1000;

export interface Watcher {
  /** Called when bytes have come or a download has ended. */
  update(bytes: number, ended: number): void;
}

export class ParallelDownloads {
  readonly #downloads: readonly Download[];
  readonly #outcomes: (Outcome | undefined)[] = [];
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  readonly #workers: Worker[] = [];
  readonly #watcher: Watcher;
  #next = 0;
  #ended = 0;
  #bytes = 0;

  constructor(downloads: readonly Download[], watcher: Watcher) {
    this.#downloads = downloads;
    this.#watcher = watcher;
  }

  /** Gives an outcome for each download; undefined for those that were stopped and cannot tell. */
  async run(atOnce: number): Promise<readonly (Outcome | undefined)[]> {
    const workers = Array.from({ length: Math.min(atOnce, this.#downloads.length) }, () => this.#work());
    await Promise.all(workers);
    return this.#downloads.map((_, at) => this.#outcomes[at]);
  }

  stop(): void {
    Atomics.store(this.#stop, 0, 1);
    setTimeout(() => {
      for (const worker of this.#workers) worker.terminate();
    }, STOP_TIME).unref();
  }

  /** A worker that takes one download after the other; resolves at its end. */
  #work(): Promise<void> {
    const task: DownloadsTask = { kind: "downloads", stop: this.#stop };
    const worker = new Worker(new URL(import.meta.url), { workerData: task });
    this.#workers.push(worker);
    let at = -1;
    const goOn = (): void => {
      if (this.#next >= this.#downloads.length || Atomics.load(this.#stop, 0) !== 0) {
        worker.terminate();
        return;
      }
      at = this.#next++;
      worker.postMessage(this.#downloads[at]);
    };
    worker.on("message", (report: Report) => {
      if ("outcome" in report) {
        this.#outcomes[at] = report.outcome;
        this.#ended++;
        goOn();
      } else {
        this.#bytes += report.bytes;
      }
      this.#watcher.update(this.#bytes, this.#ended);
    });
    return new Promise((resolve, reject) => {
      worker.on("exit", () => resolve());
      worker.on("error", reject);
      goOn();
    });
  }
}

/** What a worker thread runs. */
export function downloadInWorker(): void {
  const { stop } = workerData as DownloadsTask;
  const port = parentPort!;
  const isWanted = () => Atomics.load(stop, 0) !== 0;
  let seen = 0;
  const update = (done: number): void => {
    if (done > seen) port.postMessage({ bytes: done - seen } satisfies Report);
    seen = done;
  };
  const progress: Progress = {
    begin(_total, done) {
      seen = done;
    },
    update,
    end() {},
  };
  const wish = {
    get isWanted() {
      return isWanted();
    },
  };
  port.on("message", async (download: Download) => {
    const outcome = await save(download, progress, wish);
    port.postMessage({ outcome } satisfies Report);
  });
}
