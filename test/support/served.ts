// A server on http.serve in a process of its own, and clients that say exactly what a test wants them to.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { node, type Peer } from "./peer.ts";

export interface Served {
  readonly server: Peer;
  readonly port: number;
  readonly url: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Serves with a handler and options that are given as JavaScript; `net` and `listener` are there for it. `before` runs first. At its
 * end the program prints `ended ` and the result.
 */
export async function served(handler: string, options = "{}", before = ""): Promise<Served> {
  const server = node(`
    const listener = net.TcpListener.bind("127.0.0.1:0").unwrap();
    ${before}
    console.log(listener.local_addr().unwrap().split(":").at(-1));
    console.log("ended " + net.http.serve(listener, ${handler}, ${options}));`);
  const port = Number(await server.line());
  return {
    server,
    port,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A client that keeps all it has received as text. */
export class RawClient {
  readonly socket: Socket;
  text = "";
  /** Whether the server has ended its side, and whether the connection was reset. */
  ended = false;
  error: Error | null = null;
  #wake = (): void => {};

  /** To a port, or to the path of a Unix socket. */
  constructor(to: number | string) {
    const target = typeof to === "number" ? { port: to, host: "127.0.0.1" } : { path: to };
    this.socket = connect({ ...target, allowHalfOpen: true });
    this.socket.setNoDelay(true);
    this.socket.setEncoding("latin1");
    this.socket.on("data", (text) => {
      this.text += text;
      this.#wake();
    });
    this.socket.on("end", () => {
      this.ended = true;
      this.#wake();
    });
    this.socket.on("error", (error) => {
      this.error = error;
      this.#wake();
    });
  }

  static async open(to: number | string): Promise<RawClient> {
    const client = new RawClient(to);
    await once(client.socket, "connect");
    return client;
  }

  write(text: string | Uint8Array): void {
    this.socket.write(text);
  }

  /** Waits until this is true, at most `limit` milliseconds. */
  async until(isSo: () => boolean, limit = 15_000): Promise<void> {
    const end = performance.now() + limit;
    while (!isSo()) {
      const left = end - performance.now();
      if (left <= 0) throw new Error(`it never came; so far: ${JSON.stringify(this.text)} ${this.error}`);
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, left);
      });
      clearTimeout(timer);
    }
  }

  get statuses(): number[] {
    return [...this.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)]
      .map(([, status]) => Number(status))
      .filter((n) => n >= 200);
  }

  /** Waits until the server has ended its side. */
  async end(): Promise<string> {
    await this.until(() => this.ended || this.error !== null);
    if (this.error !== null) throw this.error;
    return this.text;
  }

  close(): void {
    this.socket.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Sends a text on a connection of its own, and gives all that comes back until the server ends it. */
export async function said(to: number | string, text: string | Uint8Array): Promise<string> {
  using client = await RawClient.open(to);
  client.write(text);
  return await client.end();
}
