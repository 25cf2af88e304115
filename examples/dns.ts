// A DNS client over UDP: the IPv4 and IPv6 addresses of a name (RFC 1035, RFC 3596), with timeouts and retries.
//   npm run example dns NAME SERVER[:PORT]
import { randomInt } from "node:crypto";
import { is_timeout, UdpSocket } from "std-net";

const TYPES = { A: 1, AAAA: 28 } as const;
const TIMEOUT = 1000;
const ATTEMPTS = 3;

const [name, server] = process.argv.slice(2);
if (name === undefined || server === undefined) {
  console.error("usage: npm run example dns NAME SERVER[:PORT]");
  process.exit(2);
}
for (const type of ["A", "AAAA"] as const) {
  const answer = lookup(name, type, server.includes(":") ? server : `${server}:53`);
  console.log(
    typeof answer === "string" ? `${type} ${answer}` : answer.map((one) => `${type} ${one}`).join("\n"),
  );
  if (typeof answer === "string") process.exitCode = 1;
}

/** The addresses, or what went wrong. */
function lookup(host: string, type: keyof typeof TYPES, address: string): string[] | string {
  const socket = UdpSocket.bind("0.0.0.0:0").unwrap();
  try {
    // A connected socket receives from this server only.
    const connected = socket.connect(address);
    if (connected.isErr) return connected.error;
    socket.set_read_timeout(TIMEOUT);
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      // An attacker who sends a wrong answer has to guess this number (RFC 5452).
      const id = randomInt(0x10000);
      socket.send(query(id, host, TYPES[type]));
      for (let reply = socket.recv(4096); ; reply = socket.recv(4096)) {
        if (reply.isErr && !is_timeout(reply.error)) return reply.error;
        if (reply.isErr) break;
        if (reply.value.length >= 12 && reply.value.readUInt16BE(0) === id)
          return addresses(reply.value, TYPES[type]);
      }
      console.error(`no response from ${address} in ${TIMEOUT} ms (attempt ${attempt} of ${ATTEMPTS})`);
    }
    return "timed out";
  } finally {
    socket.close();
  }
}

/** Header: id, flags (recursion desired), one question, no records. Question: labels with their lengths, type, class IN. */
function query(id: number, host: string, type: number): Buffer {
  const labels = host.split(".").filter((label) => label !== "");
  const bytes = labels.flatMap((label) => [Buffer.byteLength(label), ...Buffer.from(label)]);
  return Buffer.from([id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...bytes, 0, 0, type, 0, 1]);
}

function addresses(message: Buffer, type: number): string[] | string {
  const code = message.readUInt16BE(2) & 15;
  if (code !== 0) return ["", "format error", "server failure", "no such name"][code] ?? `refused (${code})`;
  const found: string[] = [];
  try {
    let at = skipName(message, 12) + 4;
    for (let count = message.readUInt16BE(6); count > 0; count--) {
      at = skipName(message, at);
      const length = message.readUInt16BE(at + 8);
      const data = message.subarray(at + 10, at + 10 + length);
      if (message.readUInt16BE(at) === type) found.push(data.length === 4 ? data.join(".") : ipv6(data));
      at += 10 + length;
    }
  } catch {
    return "the answer is malformed";
  }
  return found.length > 0 ? found : "no address of this type";
}

/** A name ends with an empty label, or with a pointer of two bytes to the rest of it (RFC 1035, 4.1.4). */
function skipName(message: Buffer, at: number): number {
  for (let length = message.readUInt8(at); length !== 0; length = message.readUInt8(at)) {
    if (length >= 0xc0) return at + 2;
    at += 1 + length;
  }
  return at + 1;
}

function ipv6(data: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => data.readUInt16BE(2 * index).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
