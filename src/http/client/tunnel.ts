import type { Socket } from "../../engine/socket.ts";
import { Failure } from "../../error.ts";
import { encode } from "../message/encode.ts";
import { DEFAULT_SECTION_LIMITS } from "../wire/limits.ts";
import { Connection } from "./connection.ts";
import { Exchange, type OwnReader, type ResponsePlan, type Want } from "./exchange.ts";
import type { Tunnel } from "./route.ts";

/** Behind the head of a 2xx is the tunnel, and nobody wants to see the body of a refusal. */
const HEAD_ALONE: ResponsePlan = {
  section: DEFAULT_SECTION_LIMITS,
  keepFields: false,
  mostBodyBytes: () => null,
  maxBodyBytes: 0,
  mayUpgrade: false,
};

/** The request for a tunnel to the server, to a proxy (RFC 9110, 9.3.6). */
export class TunnelRequest {
  readonly #exchange: Exchange;
  readonly #reader: OwnReader;

  constructor({ address, authorization }: Tunnel, socket: Socket, reader: OwnReader, deadline: number) {
    const credentials = authorization === null ? "" : `Proxy-Authorization: ${authorization}\r\n`;
    const request = encode(`CONNECT ${address} HTTP/1.1\r\nHost: ${address}\r\n${credentials}\r\n`, "");
    const connection = new Connection(socket);
    this.#reader = reader;
    this.#exchange = new Exchange(connection, reader, request, "CONNECT", HEAD_ALONE, deadline);
  }

  /** Goes on: null once the tunnel is there; what a non-blocking socket must be to go on; or why there is no tunnel. */
  advance(): Want | Failure | null {
    const want = this.#exchange.advance();
    if (want !== null) return want;
    const { head, failure } = this.#exchange;
    if (head === null) return new Failure(`proxy CONNECT failed: ${failure?.reason}`);
    if (head.status >= 300) {
      return new Failure(`proxy refused CONNECT: ${`${head.status} ${head.reason}`.trim()}`);
    }
    // The server waits for the client's first TLS message: whatever has come by now is not its own.
    const { start, end } = this.#reader.input;
    return start === end ? null : new Failure("proxy CONNECT failed: unexpected bytes in the tunnel");
  }
}
