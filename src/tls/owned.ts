import { isMainThread } from "node:worker_threads";
import { Failure } from "../error.ts";
import { OwnershipTable } from "../runtime/ownership.ts";
import { sharedMemory } from "../runtime/shared-memory.ts";
import { type OpenSsl, openssl, type Pointer } from "./openssl.ts";

/**
 * The objects of OpenSSL that worker threads own, and the trusted certificates, which all threads share.
 *
 * OpenSSL's memory belongs to the process, so the parent of a worker frees its objects. (OpenSSL lets any thread free what no
 * other thread uses. The worker cannot free them at its own end, because a listener of the program may still use them.)
 */

/** How many objects the table holds for all threads. Objects beyond them stay in memory when a worker is terminated. */
const PLACES = 16_384;

/** The kinds of objects. A kind is stored in the lowest bits of the address, which malloc leaves 0. */
export const CONNECTION = 1n;
export const SESSION = 2n;
export const CONTEXT = 3n;
type Kind = typeof CONNECTION | typeof SESSION | typeof CONTEXT;
const KINDS = 3n;

const memory = sharedMemory(
  "tls-objects",
  PLACES * (BigUint64Array.BYTES_PER_ELEMENT + Int32Array.BYTES_PER_ELEMENT),
);
/** For each place the object there; 0 is none. The first place has the trusted certificates. */
const objects = new BigUint64Array(memory, 0, PLACES);
/** For each place the worker thread that owns it; 0 is none. */
const owners = new Int32Array(memory, objects.byteLength, PLACES);

const table = new OwnershipTable<bigint>("tls-objects", owners, {
  takeOut(place) {
    const object = Atomics.exchange(objects, place, 0n);
    return object === 0n ? null : object;
  },
  free(object) {
    const ssl = openssl();
    if (!(ssl instanceof Failure)) free(ssl, object & KINDS, object & ~KINDS);
  },
});

/** Where this worker's objects are. */
const places = new Map<Pointer, number>();
let nextPlace = 1;

/** This thread owns the object from now on. */
export function own(kind: Kind, object: Pointer): void {
  if (isMainThread) return;
  for (let tried = 1; tried < PLACES; tried++) {
    const place = nextPlace;
    nextPlace = place + 1 < PLACES ? place + 1 : 1;
    if (!table.claim(place)) continue;
    Atomics.store(objects, place, object | kind);
    places.set(object, place);
    return;
  }
}

/** This thread no longer owns the object. Must be called before the object is freed. */
export function disown(object: Pointer): void {
  const place = places.get(object);
  if (place === undefined) return;
  places.delete(object);
  Atomics.store(objects, place, 0n);
  table.release(place);
}

function free(ssl: OpenSsl, kind: bigint, object: Pointer): void {
  if (kind === CONNECTION) ssl.SSL_free(object);
  else if (kind === SESSION) ssl.SSL_SESSION_free(object);
  else ssl.SSL_CTX_free(object);
  ssl.ERR_clear_error();
}

/** The object that all threads share. The first thread that needs it makes it. */
export function shared(make: () => Pointer | Failure, drop: (object: Pointer) => void): Pointer | Failure {
  const known = Atomics.load(objects, 0);
  if (known !== 0n) return known;
  const made = make();
  if (made instanceof Failure) return made;
  const other = Atomics.compareExchange(objects, 0, 0n, made);
  if (other === 0n) return made;
  // Another thread was faster.
  drop(made);
  return other;
}
