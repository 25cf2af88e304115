import { readFileSync, rmSync } from "node:fs";
import { arch, release, tmpdir, type } from "node:os";
import { join } from "node:path";
import {
  lookup_host,
  Poller,
  Result,
  TcpListener,
  TcpStream,
  UdpSocket,
  UnixListener,
  UnixStream,
} from "std-net";
import { Failure } from "../error.ts";
import { platform } from "../sys/index.ts";
import { loadKoffi } from "../sys/koffi.ts";
import { nodeTls } from "../tls/node-defaults.ts";
import { chosenOpenssl, openssl } from "../tls/openssl.ts";
import { usesOpensslDirectory } from "../tls/trust.ts";
import { type Command, FAILURE, parse, printable, SUCCESS, UsageError } from "./command.ts";
import { type Finding, proxyFindings } from "./doctor-proxies.ts";
import { paintFor } from "./print.ts";

export const doctor: Command = {
  name: "doctor",
  summary: "say what of the system works here: the beginning of a bug report",
  help: `Usage: std-net doctor

Tries what the library needs of the system, on this computer alone (nothing is sent to another), and prints a line for each:
ok, "no" for what one can do without, and FAILED with what to do. Passwords of proxies are not printed.

Examples:
  std-net doctor
  NODE_USE_ENV_PROXY=1 std-net doctor

Exit status: 0 when nothing failed, 1 otherwise, 2 for wrong usage.
`,
  options: {},
  run(args) {
    const { positionals } = parse(args, {});
    if (positionals.length > 0) throw new UsageError(`unexpected argument '${positionals[0]}'`);
    const paint = paintFor(process.stdout);
    const words = {
      ok: paint("green", "ok"),
      fact: "  ",
      no: paint("yellow", "no"),
      bad: paint("red", "FAILED"),
    };
    let isWell = true;
    for (const { name, state, text } of findings()) {
      isWell &&= state !== "bad";
      process.stdout.write(`${name.padEnd(WIDTH)}${words[state]} ${printable(text)}\n`);
    }
    return isWell ? SUCCESS : FAILURE;
  },
};

const WIDTH = 16;

function* findings(): Iterable<Finding> {
  yield fact("std-net", versionOf(new URL("../package.json", import.meta.url)));
  yield fact("runtime", runtime());
  yield fact("system", `${type()} ${release()} ${arch()}${libc()}`);
  yield fact("options", options());
  yield nativePart();
  yield waiting();
  yield outcome("IPv4", tcpOver("127.0.0.1:0"), "bad");
  yield outcome("IPv6", tcpOver("[::1]:0"), "no");
  yield outcome("UDP", udp(), "bad");
  yield outcome("Unix sockets", unixSockets(), "no");
  yield outcome("poller", poller(), "bad");
  yield lookup();
  yield tls();
  yield trust();
  yield* proxyFindings(process.env);
  yield descriptors();
}

function fact(name: string, text: string): Finding {
  return { name, state: "fact", text };
}

function outcome(name: string, result: Result<string, string>, otherwise: "no" | "bad"): Finding {
  return result.match({
    Ok: (text) => ({ name, state: "ok" as const, text }),
    Err: (text) => ({ name, state: otherwise, text }),
  });
}

function versionOf(file: URL): string {
  return JSON.parse(readFileSync(file, "utf8")).version;
}

function runtime(): string {
  const { bun, deno, node, electron } = process.versions;
  const others = [bun && `Bun ${bun}`, deno && `Deno ${deno}`, electron && `Electron ${electron}`];
  const names = others.filter((name) => typeof name === "string");
  return names.length > 0 ? `${names.join(", ")} (as Node ${node})` : `Node ${node}`;
}

interface Report {
  readonly header?: { readonly glibcVersionRuntime?: string };
  readonly userLimits?: { readonly open_files?: { readonly soft?: unknown; readonly hard?: unknown } };
}

/** What the runtime reports of itself, without the network's interfaces; nothing where it cannot. */
function report(): Report {
  // On Windows it has nothing that is asked of it here, and takes seconds.
  if (process.platform === "win32") return {};
  try {
    const reporter = process.report as { excludeNetwork?: boolean; getReport(): object };
    reporter.excludeNetwork = true;
    return reporter.getReport() as Report;
  } catch {
    return {};
  }
}

function libc(): string {
  const version = report().header?.glibcVersionRuntime;
  return version === undefined ? "" : `, glibc ${version}`;
}

/** Their names alone: a value can be a secret. */
function options(): string {
  const given = [...process.execArgv, ...(process.env["NODE_OPTIONS"] ?? "").split(/\s+/)];
  const names = given.filter((text) => text.startsWith("-")).map((text) => text.replace(/=.*/, ""));
  return names.length === 0 ? "none" : names.join(" ");
}

function nativePart(): Finding {
  const sys = platform();
  if (sys instanceof Failure) return { name: "native part", state: "bad", text: sys.reason };
  return { name: "native part", state: "ok", text: `koffi ${loadKoffi().version}` };
}

