// A tour of std-net on real sockets: TCP, UDP, an HTTP server in a worker thread, bodies piece by piece, many requests at once, and
// what an error looks like.
// Prints what went over the wire, and how long each call took.
//   npm start
import { once } from "node:events";
import { styleText } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import * as net from "std-net";

// Whoever reads the output may stop reading: npm start | head
process.stdout.on("error", () => process.exit());

/** The kinds of calls that there were in this part. */
const seen = new Set<string | undefined>();
/** For waits: nobody wakes it up. */
const moment = new Int32Array(new SharedArrayBuffer(4));

if (isMainThread) await tour();
else if (workerData === "by hand") serveByHand();
else serveMany();

async function tour(): Promise<void> {
  console.log(paint("bold", "\nstd-net: blocking sockets and HTTP for TypeScript"));
  console.log("Each line below is one call: how long it took, the call, and what it returned.");
  console.log("No call gives a promise or takes a callback, and none throws.");
  console.log(
    "* marks a part's first call of its kind: here or at the server, code is loaded and compiled for it.",
  );

  tcp();
  udp();
  const byHand = await startWorker("by hand");
  http(byHand.address);
  streaming(byHand.address);
  const many = await startWorker("many");
  atOnce(many.address);
  errors(byHand.address);
  await Promise.all([byHand.worker.terminate(), many.worker.terminate()]);
  console.log(`\nThat was all of it. The code is examples/tour.ts; README.md says what to read next.\n`);
}

/** A server in a thread of its own, and its address. */
async function startWorker(which: "by hand" | "many"): Promise<{ worker: Worker; address: string }> {
  const worker = new Worker(new URL(import.meta.url), { workerData: which });
  const [address] = (await once(worker, "message")) as [string];
  return { worker, address };
}

function tcp(): void {
  chapter(
    "1. A TCP conversation",
    "Both ends live in this one thread: between two calls, the kernel holds the connection and the bytes.",
  );
  const listener = call('TcpListener.bind("127.0.0.1:0")', () =>
    net.TcpListener.bind("127.0.0.1:0"),
  ).unwrap();
  note("A program's very first call loads the native part. Port 0 lets the system pick one:");
  const address = call("listener.local_addr()", () => listener.local_addr()).unwrap();
  const client = call(`TcpStream.connect("${address}")`, () => net.TcpStream.connect(address)).unwrap();
  const server = call("listener.accept()", () => listener.accept()).unwrap();
  call("server.peer_addr()", () => server.peer_addr());
  call('client.write("PING\\r\\n")', () => client.write("PING\r\n"));
  call("server.read(1024)", () => server.read(1024));
  call("server.write([80, 79, 78, 71])", () => server.write([80, 79, 78, 71]));
  call("client.read(1024)", () => client.read(1024));

  const data = Buffer.alloc(64, "x");
  const each = repeated(2000, () => client.write(data).isOk && server.read(64).isOk);
  note(`2,000 times client.write(64 bytes) and server.read(64): ${paint("bold", each)} for the two`);

  call("client.close()", () => client.close());
  call("server.read(1024)", () => server.read(1024));
  note("That is the end of the stream: the peer has closed it.");
  server.close();
  listener.close();
}

function udp(): void {
  chapter("2. UDP datagrams", "Each datagram arrives whole or not at all, and with its sender's address.");
  const alice = call('alice = UdpSocket.bind("127.0.0.1:0")', () =>
    net.UdpSocket.bind("127.0.0.1:0"),
  ).unwrap();
  const bob = call('bob = UdpSocket.bind("127.0.0.1:0")', () => net.UdpSocket.bind("127.0.0.1:0")).unwrap();
  const address = bob.local_addr().unwrap();
  call(`alice.send_to("knock, knock", "${address}")`, () => alice.send_to("knock, knock", address));
  call(`alice.send_to([], "${address}")`, () => alice.send_to([], address));
  const first = call("bob.recv_from(1500)", () => bob.recv_from(1500)).unwrap();
  call("bob.recv_from(1500)", () => bob.recv_from(1500));
  call(`bob.send_to("who is there?", "${first[1]}")`, () => bob.send_to("who is there?", first[1]));
  call("alice.recv_from(3)", () => alice.recv_from(3));
  note("Asked for 3 bytes: the rest of a datagram that is longer is lost.");
  alice.close();
  bob.close();
}

