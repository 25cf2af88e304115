// Stands in, under Wine, for a program of Linux: see host.js. Arguments: the command and its arguments.
import { connect } from "node:net";

const { STD_NET_HOST_PORT, STD_NET_HOST_KEY, STD_NET_DRIVE_C } = process.env;
const [command, ...args] = process.argv.slice(2);
/**
 * Drive Z: is Linux' root folder, and C: a folder of Wine's.
 *
 * @param {string} text
 */
const linuxPath = (text) => {
  const [, drive, rest] = /^([CZ]):(\\.*)$/is.exec(text) ?? [];
  if (drive === undefined) return text;
  return (drive.toUpperCase() === "C" ? STD_NET_DRIVE_C : "") + rest.replaceAll("\\", "/");
};
const socket = connect(Number(STD_NET_HOST_PORT), "127.0.0.1");
socket.setNoDelay(true);
socket.write(
  `${JSON.stringify({
    key: STD_NET_HOST_KEY,
    command,
    args: args.map(linuxPath),
    cwd: linuxPath(process.cwd()),
    env: process.env.STD_NET_GUEST_ENV ? JSON.parse(process.env.STD_NET_GUEST_ENV) : {},
  })}\n`,
);

/** @param {Buffer} content */
const sendInput = (content) => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(content.length, 1);
  socket.write(Buffer.concat([head, content]));
};
process.stdin.on("data", sendInput);
process.stdin.on("end", () => sendInput(Buffer.alloc(0)));

let bytes = Buffer.alloc(0);
socket.on("data", (content) => {
  bytes = Buffer.concat([bytes, content]);
  while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
    const type = bytes[0];
    const frame = bytes.subarray(5, 5 + bytes.readUInt32BE(1));
    bytes = bytes.subarray(5 + frame.length);
    if (type === 1) process.stdout.write(frame);
    else if (type === 2) process.stderr.write(frame);
    else finish(JSON.parse(frame.toString()));
  }
});
socket.on("error", (error) => finish({ code: 127, error: error.message }));

/** @param {{ code?: number | null, error?: string }} result */
function finish({ code, error }) {
  if (error !== undefined) process.stderr.write(`${error}\n`);
  process.exitCode = code ?? 1;
  process.stdin.destroy();
  socket.end();
}
