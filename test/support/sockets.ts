// Connections to talk over, and the time it takes.
import { closeSync, fstatSync } from "node:fs";
import koffi from "koffi";
import * as net from "std-net";
import { ok, type Peer, portOf, python } from "./peer.ts";
import { isWindows } from "./system-errors.ts";

/** Two connected TcpStreams, and nothing left over. */
export function tcpPair(address = "127.0.0.1:0"): { client: net.TcpStream; server: net.TcpStream } {
  const listener = ok(net.TcpListener.bind(address));
  const client = ok(net.TcpStream.connect(ok(listener.local_addr())));
  const server = ok(listener.accept());
  listener.close();
  return { client, server };
}

/** A TcpStream to a Python program that runs `code` with the connection in `peer`. */
export function pythonStream(code: string, ...args: string[]): { stream: net.TcpStream; child: Peer } {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const child = python(
    `import os, struct\npeer = socket.create_connection(("127.0.0.1", int(sys.argv.pop(1))))\n${code}`,
    portOf(ok(listener.local_addr())),
    ...args,
  );
  const stream = ok(listener.accept());
  listener.close();
  return { stream, child };
}

/** How long `call` took, in milliseconds, and what it gave. */
export function timed<T>(call: () => T): { took: number; value: T } {
  const start = performance.now();
  const value = call();
  return { took: performance.now() - start, value };
}

/** Two connected streams: Unix sockets, or TCP's on Windows, which has no pairs. */
export function streamPair(): [net.TcpStream | net.UnixStream, net.TcpStream | net.UnixStream] {
  if (!isWindows) return [...ok(net.UnixStream.pair())];
  const { client, server } = tcpPair();
  return [client, server];
}

/** The same as an expression for the text of a program that has the library as `net`. */
export const STREAM_PAIR = isWindows
  ? `((listener, client) => {
      client = net.TcpStream.connect(listener.local_addr().value).value;
      const pair = [client, listener.accept().value];
      listener.close();
      return pair;
    })(net.TcpListener.bind("127.0.0.1:0").value)`
  : "net.UnixStream.pair().value";

/** Two connected datagram sockets: Unix sockets, or UDP's on Windows. */
export function datagramPair(): [net.UnixDatagram | net.UdpSocket, net.UnixDatagram | net.UdpSocket] {
  if (!isWindows) return [...ok(net.UnixDatagram.pair())];
  const pair = [ok(net.UdpSocket.bind("127.0.0.1:0")), ok(net.UdpSocket.bind("127.0.0.1:0"))] as const;
  ok(pair[0].connect(ok(pair[1].local_addr())));
  ok(pair[1].connect(ok(pair[0].local_addr())));
  return [...pair];
}

/** Closes a descriptor without a word to the object that owns it. */
export function closeBehindItsBack(descriptor: number): void {
  if (!isWindows) closeSync(descriptor);
  else koffi.load("ws2_32.dll").func("int __stdcall closesocket(intptr_t)")(descriptor);
}

/** Whether an open socket has this number. */
export function isOpenSocket(descriptor: number): boolean {
  if (isWindows) {
    const getsockopt = koffi
      .load("ws2_32.dll")
      .func("int __stdcall getsockopt(intptr_t, int, int, void *, void *)") as (...args: unknown[]) => number;
    const [SOL_SOCKET, SO_TYPE] = [0xffff, 0x1008];
    return getsockopt(descriptor, SOL_SOCKET, SO_TYPE, Buffer.alloc(4), Uint32Array.of(4)) === 0;
  }
  try {
    return fstatSync(descriptor).isSocket();
  } catch {
    return false;
  }
}