function waiting(): Finding {
  const sys = platform();
  if (sys instanceof Failure)
    return { name: "waiting", state: "bad", text: "unknown without the native part" };
  const way = sys.behaviour.kernelEndsWaits
    ? "in the call, the kernel ends it"
    : "in poll, the call never waits";
  const asked = process.env["STD_NET_WAIT"];
  return fact("waiting", asked === undefined ? way : `${way} (STD_NET_WAIT=${asked})`);
}

/** A connection to this very program, and a byte over it. */
function tcpOver(address: string): Result<string, string> {
  return TcpListener.bind(address).andThen((listener) => {
    const reached = listener
      .local_addr()
      .andThen((own) => TcpStream.connect_timeout(own, LIMIT))
      .andThen((stream) => {
        listener.set_accept_timeout(LIMIT);
        return listener.accept().andThen((accepted) => {
          const read = echo(stream, accepted);
          stream.close();
          accepted.close();
          return read;
        });
      });
    listener.close();
    return reached;
  });
}

function echo(from: TcpStream | UnixStream, to: TcpStream | UnixStream): Result<string, string> {
  to.set_read_timeout(LIMIT);
  return from
    .write_all("x")
    .andThen(() => to.read_exact(1))
    .map(() => "connects, accepts, sends and receives");
}

function udp(): Result<string, string> {
  return UdpSocket.bind("127.0.0.1:0").andThen((socket) => {
    socket.set_read_timeout(LIMIT);
    const received = socket
      .local_addr()
      .andThen((own) => socket.send_to("x", own))
      .andThen(() => socket.recv_from(1))
      .map(() => "sends and receives");
    socket.close();
    return received;
  });
}

function unixSockets(): Result<string, string> {
  const path = join(tmpdir(), `std-net-doctor-${process.pid}-${Date.now()}`);
  return UnixListener.bind(path).andThen((listener) => {
    listener.set_accept_timeout(LIMIT);
    const reached = UnixStream.connect(path).andThen((stream) =>
      listener.accept().andThen((accepted) => {
        const read = echo(stream, accepted);
        stream.close();
        accepted.close();
        return read;
      }),
    );
    listener.close();
    rmSync(path, { force: true });
    return reached;
  });
}

function poller(): Result<string, string> {
  return Poller.create().andThen((made) => {
    const socket = UdpSocket.bind("127.0.0.1:0");
    const waited = socket
      .andThen((open) => made.add(open, { writable: true }))
      .andThen(() => made.wait(LIMIT));
    made.close();
    if (socket.isOk) socket.value.close();
    return waited.andThen((events) =>
      events.length === 1
        ? Result.ok("waits for sockets")
        : Result.err("it does not see a socket that is ready"),
    );
  });
}

function lookup(): Finding {
  const found = lookup_host("localhost:80");
  const sys = platform();
  if (found.isErr || sys instanceof Failure) {
    return { name: "lookup", state: "bad", text: found.isErr ? found.error : "" };
  }
  const addresses = found.value.map((address) => address.replace(/:80$/, "")).join(" and ");
  const limits =
    sys.lookup === null ? "without time limits: a lookup ends when the system ends it" : "with time limits";
  return { name: "lookup", state: "ok", text: `localhost is ${addresses}; ${limits}` };
}

function tls(): Finding {
  const ssl = openssl();
  if (ssl instanceof Failure) return { name: "TLS", state: "bad", text: ssl.reason };
  const { version, file } = chosenOpenssl()!;
  const from = file === null ? "that the runtime exports" : `of the system (${file})`;
  return { name: "TLS", state: "ok", text: `${version}, ${from}` };
}

function trust(): Finding {
  const ssl = openssl();
  if (ssl instanceof Failure) return { name: "trust", state: "bad", text: "unknown without OpenSSL" };
  const { getCACertificates, rootCertificates } = nodeTls();
  const isDirectory = usesOpensslDirectory(ssl);
  const count = (getCACertificates?.("default") ?? rootCertificates).length;
  const list = isDirectory
    ? "OpenSSL's directory (SSL_CERT_FILE, SSL_CERT_DIR)"
    : `${count} certificates that Node trusts`;
  const extra = process.env["NODE_EXTRA_CA_CERTS"];
  if (!extra) return fact("trust", list);
  try {
    const more = readFileSync(extra, "latin1").split("-----BEGIN").length - 1;
    return { name: "trust", state: "ok", text: `${list}; NODE_EXTRA_CA_CERTS has ${more}` };
  } catch (thrown) {
    const reason = (thrown as NodeJS.ErrnoException).code ?? "unknown error";
    return {
      name: "trust",
      state: "no",
      text: `${list}; the file of NODE_EXTRA_CA_CERTS cannot be read (${reason})`,
    };
  }
}

function descriptors(): Finding {
  const limits = report().userLimits?.open_files;
  if (limits?.soft === undefined) return fact("descriptors", "the runtime tells of no limit");
  return fact("descriptors", `at most ${limits.soft} open at a time (hard limit: ${limits.hard})`);
}

/** Milliseconds for what takes microseconds. */
const LIMIT = 2000;
