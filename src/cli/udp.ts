import { lookup_host, UdpSocket } from "std-net";
import { type Command, failure, type Options, onlyArgument, parse, SUCCESS, seconds } from "./command.ts";
import { InputPump, standardInput } from "./input.ts";
import { startReceiver } from "./receiver.ts";
import type { Report } from "./tls-relay.ts";

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
