// A server without manners, in a child process: what it sends is what the request's own path asks for.
import { nodeFile, type Peer } from "./peer.ts";

/**
 * What the server does with a request, step after step:
 * a string is sent as it is (one byte for each character; `{connection}`, `{exchange}` and `{request}` stand for the number
 * of the connection, the request's number on it, and the request as it came, in base64); a number is a wait in milliseconds;
 * `slowly` sends byte by byte, `flood` without end; `<end>` ends the stream, `<reset>` resets the connection, after `<deaf>` nothing
 * is read any more; `<early>` does not wait for the body. `first` is for a connection's first request, `later` for the others.
 */
export type Step =
  | "<early>"
  | "<end>"
  | "<reset>"
  | "<deaf>"
  | string
  | number
  | { slowly: string }
  | { flood: string }
  | { first: Step[]; later: Step[] };

export interface RawServer {
  readonly port: string;
  /** The URL under which the server does this. */
  url(...steps: Step[]): string;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function rawServer(): Promise<RawServer> {
  const peer: Peer = nodeFile("raw-server.mjs");
  const port = await peer.line();
  return {
    port,
    url: (...steps) =>
      `http://127.0.0.1:${port}/script/${Buffer.from(JSON.stringify(steps)).toString("base64url")}`,
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  };
}
