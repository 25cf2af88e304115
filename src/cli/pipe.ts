import { once } from "node:events";
import { writeSync } from "node:fs";
import { parentPort, Worker, workerData } from "node:worker_threads";
import { lookup_host, TcpStream, UdpSocket } from "std-net";
import { type Command, complain, FAILURE, onlyArgument, parse, SUCCESS, seconds } from "./command.ts";

/*
 * Two directions at once: the event loop of the main thread reads standard input and sends it, and a worker thread
 * that is blocked in `read` prints what the peer sends. They share the socket through a second descriptor of it.
 */

export const tcp: Command = {
  name: "tcp",
  summary: "standard input to a TCP peer and back",
  help: `Usage: std-net tcp HOST:PORT [--timeout SECONDS]

Connects, sends what comes on standard input and prints what the peer sends, both at once, until the peer closes the
connection. The end of standard input is passed on: the connection is then closed for writing.

      --timeout SECONDS   give up connecting after this long

Examples:
  printf 'PING\\r\\nQUIT\\r\\n' | std-net tcp 127.0.0.1:6379
  printf 'HEAD / HTTP/1.0\\r\\n\\r\\n' | std-net tcp example.com:80

Exit status: 0 when the peer closed the connection, 1 when it broke or could not be made, 2 for wrong usage.
`,
  async run(args) {
    const { values, positionals } = parse(args, { timeout: { type: "string" } });
    const address = onlyArgument(positionals, "address, such as 127.0.0.1:6379");
    const timeout = seconds(values.timeout, "timeout");
    const connected =
      timeout === undefined ? TcpStream.connect(address) : TcpStream.connect_timeout(address, timeout);
    if (connected.isErr) return failure(connected.error);
    const stream = connected.value;
    const descriptor = stream.try_clone().andThen((clone) => clone.into_fd());
    if (descriptor.isErr) return failure(descriptor.error);

    let sendError: string | null = null;
    process.stdin.on("data", (bytes: Buffer) => {
      const sent = stream.write_all(bytes);
      if (sent.isErr) {
        sendError = sent.error;
        process.stdin.destroy();
      }
    });
    process.stdin.on("end", () => stream.shutdown("write"));
    const receiver = startReceiver({ kind: "tcp", descriptor: descriptor.value });
    const [end] = (await once(receiver, "message")) as [Report];
    process.stdin.destroy();
    stream.close();
    const error = end.nobodyReads ? null : (end.error ?? sendError);
    return error === null ? SUCCESS : failure(error);
  },
};

/** The most bytes of standard input that go into one datagram, as with netcat. */
const LARGEST_DATAGRAM = 16 * 1024;

export const udp: Command = {
  name: "udp",
  summary: "standard input to a UDP peer, as datagrams, and back",
  help: `Usage: std-net udp HOST:PORT [--wait SECONDS]

Sends what comes on standard input and prints what the peer sends, both at once. What one read of standard input
gives (on a terminal: a line) is one datagram, of at most 16 KiB.

  -w, --wait SECONDS   after the end of standard input, end when nothing has come for this long (1)

Examples:
  echo hello | std-net udp 127.0.0.1:9999
  echo hello | std-net udp '[::1]:9999' --wait 5

Exit status: 0 when all was sent, 1 when sending failed or nobody listens there, 2 for wrong usage.
`,
  async run(args) {
    const { values, positionals } = parse(args, { wait: { type: "string", short: "w", default: "1" } });
    const address = onlyArgument(positionals, "address, such as 127.0.0.1:9999");
    const wait = seconds(values.wait, "wait")!;
    const connected = connectedSocket(address);
    if (connected.isErr) return failure(connected.error);
    const socket = connected.value;
    const descriptor = socket.try_clone().andThen((clone) => clone.into_fd());
    if (descriptor.isErr) return failure(descriptor.error);

    const receiver = startReceiver({ kind: "udp", descriptor: descriptor.value });
    const error = await new Promise<string | null>((resolve) => {
      let silence: NodeJS.Timeout | undefined;
      process.stdin.on("data", (bytes: Buffer) => {
        for (let start = 0; start < bytes.length; start += LARGEST_DATAGRAM) {
          const sent = socket.send(bytes.subarray(start, start + LARGEST_DATAGRAM));
          if (sent.isErr) resolve(sent.error);
        }
      });
      process.stdin.on("end", () => {
        silence = setTimeout(() => resolve(null), wait);
      });
      receiver.on("message", (report: Report) => {
        if (report.error !== null) resolve(report.error);
        silence?.refresh();
      });
      receiver.on("error", (thrown) => resolve(thrown.message));
      // Nobody reads what it prints.
      receiver.on("exit", () => resolve(null));
    });
    process.stdin.destroy();
    await receiver.terminate();
    socket.close();
    return error === null ? SUCCESS : failure(error);
  },
};

/** A UDP socket that sends to, and hears, one peer only. */
function connectedSocket(address: string) {
  const addresses = lookup_host(address).mapErr((error) => error.replace("lookup_host", "udp connect"));
  return addresses.andThen(([peer = ""]) =>
    UdpSocket.bind(peer.startsWith("[") ? "[::]:0" : "0.0.0.0:0").andThen((socket) =>
      socket.connect(peer).map(() => socket),
    ),
  );
}

interface Task {
  kind: "tcp" | "udp";
  descriptor: number;
}

/** What the receiver tells the main thread: a datagram was printed, or it has come to its end. */
interface Report {
  error: string | null;
  /** Standard output was closed by its reader. */
  nobodyReads?: true;
}

function startReceiver(task: Task): Worker {
  return new Worker(new URL(import.meta.url), { workerData: task });
}

/** The worker thread's part. */
export function receive(): void {
  const { kind, descriptor } = workerData as Task;
  parentPort!.postMessage(kind === "tcp" ? receiveStream(descriptor) : receiveDatagrams(descriptor));
}

function receiveStream(descriptor: number): Report {
  const stream = TcpStream.from_fd(descriptor);
  if (stream.isErr) return { error: stream.error };
  for (;;) {
    const bytes = stream.value.read(64 * 1024);
    if (bytes.isErr) return { error: bytes.error };
    if (bytes.value.length === 0) return { error: null };
    const end = print(bytes.value);
    if (end === undefined) continue;
    // The main thread may be blocked in a write to a peer that waits, in its turn, for somebody to read.
    stream.value.shutdown("both");
    return end;
  }
}

function receiveDatagrams(descriptor: number): Report {
  const socket = UdpSocket.from_fd(descriptor);
  if (socket.isErr) return { error: socket.error };
  for (;;) {
    const bytes = socket.value.recv(64 * 1024);
    if (bytes.isErr) return { error: bytes.error };
    const end = print(bytes.value);
    if (end !== undefined) return end;
    parentPort!.postMessage({ error: null } satisfies Report);
  }
}

/** Writes to standard output from this very thread; how it has come to its end, if it has. */
function print(bytes: Buffer): Report | undefined {
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(1, bytes, written);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      // Nobody reads it any more: `std-net tcp ... | head -1`.
      if (code === "EPIPE") return { error: null, nobodyReads: true };
      if (code !== "EAGAIN") return { error: message };
      // A pipe that somebody put into non-blocking mode is full: give its reader a moment.
      Atomics.wait(moment, 0, 0, 5);
    }
  }
  return undefined;
}

const moment = new Int32Array(new SharedArrayBuffer(4));

function failure(error: string): number {
  complain(error);
  return FAILURE;
}
