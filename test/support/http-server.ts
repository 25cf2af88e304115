// A listener, and connections to it, for the tests of what an HTTP server reads and writes.
import * as net from "std-net";
import { reason } from "../support/system-errors.ts";
import { ok } from "./peer.ts";

export const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
export const address = ok(listener.local_addr());

/** Both ends of a connection, closed when the body is done. */
export function connected<T>(body: (client: net.TcpStream, server: net.TcpStream) => T): T {
  const client = ok(net.TcpStream.connect(address));
  const server = ok(listener.accept());
  try {
    return body(client, server);
  } finally {
    client.close();
    server.close();
  }
}

/** Writes all of it, text as one byte for each character. */
export function writeAll(stream: net.TcpStream, data: string | Uint8Array): void {
  let rest = typeof data === "string" ? Buffer.from(data, "latin1") : data;
  while (rest.length > 0) rest = rest.subarray(ok(stream.write(rest)));
}

/** Everything up to the end of the stream. */
export function readToEnd(stream: net.TcpStream): string {
  let text = "";
  for (;;) {
    const bytes = ok(stream.read(65536));
    if (bytes.length === 0) return text;
    text += bytes.toString("utf8");
  }
}

// Requests

export const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
export const bigGet = (tail: string) =>
  `GET / HTTP/1.1\r\nHost: x\r\nBig: ${"y".repeat(20_000)}\r\n\r\n${tail}`;
export const post = (body: string, lines = "") =>
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body, "latin1")}\r\n${lines}\r\n${body}`;
export const chunked = (body: string) =>
  `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;

// What the server makes of them

export type Request = net.http.ServerRequest;

export const AGAIN = `http read failed: ${reason("EAGAIN")}`;

/**
 * The next result that is not EAGAIN. What was written may still wait in the client's socket for an
 * acknowledgement (Nagle's algorithm), also on loopback.
 */
export function eventually(server: net.TcpStream): ReturnType<typeof net.http.read_request> {
  for (const limit = performance.now() + 10_000; ; ) {
    const result = net.http.read_request(server);
    if (result.isOk || result.error !== AGAIN || performance.now() > limit) return result;
  }
}

/** What read_request makes of these bytes and the end of the stream. */
export function received(
  data: string | Uint8Array,
  options?: net.http.ReadRequestOptions,
): ReturnType<typeof net.http.read_request> {
  return connected((client, server) => {
    writeAll(client, data);
    client.close();
    return net.http.read_request(server, options);
  });
}

/** The request that read_request makes of these bytes. */
export function request(data: string | Uint8Array, options?: net.http.ReadRequestOptions): Request {
  return ok(received(data, options));
}
