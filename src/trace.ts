import { debuglog } from "node:util";
import { Unit } from "./result.ts";
import { monotonicTime } from "./runtime/clock.ts";
import { type Around, wrapCall, wrapClass } from "./wrap-calls.ts";

/**
 * With NODE_DEBUG=std-net, one line on standard error for each call: operation, addresses, sizes, result,
 * microseconds. Of what is sent and received only the size is told; no header, query, option or key ever is.
 *
 * Whether there is a trace is decided once, when the library is loaded. Without one, every call is the very function
 * that its own file defines.
 */
const log = debuglog("std-net");
// (Bun's has no `enabled`, and decides in each call.)
const isTraced = (process.env["NODE_DEBUG"] ?? "") !== "" && (log.enabled as boolean | undefined) !== false;

/** Traces the methods of these classes, if calls are traced at all. */
export function traceClasses(...classes: readonly object[]): void {
  if (isTraced) for (const each of classes) wrapClass(each, trace);
}

/** The function itself; or, if calls are traced, one that does the same and traces it. */
export function traced<F extends (...args: never[]) => unknown>(name: string, call: F): F {
  return isTraced ? wrapCall(name, call, trace) : call;
}

const trace: Around = (name, self, args, proceed) => {
  // Read before the call, because the call may be `close`.
  const where = endpoints(self);
  const begin = monotonicTime();
  const outcome = proceed();
  const microseconds = ((monotonicTime() - begin) * 1000).toFixed(0);
  const addresses = ADDRESS_ARGUMENTS[name.slice(name.indexOf(".") + 1)] ?? [];
  const given = args
    .map((argument, index) =>
      typeof argument === "string" && addresses.includes(index)
        ? JSON.stringify(argument)
        : describe(argument),
    )
    .filter((text) => text !== "undefined");
  const on = where === "" ? "" : ` on ${where}`;
  log("%s", oneLine(`${name}(${given.join(", ")})${on}: ${outcomeText(outcome)}, ${microseconds} us`));
  return outcome;
};

/** Where a call takes a text that may be told, by the argument's position; every other text is data. */
const ADDRESS_ARGUMENTS: { readonly [call: string]: readonly number[] } = {
  connect: [0],
  connect_timeout: [0],
  client: [1],
  bind: [0],
  send_to: [1],
  shutdown: [0],
  join_multicast_v4: [0, 1],
  leave_multicast_v4: [0, 1],
  join_multicast_v6: [0],
  leave_multicast_v6: [0],
  lookup_host: [0],
};

/** A path, a name or what a peer sent may hold anything: no new line, nothing that steers a terminal. */
function oneLine(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

function outcomeText(outcome: unknown): string {
  if (outcome === undefined) return "done";
  const result = outcome as { isOk?: boolean; isErr?: boolean; value: unknown; error: unknown };
  if (result.isErr === true) return `error: ${withoutValues(String(result.error))}`;
  if (result.isOk !== true) return describe(outcome);
  const { value } = result;
  if (value === Unit) return "ok";
  // The addresses that a call gives are texts; no call gives data as one.
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return typeof value[0] === "string" ? value.join(" ") : elements(value);
  return describe(value);
}

/** The one error that quotes the value of a header, which may be anything. */
function withoutValues(error: string): string {
  return error.replace(/(unknown content coding) '.*'$/s, "$1");
}

/** A datagram with its sender, or the events of a Poller. */
function elements(list: readonly unknown[]): string {
  const [bytes, sender] = list;
  return bytes instanceof Uint8Array
    ? `${bytes.length} bytes from ${String(sender)}`
    : `${list.length} elements`;
}

function describe(value: unknown): string {
  try {
    return description(value);
  } catch {
    // A getter or a proxy's trap threw. The call itself has an error result for that.
    return "what cannot be looked at";
  }
}

function description(value: unknown): string {
  if (typeof value === "string") return `${Buffer.byteLength(value)} bytes`;
  if (typeof value !== "object" || value === null)
    return typeof value === "function" ? "function" : String(value);
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  if (Array.isArray(value)) return `${value.length} bytes`;
  const kind = value.constructor?.name ?? "Object";
  if (kind === "") return "an iterator";
  if (kind !== "Object") return `${kind} ${endpoints(value)}`.trimEnd();
  return message(value) ?? "options";
}

/** The first line of an HTTP message, less what may be secret: credentials and query. */
function message(value: object): string | undefined {
  const { method, url, path, status } = value as { [field: string]: unknown };
  if (typeof status === "number") return `status ${status}`;
  if (typeof method !== "string") return undefined;
  const target =
    typeof path === "string"
      ? path.replace(/^(\w+:\/\/)[^/]*@/, "$1")
      : typeof url === "string"
        ? withoutSecrets(url)
        : "";
  return `${method} ${target}`.trimEnd();
}

function withoutSecrets(text: string): string {
  try {
    const { protocol, host, pathname } = new URL(text);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return "an invalid URL";
  }
}

/** `127.0.0.1:50000 -> 127.0.0.1:80`; or the one address there is; or nothing. */
function endpoints(value: unknown): string {
  return [address(value, "local_addr"), address(value, "peer_addr")]
    .filter((text) => text !== "")
    .join(" -> ");
}

function address(value: unknown, member: "local_addr" | "peer_addr"): string {
  const ask = (value as { [name: string]: unknown } | null | undefined)?.[member];
  if (typeof ask !== "function") return "";
  const result: { isOk: boolean; value: unknown } = ask.call(value);
  return result.isOk ? String(result.value) : "";
}
