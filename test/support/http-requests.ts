// Requests of http.request, and what arrived of them at a RawServer.
import assert from "node:assert/strict";
import * as net from "std-net";
import { ok } from "./peer.ts";

/** A response whose body is the request as it came. */
export const SEEN = "HTTP/1.1 200 OK\r\n\r\n{request}";

export function get(url: string, more: object = {}) {
  return net.http.request({ method: "GET", url, ...more });
}

/** The request as it arrived, where the URL leads to SEEN in the end. */
export function arrived(request: object): string {
  const response = ok(net.http.request({ method: "GET", url: "", decode_body: "text", ...request }));
  assert.equal(response.status, 200);
  return Buffer.from(String(response.body), "base64").toString("latin1");
}
