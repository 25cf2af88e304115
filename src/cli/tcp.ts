import { once } from "node:events";
import { Result, TcpListener, TcpStream, type TlsConnectOptions, type UnixStream } from "std-net";
import {
  type Command,
  failure,
  type Options,
  onlyArgument,
  parse,
  SUCCESS,
  seconds,
  UsageError,
} from "./command.ts";
import { InputPump, standardInput } from "./input.ts";
import { bindRemedy, localAddress } from "./local-address.ts";
import { startReceiver, type Task } from "./receiver.ts";
import { type TlsFiles, tlsFrom, tlsOptions, withRemedy } from "./tls-files.ts";
import { localPair, type Report, type TlsSession } from "./tls-relay.ts";

const tcpOptions = {
  listen: { type: "boolean", short: "l", default: false },
  tls: { type: "boolean", default: false },
  ...tlsOptions,
  "server-name": { type: "string" },
  timeout: { type: "string" },
  wait: { type: "string", short: "w", default: "5" },
} as const satisfies Options;

export const tcp: Command = {
  name: "tcp",
  summary: "connect standard input and output to a TCP peer, over TLS too",
  help: `Usage: std-net tcp HOST:PORT [--tls] [--timeout SECONDS] [--wait SECONDS]
       std-net tcp --listen ADDRESS [--tls --cert FILE --key FILE]

Connects, or with --listen accepts one connection; sends standard input and prints what the peer sends, both at once, until
the peer closes the connection. At the end of standard input, the connection is closed for writing. When the peer closes
first, the rest of standard input is sent too. A port alone, 8080 or :8080, is one of this computer (127.0.0.1).

  -l, --listen            wait for one connection at this address in place of making one; port 0 lets the system pick one
      --tls               speak TLS
      --ca FILE           trust these certificates (PEM) and no others
      --cert FILE         the own certificate (PEM), and its key if it is in the same file; --listen --tls needs one
      --key FILE          the private key of the certificate (PEM)
  -k, --insecure          do not verify the server's certificate
      --server-name NAME  the name to ask for and to find in the certificate (the host)
      --timeout SECONDS   stop connecting, or waiting for a connection, after this time
  -w, --wait SECONDS      after the peer has closed, stop when standard input has given nothing for this time (5); with --tls
                          also: after all of standard input was sent, stop when the peer has sent nothing for this time

Examples:
  printf 'PING\\r\\nQUIT\\r\\n' | std-net tcp 127.0.0.1:6379
  printf 'HEAD / HTTP/1.0\\r\\nHost: example.com\\r\\n\\r\\n' | std-net tcp --tls example.com:443
  std-net tcp --listen 9000 > received.bin

Exit status: 0 when the peer closed the connection, 1 when it broke or could not be made, or when standard input could not
be read or sent to its end, 2 for wrong usage.
`,
  options: tcpOptions,
  async run(args) {
    const { values, positionals } = parse(args, tcpOptions);
    const address = localAddress(onlyArgument(positionals, "address, such as 127.0.0.1:6379"));
    const wait = seconds(values.wait, "wait")!;
    const timeout = seconds(values.timeout, "timeout");
    const tls = tlsFrom(values);
    checkTcpUsage(values, tls);
    const input = standardInput();
    const link = values.tls
      ? tlsLink(address, tls, values, timeout, wait)
      : plainLink(values.listen ? accept(address, timeout) : connect(address, timeout));
    if (link.isErr) return failure(link.error);
    const { stream, task } = link.value;

    const receiver = startReceiver(task);
    const pump = new InputPump(
      input,
      (bytes) => errorOf(stream.write_all(bytes)),
      () => errorOf(stream.shutdown("write")),
    );
    const broken = pump.ended.then((error) => {
      if (!pump.isBroken) return new Promise<never>(() => {});
      // Nothing more will be sent, and the peer may wait for it: the receiver prints what has come, and ends.
      stream.shutdown("both");
      return task.kind === "tls" ? [{ error }] : new Promise<never>(() => {});
    });
    const [end] = (await Promise.race([once(receiver, "message"), broken])) as [Report];
    const isOver = end.nobodyReads === true || end.error !== null;
    let error = isOver ? end.error : await pump.endedOrSilent(wait);
    pump.close();
    stream.close();
    if (end.goesOn && error === null) [{ error }] = (await once(receiver, "message")) as [Report];
    await receiver.terminate();
    return error === null ? SUCCESS : failure(withRemedy(error));
  },
};

