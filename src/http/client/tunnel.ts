import type { Socket } from "../../engine/socket.ts";
import { Failure } from "../../error.ts";
import { encode } from "../message/encode.ts";
import { DEFAULT_SECTION_LIMITS } from "../wire/limits.ts";
import { Connection } from "./connection.ts";
import { Exchange, type OwnReader, type ResponsePlan } from "./exchange.ts";
import type { Tunnel } from "./route.ts";

/** Behind the head of a 2xx is the tunnel, and nobody wants to see the body of a refusal. */
const HEAD_ALONE: ResponsePlan = {
  section: DEFAULT_SECTION_LIMITS,
  keepFields: false,
  mostBodyBytes: () => null,
  maxBodyBytes: 0,
  mayUpgrade: false,
};

/** Asks a proxy for a tunnel to the server (RFC 9110, 9.3.6): undefined, or why there is none. */
export function digTunnel(
  { address, authorization }: Tunnel,
  socket: Socket,
  reader: OwnReader,
  deadline: number,
): Failure | undefined {
  const credentials = authorization === null ? "" : `Proxy-Authorization: ${authorization}\r\n`;
  const request = encode(`CONNECT ${address} HTTP/1.1\r\nHost: ${address}\r\n${credentials}\r\n`, "");
  const exchange = new Exchange(new Connection(socket), reader, request, "CONNECT", HEAD_ALONE, deadline);
  exchange.advance();
  const { head } = exchange;
  if (head === null) return new Failure(`proxy CONNECT failed: ${exchange.failure?.reason}`);
  if (head.status >= 300) {
    return new Failure(`proxy refused CONNECT: ${`${head.status} ${head.reason}`.trim()}`);
  }
  // The server waits for the client's first TLS message: whatever has come by now is not its own.
  const { start, end } = reader.input;
  return start === end ? undefined : new Failure("proxy CONNECT failed: unexpected bytes in the tunnel");
}
