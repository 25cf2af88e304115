import { once } from "node:events";
import { parentPort, Worker, workerData } from "node:worker_threads";
import { lookup_host, type Result, TcpStream, UdpSocket } from "std-net";
import {
  type Command,
  complain,
  FAILURE,
  type Options,
  onlyArgument,
  parse,
  SUCCESS,
  seconds,
} from "./command.ts";
import { InputPump, standardInput } from "./input.ts";
import { writeOut } from "./output.ts";

/*
 * Two directions at once. The event loop of the main thread reads standard input and sends it. A worker thread blocks in
 * `read` and prints what the peer sends. The two share the socket: the worker has a second descriptor of it.
 */

const tcpOptions = {
  timeout: { type: "string" },
  wait: { type: "string", short: "w", default: "5" },
} as const satisfies Options;

export const tcp: Command = {
  name: "tcp",
  summary: "connect standard input and output to a TCP peer",
  help: `Usage: std-net tcp HOST:PORT [--timeout SECONDS] [--wait SECONDS]

Connects, sends standard input and prints what the peer sends, both at once, until the peer closes the connection. At
the end of standard input, the connection is closed for writing. When the peer closes first, the rest of standard input is
sent too.

      --timeout SECONDS   stop connecting after this time
  -w, --wait SECONDS      after the peer has closed, stop when standard input has given nothing for this time (5)

Examples:
  printf 'PING\\r\\nQUIT\\r\\n' | std-net tcp 127.0.0.1:6379
  printf 'HEAD / HTTP/1.0\\r\\n\\r\\n' | std-net tcp example.com:80

Exit status: 0 when the peer closed the connection, 1 when it broke or could not be made, or when standard input could not
be read or sent to its end, 2 for wrong usage.
`,
  options: tcpOptions,
  async run(args) {
    const { values, positionals } = parse(args, tcpOptions);
    const address = onlyArgument(positionals, "address, such as 127.0.0.1:6379");
    const timeout = seconds(values.timeout, "timeout");
    const wait = seconds(values.wait, "wait")!;
    const input = standardInput();
    const connected =
      timeout === undefined ? TcpStream.connect(address) : TcpStream.connect_timeout(address, timeout);
    if (connected.isErr) return failure(connected.error);
    const stream = connected.value;
    const descriptor = stream.try_clone().andThen((clone) => clone.into_fd());
    if (descriptor.isErr) return failure(descriptor.error);

    const receiver = startReceiver({ kind: "tcp", descriptor: descriptor.value });
    const pump = new InputPump(
      input,
      (bytes) => errorOf(stream.write_all(bytes)),
      () => errorOf(stream.shutdown("write")),
    );
    pump.ended.then(() => {
      // Nothing more will be sent, and the peer may wait for it: the receiver prints what has come, and ends.
      if (pump.isBroken) stream.shutdown("both");
    });
    const [end] = (await once(receiver, "message")) as [Report];
    const isOver = end.nobodyReads === true || end.error !== null;
    const error = isOver ? end.error : await pump.endedOrSilent(wait);
    pump.close();
    stream.close();
    return error === null ? SUCCESS : failure(error);
  },
};

function errorOf(result: Result<unknown, string>): string | null {
  return result.isErr ? result.error : null;
}

/** The most bytes of standard input in one datagram, as in netcat. */
const LARGEST_DATAGRAM = 16 * 1024;

const udpOptions = {
  wait: { type: "string", short: "w", default: "1" },
} as const satisfies Options;

export const udp: Command = {
  name: "udp",
  summary: "connect standard input and output to a UDP peer",
  help: `Usage: std-net udp HOST:PORT [--wait SECONDS]

Sends standard input and prints what the peer sends, both at once. Each read of standard input (on a terminal: each
line) becomes one datagram of at most 16 KiB.

  -w, --wait SECONDS   after the end of standard input, stop when nothing has come for this long (1)

Examples:
  echo hello | std-net udp 127.0.0.1:9999
  echo hello | std-net udp '[::1]:9999' --wait 5

Exit status: 0 when all was sent, 1 when standard input could not be read, sending failed, or nobody listens there, 2 for
wrong usage.
`,
  options: udpOptions,
  async run(args) {
    const { values, positionals } = parse(args, udpOptions);
    const address = onlyArgument(positionals, "address, such as 127.0.0.1:9999");
    const wait = seconds(values.wait, "wait")!;
    const input = standardInput();
    const connected = connectedSocket(address);
    if (connected.isErr) return failure(connected.error);
    const socket = connected.value;
    const descriptor = socket.try_clone().andThen((clone) => clone.into_fd());
    if (descriptor.isErr) return failure(descriptor.error);

    const receiver = startReceiver({ kind: "udp", descriptor: descriptor.value });
    const pump = new InputPump(
      input,
      (bytes) => sendDatagrams(socket, bytes),
      () => null,
    );
    const error = await new Promise<string | null>((resolve) => {
      let silence: NodeJS.Timeout | undefined;
      pump.ended.then((failed) => {
        if (failed === null) silence = setTimeout(() => resolve(null), wait);
        else resolve(failed);
      });
      receiver.on("message", (report: Report) => {
        if (report.error !== null) resolve(report.error);
        silence?.refresh();
      });
      receiver.on("error", (thrown) => resolve(thrown.message));
      // It ends when nobody reads what it prints.
      receiver.on("exit", () => resolve(null));
    });
    pump.close();
    await receiver.terminate();
    socket.close();
    return error === null ? SUCCESS : failure(error);
  },
};

function sendDatagrams(socket: UdpSocket, bytes: Buffer): string | null {
  for (let start = 0; start < bytes.length; start += LARGEST_DATAGRAM) {
    const sent = socket.send(bytes.subarray(start, start + LARGEST_DATAGRAM));
    if (sent.isErr) return sent.error;
  }
  return null;
}

/** A UDP socket that sends to one peer and receives only from it. */
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

/** What the worker thread tells the main thread: it has printed a datagram, or it has ended. */
interface Report {
  error: string | null;
  /** The reader of standard output has closed it. */
  nobodyReads?: true;
}

function startReceiver(task: Task): Worker {
  return new Worker(new URL(import.meta.url), { workerData: task });
}

/** What the worker thread runs. */
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
    // The main thread may be blocked in a write, because the peer waits until somebody reads what it sends.
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

/** Writes to standard output from this thread. Returns a report when nothing more can be written. */
function print(bytes: Buffer): Report | undefined {
  const end = writeOut(bytes);
  if (end === null) return undefined;
  return end === "closed" ? { error: null, nobodyReads: true } : { error: end.error };
}

function failure(error: string): number {
  complain(error);
  return FAILURE;
}