function http(address: string): void {
  chapter(
    "3. HTTP",
    "The server is a loop of three blocking calls in a worker thread: accept, read_request, write_response.",
  );
  const text = `GET /greeting?name=wire HTTP/1.1\r\nHost: ${address}\r\n\r\n`;
  note("First by hand, to see what goes over the wire:");
  const wire = call(`TcpStream.connect("${address}")`, () => net.TcpStream.connect(address)).unwrap();
  call(`stream.write(${JSON.stringify(text)})`, () => wire.write(text));
  call("stream.read(65536)", () => wire.read(65536), quoteLines);
  wire.close();

  note("The same with http.request:");
  const get = { method: "GET", url: `http://${address}/greeting?name=you` };
  call(`http.request(${literal(get)})`, () => net.http.request(get));
  const post = { method: "POST", url: `http://${address}/sum`, body: [1, 2, 9007199254740993n] };
  call(`http.request(${literal(post)})`, () => net.http.request(post));
  note("An integer that a number cannot hold comes back as an exact bigint.");
  const each = repeated(1000, () => net.http.request(get).isOk);
  note(
    `1,000 more of those GETs, on the connection that was kept: ${paint("bold", each)} each, JSON included`,
  );
}

function streaming(address: string): void {
  chapter(
    "4. Bodies piece by piece",
    "http.open gives the response when its head has come. The body is read as it arrives, in constant memory.",
  );
  const file = { method: "GET", url: `http://${address}/file` };
  const { body } = call(`http.open(${literal(file)})`, () => net.http.open(file)).unwrap();
  const buffer = Buffer.alloc(256 * 1024);
  call("body.read_into(buffer)", () => body.read_into(buffer));
  const begin = performance.now();
  let size = 0;
  for (let count = -1; count !== 0; size += count) count = body.read_into(buffer).unwrap();
  const seconds = (performance.now() - begin) / 1000;
  const rate = (size / 1e6 / seconds).toFixed(0);
  note(
    `The rest, ${(size / 1e6).toFixed(0)} MB, through the same 256 KiB buffer: ${paint("bold", `${rate} MB`)} per second`,
  );

  const feed = { method: "GET", url: `http://${address}/events` };
  const events = call(`http.open(${literal(feed)})`, () => net.http.open(feed))
    .unwrap()
    .body.events();
  note("The server sends an event every 50 ms, and each is here as soon as it was sent:");
  const iterator = events[Symbol.iterator]();
  while (call("events.next()", () => iterator.next()).done !== true);
}

function atOnce(address: string): void {
  chapter(
    "5. Many at once",
    "The server is one call in another worker thread, http.serve. It has all clients in that thread, and none waits for another.",
  );
  const requests = Array.from({ length: 100 }, (_, id) => ({
    method: "GET",
    url: `http://${address}/?name=${id}`,
  }));
  const show = (results: unknown): string => {
    const good = (results as net.Result<{ status: number }, string>[]).filter((result) => result.isOk);
    return `100 results, ${good.length} of them ok`;
  };
  call("http.request_all(100 requests)", () => net.http.request_all(requests), show);
  call("http.request_all(100 requests)", () => net.http.request_all(requests), show);
  const each = repeated(10, () => net.http.request_all(requests).every((result) => result.isOk));
  note(`10 more of those calls, 50 requests in flight at a time: ${paint("bold", each)} for each hundred`);
}

function errors(address: string): void {
  chapter("6. Errors are values", "What failed, then why. The types make you look before you use the value.");
  const refused = call('TcpStream.connect("127.0.0.1:1")', () => net.TcpStream.connect("127.0.0.1:1"));
  if (refused.isErr) {
    const { error } = refused;
    call("error_code(the same text)", () => net.error_code(error));
  }
  call('TcpStream.connect("localhost")', () => net.TcpStream.connect("localhost"));
  const socket = net.UdpSocket.bind("127.0.0.1:0").unwrap();
  call("socket.set_nonblocking(true)", () => socket.set_nonblocking(true));
  call("socket.recv_from(1500)", () => socket.recv_from(1500));
  socket.close();
  call("the closed socket.recv_from(1500)", () => socket.recv_from(1500));
  const spaced = { method: "GET", url: `http://${address}/`, headers: { "two words": "no" } };
  call(`http.request(${literal(spaced)})`, () => net.http.request(spaced));
}

/** The server of part 5. */
function serveMany(): void {
  const listener = net.TcpListener.bind("127.0.0.1:0").unwrap();
  parentPort?.postMessage(listener.local_addr().unwrap());
  net.http.serve(listener, respond).unwrap();
}

/** The server of parts 3 and 4. */
function serveByHand(): void {
  const listener = net.TcpListener.bind("127.0.0.1:0").unwrap();
  parentPort?.postMessage(listener.local_addr().unwrap());
  for (;;) {
    const stream = listener.accept().unwrap();
    // One connection after the other is enough for a tour; the example of all cores shows more.
    for (let open = true; open; ) {
      const request = net.http.read_request(stream);
      if (request.isErr) break;
      if (request.value.path === "/file") open = sendFile(stream);
      else if (request.value.path === "/events") open = sendEvents(stream);
      else open = net.http.write_response(stream, respond(request.value)).isOk;
    }
    stream.close();
  }
}

