/// <reference types="node" preserve="true" />
// The line above is for programs whose tsconfig.json names no types, which is what `tsc --init` writes: without it a Buffer
// that comes out would be `any` there.

/**
 * Blocking sockets and blocking HTTP: calls that return a value or an error, on real system calls.
 *
 * @module std-net
 */
import { BodyReader, BodyWriter } from "./http/index.ts";
import { BufReader } from "./net/buf-reader.ts";
import { Poller } from "./net/poller.ts";
import { TcpListener, TcpStream } from "./net/tcp.ts";
import { TlsStream } from "./net/tls.ts";
import { UdpSocket } from "./net/udp.ts";
import { UnixDatagram, UnixListener, UnixStream } from "./net/unix.ts";
import { traceClasses } from "./trace.ts";

export type { Bytes, TcpBindOptions, UdpBindOptions, UnixBindOptions } from "./arguments.ts";
export type { PeerCredentials } from "./engine/descriptor-passing.ts";
export { error_code, is_timeout } from "./error-code.ts";
export * as http from "./http/index.ts";
export type { Json } from "./json.ts";
export { BufReader, type ReadSource } from "./net/buf-reader.ts";
export type { ByteStream } from "./net/byte-stream.ts";
export { lookup_host } from "./net/lookup-host.ts";
export { type Interest, type Pollable, type PollEvent, Poller } from "./net/poller.ts";
export { TcpListener, TcpStream } from "./net/tcp.ts";
export { type TlsConnectOptions, TlsStream } from "./net/tls.ts";
export { UdpSocket } from "./net/udp.ts";
export { UnixDatagram, UnixListener, UnixStream } from "./net/unix.ts";
export { NetError } from "./net-error.ts";
export { Result, Unit, unwrap } from "./result.ts";
export type { TlsClientOptions, TlsServerOptions } from "./tls/index.ts";

const classes = {
  BodyReader,
  BodyWriter,
  BufReader,
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
