// A chat server for thousands of connections in one thread: what one says, all the others read.
//   npm run example chat [ADDRESS]
//   nc 127.0.0.1 7000
import { error_code, Poller, TcpListener, TcpStream } from "std-net";

interface Client {
  readonly name: string;
  /** What has come of a line that is not whole yet. */
  input: Buffer;
  /** What has found no room in the kernel's buffer yet. */
  output: Buffer;
}

const LONGEST_LINE = 1000;
const LONGEST_QUEUE = 1024 * 1024;

const listener = TcpListener.bind(process.argv[2] ?? "127.0.0.1:7000").unwrap();
listener.set_nonblocking(true).unwrap();
const poller = Poller.create().unwrap();
poller.add(listener, { readable: true }).unwrap();
const clients = new Map<TcpStream, Client>();
let visitors = 0;
console.log(`listening on ${listener.local_addr().unwrap()}`);

for (;;) {
  for (const { socket, readable, writable } of poller.wait(null).unwrap()) {
    if (socket === listener) welcome();
    if (!(socket instanceof TcpStream)) continue;
    // It can have been sent away a moment ago, by what another one said.
    const client = clients.get(socket);
    if (client !== undefined && writable) send(socket, client, "");
    if (client !== undefined && readable) listen(socket, client);
  }
}

function welcome(): void {
  // Level-triggered: a connection that is not accepted now is reported again.
  const accepted = listener.accept();
  if (accepted.isErr) return;
  const stream = accepted.value;
  if (stream.set_nonblocking(true).isErr || poller.add(stream, { readable: true }).isErr) {
    stream.close();
    return;
  }
  const client = { name: `guest${++visitors}`, input: Buffer.alloc(0), output: Buffer.alloc(0) };
  clients.set(stream, client);
  send(stream, client, `you are ${client.name}\n`);
  broadcast(stream, `* ${client.name} has come\n`);
}

function listen(stream: TcpStream, client: Client): void {
  const read = stream.read(4096);
  if (read.isErr && error_code(read.error) === "EAGAIN") return;
  if (read.isErr || read.value.length === 0) {
    leave(stream, client);
    return;
  }
  client.input = Buffer.concat([client.input, read.value]);
  for (let end = client.input.indexOf("\n"); end >= 0; end = client.input.indexOf("\n")) {
    const line = client.input.toString("utf8", 0, end).trim();
    client.input = client.input.subarray(end + 1);
    if (line !== "") broadcast(stream, `${client.name}: ${line}\n`);
  }
  if (client.input.length > LONGEST_LINE) leave(stream, client);
}

function broadcast(from: TcpStream, text: string): void {
  for (const [stream, client] of clients) if (stream !== from) send(stream, client, text);
}

/** Sends as much as there is room for; the rest goes when the poller says so. */
function send(stream: TcpStream, client: Client, text: string): void {
  client.output = Buffer.concat([client.output, Buffer.from(text)]);
  const written = client.output.length === 0 ? 0 : stream.write(client.output).unwrapOr(0);
  client.output = client.output.subarray(written);
  poller.modify(stream, { readable: true, writable: client.output.length > 0 });
  // Nobody may fill the server's memory by not reading.
  if (client.output.length > LONGEST_QUEUE) leave(stream, client);
}

function leave(stream: TcpStream, client: Client): void {
  if (!clients.delete(stream)) return;
  stream.close();
  broadcast(stream, `* ${client.name} has gone\n`);
}
