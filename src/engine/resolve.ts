import { isMainThread } from "node:worker_threads";
import { parseAddress } from "../address.ts";
import { Failure } from "../error.ts";
import { monotonicTime } from "../runtime/clock.ts";
import { type Platform, systemReason } from "../sys/index.ts";
import { lasting } from "../sys/pinned-memory.ts";
import { encodeAddress, setPort } from "../sys/structs.ts";
import { networkPlatform } from "./permission.ts";
import { addressText } from "./socket-address.ts";
import { signalListenersExist, takeSignal, takeUnseenSignal } from "./wait/signals.ts";
import { comeBackToJavaScript, FOREVER, longestSlice } from "./wait/slices.ts";

/** The longest name that getnameinfo(3) can give (NI_MAXHOST); nothing longer can resolve, so the resolver is not called. */
export const LONGEST_NAME = 1025;

/** How often a lookup is made whose errno is not known. */
const MOST_ATTEMPTS = 2;

const LOOKUP_FAILED = "failed to lookup address information: ";

// The last numeric address: programs use one again and again, and to parse it takes longer than to send to it.
let known: { text: string; addresses: Buffer[] } | undefined;

/**
 * The socket addresses that "host:port" text stands for, in the resolver's order and at least one; or the text of
 * the error. A numeric address is parsed here. A name goes to the system's resolver, which blocks until it
 * has a result or, where the system can do that, until the deadline.
 */
export function resolve(
  sys: Platform,
  text: string,
  type: number,
  deadline: number = FOREVER,
): Buffer[] | Failure {
  const parsed = numericOrName(sys, text);
  if (parsed instanceof Failure || Array.isArray(parsed)) return parsed;
  const { host, port } = parsed;
  return lookedUp(
    sys,
    host.length > LONGEST_NAME ? sys.constants.EAI_NONAME : lookUp(sys, host, port, type, deadline),
  );
}

/** A name that the resolver is to look up. */
export interface HostName {
  readonly host: string;
  readonly port: number;
}

/** The address that numeric "host:port" text stands for; or the name, where it has one; or the text of the error. */
export function numericOrName(sys: Platform, text: string): Buffer[] | HostName | Failure {
  if (text === known?.text) return known.addresses;
  const parsed = parseAddress(text);
  if (typeof parsed === "string") return new Failure(parsed);
  if (parsed.ip === null) return parsed;
  const scope = scopeId(sys, parsed.scope);
  if (scope instanceof Failure) return scope;
  const addresses = [encodeAddress(sys, parsed.ip, parsed.port, scope)];
  // The number behind an interface's name can change.
  if (parsed.scope === "" || isScopeNumber(parsed.scope)) known = { text, addresses: addresses.map(lasting) };
  return addresses;
}

/** What the resolver has found, or why there is no address. */
export function lookedUp(sys: Platform, found: Buffer[] | number | Failure): Buffer[] | Failure {
  if (found instanceof Failure) return found;
  if (typeof found === "number") return new Failure(LOOKUP_FAILED + sys.gaiStrerror(found));
  return found.length > 0 ? found : new Failure(`${LOOKUP_FAILED}no address of a known family`);
}

/** The same as text, for streams. */
export function resolveToText(text: string): string[] | Failure {
  const sys = networkPlatform();
  if (sys instanceof Failure) return sys;
  const addresses = resolve(sys, text, sys.constants.SOCK_STREAM);
  return addresses instanceof Failure ? addresses : addresses.map((address) => addressText(sys, address));
}

/** The number of an IPv6 scope that was given as an interface's name or number; or the text of the error. */
function scopeId(sys: Platform, scope: string): number | Failure {
  if (scope === "") return 0;
  if (isScopeNumber(scope)) {
    const number = Number(scope);
    return number <= 0xffffffff ? number : new Failure("invalid socket address");
  }
  const index = sys.interfaceIndex(scope);
  return index > 0 ? index : new Failure(systemReason(sys, sys.errno()));
}

