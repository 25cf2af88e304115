// Small programs whose result must not depend on whether the kernel is Linux's or behaves as macOS's (xnu.c). Each prints one line:
// `node programs.mjs NAME`; without a name their names.
import { Worker } from "node:worker_threads";
import * as net from "std-net";

function ok(result) {
  if (result.isErr) throw new Error(result.error);
  return result.value;
}

const said = (result) => (result.isOk ? "ok" : (net.error_code(result.error) ?? result.error));
const listening = (options) => ok(net.TcpListener.bind("127.0.0.1:0", options));

function pair() {
  const listener = listening();
  const client = ok(net.TcpStream.connect(ok(listener.local_addr())));
  const server = ok(listener.accept());
  listener.close();
  return [client, server];
}

/** Terminates a worker while it is in this call; that must come to its end. */
async function terminated(call) {
  const worker = new Worker(
    `const net = require("std-net");
    const listener = net.TcpListener.bind("127.0.0.1:0", { backlog: 1 }).value;
    const address = listener.local_addr().value;
    require("node:worker_threads").parentPort.postMessage(0);
    ${call};`,
    { eval: true },
  );
  await new Promise((resolve) => worker.once("message", resolve));
  await new Promise((resolve) => setTimeout(resolve, 300));
  await worker.terminate();
  return "terminated";
}

const programs = {
  "a stream and a listener are taken by descriptor"() {
    const stream = net.TcpStream.from_fd(ok(pair()[0].into_fd()));
    const listener = net.TcpListener.from_fd(ok(listening().into_fd()));
    return `${said(stream)} ${said(listener)}`;
  },
  "accept ends with its timeout"() {
    const listener = listening();
    ok(listener.set_accept_timeout(100));
    return said(listener.accept());
  },
  "connect ends with its timeout"() {
    const address = ok(listening({ backlog: 1 }).local_addr());
    for (;;) {
      const result = net.TcpStream.connect_timeout(address, 300);
      if (result.isErr) return said(result);
      ok(result.value.into_fd());
    }
  },
  "small writes that nobody reads end with their timeout"() {
    const [client, server] = pair();
    ok(client.set_write_timeout(200));
    for (;;) {
      const result = client.write(Buffer.alloc(1000));
      if (result.isErr) return `${said(result)} ${said(server.local_addr())}`;
    }
  },
  "read_until tells of the end when both directions are at theirs"() {
    const [client, server] = pair();
    ok(server.write("abc"));
    ok(client.shutdown("write"));
    ok(server.read(1));
    server.close();
    const result = client.read_until("\n");
    return result.isOk ? String(result.value) : result.error;
  },
  "options of such a connection can be read, and set without harm"() {
    const [client, server] = pair();
    ok(client.shutdown("write"));
    ok(server.read(1));
    server.close();
    ok(client.read(1));
    return `${said(client.nodelay())} ${said(client.read(1))}`;
  },
  "an option that is on is true"() {
    const [client] = pair();
    ok(client.set_nodelay(true));
    ok(client.set_keepalive(true));
    const udp = ok(net.UdpSocket.bind("127.0.0.1:0"));
    ok(udp.set_broadcast(true));
    return [client.nodelay(), client.keepalive(), udp.broadcast()].map((result) => result.value).join(" ");
  },
  'shutdown("both") after the peer\'s end sends an end too'() {
    const [client, server] = pair();
    ok(server.shutdown("write"));
    ok(client.read(1));
    const result = said(client.shutdown("both"));
    ok(server.set_read_timeout(500));
    return `${result} ${said(server.read(1))}`;
  },
  "a second shutdown is no error"() {
    const [client, server] = pair();
    return [client.shutdown("write"), client.shutdown("write"), client.shutdown("both"), server.read(1)]
      .map(said)
      .join(" ");
  },
  "send_to from a connected UdpSocket"() {
    const socket = ok(net.UdpSocket.bind("127.0.0.1:0"));
    const address = ok(socket.local_addr());
    ok(socket.connect(address));
    return said(socket.send_to("x", address));
  },
  "the largest datagram"() {
    const socket = ok(net.UdpSocket.bind("127.0.0.1:0"));
    const sent = socket.send_to(Buffer.alloc(65_507), ok(socket.local_addr()));
    const [near, far] = ok(net.UnixDatagram.pair());
    const second = near.send(Buffer.alloc(60_000));
    return `${said(sent)} ${said(second)} ${ok(far.recv(65_536)).length}`;
  },
  "a worker in accept is terminated": () => terminated("listener.accept()"),
  "a worker in connect is terminated": () =>
    terminated("const kept = []; for (;;) kept.push(net.TcpStream.connect(address))"),
  "a worker in small writes is terminated": () =>
    terminated(`const client = net.TcpStream.connect(address).value;
      const server = listener.accept().value;
      for (;;) server.write(Buffer.alloc(1000))`),
};

const [name] = process.argv.slice(2);
if (name === undefined) {
  console.log(Object.keys(programs).join("\n"));
} else {
  console.log(await programs[name]());
  process.exit(0);
}
