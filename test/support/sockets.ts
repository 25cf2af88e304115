// Connections to talk over, and the time it takes.
import * as net from "std-net";
import { ok, type Peer, portOf, python } from "./peer.ts";

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
