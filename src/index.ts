/// <reference types="node" preserve="true" />
// The line above is for programs whose tsconfig.json names no types, which is what `tsc --init` writes: without it a Buffer
// that comes out would be `any` there.

/**
 * Blocking sockets and blocking HTTP: calls that return a value or an error, on real system calls.
 *
 * @module std-net
 */
import { Poller } from "./poller.ts";
import { TcpListener, TcpStream } from "./tcp.ts";
import { TlsStream } from "./tls.ts";
import { traceClasses } from "./trace.ts";
import { UdpSocket } from "./udp.ts";
import { UnixDatagram, UnixListener, UnixStream } from "./unix.ts";

export type { Result } from "true-myth/result";
export type { Unit } from "true-myth/unit";
export type { TcpBindOptions, UdpBindOptions, UnixBindOptions } from "./bind-options.ts";
export type { Bytes } from "./bytes.ts";
export { error_code } from "./error.ts";
export * as http from "./http/index.ts";
export type { Json } from "./json.ts";
export { lookup_host } from "./lookup.ts";
export { type Interest, type Pollable, type PollEvent, Poller } from "./poller.ts";
export type { ByteStream } from "./stream.ts";
export { TcpListener, TcpStream } from "./tcp.ts";
export type { TlsClientOptions, TlsServerOptions } from "./tls/index.ts";
export { type TlsConnectOptions, TlsStream } from "./tls.ts";
export { UdpSocket } from "./udp.ts";
export { UnixDatagram, UnixListener, UnixStream } from "./unix.ts";

const classes = {
  Poller,
  TcpListener,
  TcpStream,
  TlsStream,
  UdpSocket,
  UnixDatagram,
  UnixListener,
  UnixStream,
};
// A program's bundler may call a class as it likes; in the trace and where one is printed it keeps its name.
for (const [value, each] of Object.entries(classes)) Object.defineProperty(each, "name", { value });
traceClasses(...Object.values(classes));