function checkTcpUsage(values: TcpValues, tls: TlsFiles): void {
  const wantsTls = ["--server-name", "--ca", "--cert", "--key", "--insecure"].find((option) => {
    const value = values[option.slice(2) as keyof TcpValues];
    return value !== undefined && value !== false;
  });
  if (!values.tls && wantsTls !== undefined) throw new UsageError(`${wantsTls} is for TLS: add --tls`);
  if (values.listen && values.tls && tls.cert === undefined) {
    throw new UsageError("--listen --tls wants the server's certificate: --cert FILE --key FILE");
  }
  if (values.listen && (values.insecure || values["server-name"] !== undefined)) {
    throw new UsageError("--insecure and --server-name are for a client, not for --listen");
  }
}

type TcpValues = ReturnType<typeof parse<typeof tcpOptions>>["values"];

/** Where the main thread sends standard input to, and what the worker does. */
interface Link {
  readonly stream: TcpStream | UnixStream;
  readonly task: Task;
}

function connect(address: string, timeout: number | undefined): Result<TcpStream, string> {
  return timeout === undefined ? TcpStream.connect(address) : TcpStream.connect_timeout(address, timeout);
}

/** The first connection that comes. */
function accept(address: string, timeout: number | undefined): Result<TcpStream, string> {
  const bound = TcpListener.bind(address).mapErr(bindRemedy);
  return bound.andThen((listener) => {
    if (timeout !== undefined) listener.set_accept_timeout(timeout);
    process.stderr.write(`listening on ${listener.local_addr().unwrapOr("?")} (Ctrl-C stops it)\n`);
    const stream = listener.accept();
    listener.close();
    if (stream.isOk) process.stderr.write(`connection from ${stream.value.peer_addr().unwrapOr("?")}\n`);
    return stream;
  });
}

function plainLink(connected: Result<TcpStream, string>): Result<Link, string> {
  return connected.andThen((stream) =>
    stream
      .try_clone()
      .andThen((clone) => clone.into_fd())
      .map((descriptor) => ({ stream, task: { kind: "tcp", descriptor } })),
  );
}

function tlsLink(
  address: string,
  tls: TlsFiles,
  values: TcpValues,
  timeout: number | undefined,
  silence: number,
): Result<Link, string> {
  const session: Result<TlsSession, string> = values.listen
    ? accept(address, timeout)
        .andThen((stream) => stream.into_fd())
        .map((descriptor) => ({
          role: "server",
          descriptor,
          options: { ...tls, cert: tls.cert!, key: tls.key!, request_cert: tls.ca !== undefined },
        }))
    : Result.ok({ role: "client", address, options: clientOptions(tls, values, timeout) });
  return session.andThen((made) =>
    localPair().map(({ near, far, isUnix }) => ({
      stream: near,
      task: { kind: "tls", session: made, input: far, isUnix, silence },
    })),
  );
}

function clientOptions(tls: TlsFiles, values: TcpValues, timeout: number | undefined): TlsConnectOptions {
  const name = values["server-name"];
  return {
    ...tls,
    insecure: values.insecure,
    ...(name !== undefined && { server_name: name }),
    ...(timeout !== undefined && { timeout_ms: timeout }),
  };
}

function errorOf(result: Result<unknown, string>): string | null {
  return result.isErr ? result.error : null;
}