function sendFile(stream: net.TcpStream): boolean {
  const part = Buffer.alloc(1024 * 1024, "x");
  const headers = { connection: "keep-alive", "content-length": String(64 * part.length) };
  const body = net.http.start_response(stream, { status: 200, headers }).unwrap();
  for (let sent = 0; sent < 64; sent++) body.write_all(part);
  return body.finish().isOk;
}

function sendEvents(stream: net.TcpStream): boolean {
  const headers = { connection: "keep-alive", "content-type": "text/event-stream" };
  const body = net.http.start_response(stream, { status: 200, headers }).unwrap();
  for (const data of ["one", "two", "three"]) {
    Atomics.wait(moment, 0, 0, 50);
    body.send_event({ event: "count", data });
  }
  return body.finish().isOk;
}

function respond(request: { path: string; query: string; body: net.Json }) {
  // Without this field, write_response ends each connection after its response.
  const headers = { connection: "keep-alive" };
  if (request.path === "/sum" && Array.isArray(request.body)) {
    const sum = request.body.reduce<bigint>((total, number) => total + BigInt(String(number)), 0n);
    return { status: 200, headers, body: { sum } };
  }
  return { status: 200, headers, body: { hello: new URLSearchParams(request.query).get("name") } };
}

// What follows only prints.

function paint(style: "bold" | "gray" | "red" | "cyan" | "green", text: string): string {
  return process.stdout.isTTY && process.stdout.hasColors() ? styleText(style, text) : text;
}

function chapter(title: string, about: string): void {
  seen.clear();
  console.log(`\n${paint("bold", title)}\n${about}\n`);
}

function note(text: string): void {
  console.log(`${" ".repeat(12)}${paint("gray", "#")} ${text}`);
}

/** Makes the call, prints the time it took and what it gave, and gives that on. */
function call<R>(text: string, make: () => R, show: (value: unknown) => string = literal): R {
  const begin = performance.now();
  const outcome = make();
  const time = duration(performance.now() - begin);
  // `client.write(` and `server.write(` are of one kind; a GET and a POST are not.
  const name = /^http\.\w+\(\{ method: "\w+|\w+(?=\()/.exec(text)?.[0];
  const mark = seen.has(name) ? " " : "*";
  seen.add(name);
  const took = `${time.padStart(9)}${mark}`;
  const shown = isResult(outcome)
    ? outcome.isOk
      ? paint("green", show(outcome.value))
      : paint("red", `error: ${outcome.error}`)
    : outcome === undefined
      ? ""
      : paint("green", show(outcome));
  // A short call and what it gave stand on one line, a long one on two.
  const arrow =
    shown === ""
      ? ""
      : `${text.length > 50 ? `\n${" ".repeat(12)}` : " ".repeat(51 - text.length)}→ ${shown}`;
  console.log(`${paint("gray", took)}  ${paint("cyan", text)}${arrow}`);
  return outcome;
}

function isResult(value: unknown): value is net.Result<unknown, string> {
  return typeof value === "object" && value !== null && "isOk" in value;
}

/** A value as it would be written in a program, on one line. */
function literal(value: unknown): string {
  if (value === net.Unit) return "ok";
  if (isResult(value)) return value.isOk ? literal(value.value) : `error: ${value.error}`;
  if (value instanceof Uint8Array && value.length === 0) return "an empty Buffer";
  if (value instanceof Uint8Array)
    return `Buffer of ${value.length}: ${JSON.stringify(Buffer.from(value).toString())}`;
  if (value instanceof net.TcpStream)
    return `a TcpStream from ${value.local_addr().unwrap()} to ${value.peer_addr().unwrap()}`;
  if (value instanceof net.TcpListener) return "a TcpListener";
  if (value instanceof net.http.BodyReader) return "a BodyReader";
  if (value instanceof net.UdpSocket) return `a UdpSocket on ${value.local_addr().unwrap()}`;
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([name, member]) => `${/^\w+$/.test(name) ? name : JSON.stringify(name)}: ${literal(member)}`,
  );
  return `{ ${members.join(", ")} }`;
}

function quoteLines(bytes: unknown): string {
  const lines = String(bytes)
    .split("\r\n")
    .map((line) => `${" ".repeat(14)}${line}`);
  return `${(bytes as Buffer).length} bytes:\n${lines.join("\n")}`;
}

function duration(milliseconds: number): string {
  return milliseconds < 1 ? `${(milliseconds * 1000).toFixed(0)} µs` : `${milliseconds.toFixed(1)} ms`;
}

/** How long one round takes, by the mean of many. */
function repeated(times: number, round: () => boolean): string {
  const begin = performance.now();
  for (let done = 0; done < times; done++) if (!round()) throw new Error("a round failed");
  return duration((performance.now() - begin) / times);
}
