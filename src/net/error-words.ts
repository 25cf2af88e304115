/**
 * The beginning of every error of the public classes, in one table. An error text has two parts: what failed (from here) and
 * why (from `Transport.reason`: the system's text and number, or that of the TLS library).
 *
 *   tcp read failed: Connection reset by peer (os error 104)
 *
 * A prefix is the kind of the object, the member and "failed: ". The table names the exceptions.
 */
export class ErrorWords {
  /** What every member gives after `close`. */
  readonly invalid: string;
  readonly #kind: string;
  /** By member: the exceptions, and what was made before. */
  readonly #prefixes: Map<string, string>;

  constructor(kind: string, invalid: string, exceptions: { readonly [member: string]: string } = {}) {
    this.#kind = kind;
    this.invalid = invalid;
    this.#prefixes = new Map(Object.entries(exceptions));
  }

  /** `tcp read failed: `, with the space. */
  prefix(member: string): string {
    let prefix = this.#prefixes.get(member);
    if (prefix === undefined) {
      prefix = `${this.#kind} ${member} failed: `;
      this.#prefixes.set(member, prefix);
    }
    return prefix;
  }
}

const toConnect = { connect: "failed to connect: " };

export const TCP_STREAM = new ErrorWords("tcp", "invalid tcp stream", toConnect);
export const TCP_LISTENER = new ErrorWords("tcp listener", "invalid tcp listener");
export const TLS_STREAM = new ErrorWords("tls", "invalid tls stream", toConnect);
/** `send_to` and `recv_from` say `send` and `recv`, for all datagram sockets. */
export const UDP_SOCKET = new ErrorWords("udp", "invalid udp socket");
export const UNIX_STREAM = new ErrorWords("unix", "invalid unix stream");
export const UNIX_LISTENER = new ErrorWords("unix listener", "invalid unix listener");
export const UNIX_DATAGRAM = new ErrorWords("unix", "invalid unix datagram");
export const HTTP_BODY = new ErrorWords("http", "invalid body");
export const POLLER = new ErrorWords("poller", "invalid poller");

export const LOOKUP_HOST_FAILED = "lookup_host failed: ";