function isScopeNumber(scope: string): boolean {
  return /^[0-9]{1,10}$/.test(scope);
}

/** getaddrinfo's result; or a text when the wait for it was ended, or when errno says why it failed. */
function lookUp(
  sys: Platform,
  host: string,
  port: number,
  type: number,
  deadline: number,
): Buffer[] | number | Failure {
  for (let attempts = 1; ; attempts++) {
    const found = judged(sys, lookUpOnce(sys, host, port, type, deadline), attempts);
    if (found !== null) return found;
  }
}

/** The result of a lookup that was made so many times, or why there is none; null where it is worth another one. */
export function judged(
  sys: Platform,
  found: Buffer[] | number | Failure,
  attempts: number,
): Buffer[] | number | Failure | null {
  if (typeof found !== "number") return found;
  // Without a descriptor the resolver reads no file and asks no server, and what it makes of that is one code or another.
  const shortage = shortageOf(sys);
  if (shortage !== null) return shortage;
  // It may have been so, and be over.
  return found === sys.constants.EAI_SYSTEM && attempts < MOST_ATTEMPTS ? null : found;
}

/** Why a lookup must fail where no descriptor is to be had (EMFILE, ENFILE); else null. */
export function shortageOf(sys: Platform): Failure | null {
  const { AF_UNIX, SOCK_DGRAM, EMFILE, ENFILE } = sys.constants;
  const descriptor = sys.socket(AF_UNIX, SOCK_DGRAM, 0);
  if (descriptor >= 0) {
    sys.close(descriptor);
    return null;
  }
  const errno = sys.errno();
  return errno === EMFILE || errno === ENFILE ? new Failure(LOOKUP_FAILED + systemReason(sys, errno)) : null;
}

/** Nothing ends this one. */
export function lookUpHere(
  sys: Platform,
  host: string,
  port: number,
  type: number,
): Buffer[] | number | Failure {
  const found = sys.getaddrinfo(host, port, type);
  // (The other way's errno is that of the thread that made the call, and gone with it.)
  return found === sys.constants.EAI_SYSTEM
    ? new Failure(LOOKUP_FAILED + systemReason(sys, sys.errno()))
    : found;
}

function lookUpOnce(
  sys: Platform,
  host: string,
  port: number,
  type: number,
  deadline: number,
): Buffer[] | number | Failure {
  // A thread for the lookup is only worth its while where something could end the wait.
  const mayEnd = !isMainThread || deadline !== FOREVER || signalListenersExist();
  const handle = mayEnd && sys.lookup !== null ? sys.lookup.start(host, type) : null;
  // Where no thread can be had (RLIMIT_NPROC of getrlimit(2), a container's limit) a lookup that nothing ends is better
  // than none.
  if (sys.lookup === null || handle === null) return lookUpHere(sys, host, port, type);
  for (;;) {
    const remaining = deadline - monotonicTime();
    const begun = monotonicTime();
    const slice = Math.max(1, Math.min(remaining, longestSlice));
    if (sys.lookup.wait(handle, slice)) return sys.lookup.finish(handle, port);
    if (monotonicTime() >= deadline) {
      sys.lookup.abandon(handle);
      return new Failure("connection timed out");
    }
    comeBackToJavaScript();
    // Back before its time without a result: a signal.
    const isInterrupted = monotonicTime() - begun < slice - 1;
    if (isInterrupted ? takeSignal() : takeUnseenSignal()) {
      sys.lookup.abandon(handle);
      return new Failure(systemReason(sys, sys.constants.EINTR));
    }
  }
}

/** The same addresses with another port. */
export function withPort(addresses: readonly Buffer[], port: number): Buffer[] {
  return addresses.map((address) => {
    const copy = Buffer.from(address);
    setPort(copy, port);
    return copy;
  });
}
