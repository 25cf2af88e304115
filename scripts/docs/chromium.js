// Headless Chromium, driven over a pipe by the DevTools protocol (chromedevtools.github.io/devtools-protocol): messages of JSON that a
// NUL ends, on descriptors 3 and 4.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @import { Readable, Writable } from "node:stream" */

/** The command that starts Chromium here; undefined where there is none. */
export function findChromium() {
  return ["chromium", "chromium-browser", "google-chrome"].find(
    (name) => spawnSync(name, ["--version"]).status === 0,
  );
}

export class Chromium {
  #profile = mkdtempSync(join(tmpdir(), "std-net-chromium-"));
  #child;
  #lastId = 0;
  #session = "";
  /** @type {Map<number, { done: (result: any) => void, failed: (error: Error) => void }>} */
  #waiting = new Map();
  /** @type {Map<string, () => void>} */
  #events = new Map();
  /** What pages have said on the console, or thrown, since this was emptied. @type {string[]} */
  problems = [];

  /** @param {string} command */
  constructor(command) {
    const flags = [
      ...[
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-quic",
        "--hide-scrollbars",
      ],
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
      ...[
        "--allow-file-access-from-files",
        `--user-data-dir=${this.#profile}`,
        "--remote-debugging-pipe",
        "about:blank",
      ],
    ];
    this.#child = spawn(command, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    let text = "";
    /** @type {Readable} */ (this.#child.stdio[4])
      .setEncoding("utf8")
      .on("data", (/** @type {string} */ chunk) => {
        const messages = (text + chunk).split("\0");
        text = messages.pop() ?? "";
        for (const message of messages) this.#receive(JSON.parse(message));
      });
    this.#child.on("exit", (code) => {
      for (const { failed } of this.#waiting.values()) failed(new Error(`Chromium has ended: ${code}`));
    });
  }

  /** @param {any} message */
  #receive({ id, result, error, method, params }) {
    if (id !== undefined) {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error !== undefined) waiting?.failed(new Error(error.message));
      else waiting?.done(result);
      return;
    }
    if (method === "Runtime.exceptionThrown") {
      this.problems.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    }
    if (method === "Log.entryAdded" && params.entry.level === "error") {
      this.problems.push(`${params.entry.text} ${params.entry.url ?? ""}`);
    }
    this.#events.get(method)?.();
  }

  /**
   * @param {string} method
   * @param {object} [params]
   * @returns {Promise<any>}
   */
  send(method, params = {}) {
    const id = ++this.#lastId;
    const message = { id, method, params, ...(this.#session === "" ? {} : { sessionId: this.#session }) };
    /** @type {Writable} */ (this.#child.stdio[3]).write(`${JSON.stringify(message)}\0`);
    return new Promise((done, failed) => this.#waiting.set(id, { done, failed }));
  }

  /** The one page that all is done with. */
  async start() {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    this.#session = sessionId;
    for (const domain of ["Page", "Runtime", "Log"]) await this.send(`${domain}.enable`);
  }

  /** @param {string} url */
  async open(url) {
    this.problems = [];
    /** @type {Promise<void>} */
    const loaded = new Promise((done) => this.#events.set("Page.loadEventFired", () => done()));
    const limit = AbortSignal.timeout(30_000);
    const late = new Promise((_, failed) => limit.addEventListener("abort", () => failed(limit.reason)));
    await this.send("Page.navigate", { url });
    await Promise.race([loaded, late]);
    late.catch(() => {});
  }

  /**
   * What an expression comes to in the page, promises included.
   *
   * @param {string} expression
   */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      ...{ expression, awaitPromise: true, returnByValue: true },
    });
    if (exceptionDetails !== undefined)
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  async end() {
    const ended = new Promise((done) => this.#child.once("exit", done));
    this.#child.kill();
    await ended;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
