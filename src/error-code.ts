import { errorName } from "./sys/error-name.ts";

/**
 * The symbolic name of the error at the end of an error text. Does not block.
 *
 * @param message an error of this library, such as `tcp read failed: Resource temporarily unavailable (os error 11)`
 * @returns `"EAGAIN"`, `"ECONNREFUSED"` and so on: the name of the system error whose number ends the text, or
 * `"ETIMEDOUT"` for `connection timed out` and `timed out`, with which a time limit of this library ends a call. Null when
 * the text ends with neither (or is none). Source: errno(3).
 *
 * @example
 * ```ts
 * import { error_code, TcpStream } from "std-net";
 *
 * const result = TcpStream.connect("127.0.0.1:1");
 * if (result.isErr) console.log(error_code(result.error)); // ECONNREFUSED
 * console.log(error_code("http request failed: timed out")); // ETIMEDOUT
 * console.log(error_code("invalid buffer size")); // null
 * ```
 */
export function error_code(message: string): string | null {
  if (typeof message !== "string") return null;
  const found = SYSTEM_ERROR.exec(message);
  if (found === null) return TIMED_OUT.test(message) ? "ETIMEDOUT" : null;
  return errorName(Number(found[1]));
}

const SYSTEM_ERROR = /\(os error (\d{1,5})\)$/;

/** Only directly behind what failed, because what a caller's `toJSON` throws may end with these words too. */
const TIMED_OUT = /(?:^|(?:failed|failed to connect): )(?:connection )?timed out$/;

/**
 * Whether a time limit caused this error: of connecting, reading, writing, accepting, looking up a name, a TLS handshake
 * or an HTTP call. Does not block.
 *
 * A read, a write or an accept whose time is over fails with EAGAIN, as in Rust. A call that would have to wait in
 * non-blocking mode fails with the same text, so this is true for it too. The program knows which mode it has set.
 *
 * @param message an error of this library, such as `http request failed: timed out`
 * @returns true when `error_code` says ETIMEDOUT or EAGAIN. Source: socket(7), SO_RCVTIMEO; connect(2), ETIMEDOUT.
 *
 * @example
 * ```ts
 * import { is_timeout, TcpStream, UdpSocket } from "std-net";
 *
 * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
 * socket.set_read_timeout(20);
 * const received = socket.recv(1500);
 * console.log(received.isErr && is_timeout(received.error)); // true
 *
 * const refused = TcpStream.connect("127.0.0.1:1");
 * console.log(refused.isErr && is_timeout(refused.error)); // false
 * ```
 */
export function is_timeout(message: string): boolean {
  const code = error_code(message);
  return code === "ETIMEDOUT" || code === "EAGAIN";
}
