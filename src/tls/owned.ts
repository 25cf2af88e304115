import { isMainThread, threadId, type Worker } from "node:worker_threads";
import { Failure } from "../error.ts";
import { onlyOnce } from "../runtime/once-per-process.ts";
import { sharedMemory } from "../runtime/shared-memory.ts";
import { type OpenSsl, openssl, type Pointer } from "./openssl.ts";

/**
 * The objects of OpenSSL that worker threads own, and the trusted certificates, which all threads share.
 *
 * OpenSSL's memory belongs to the process. When a worker ends, nothing of it is finalized, and a terminated worker runs no
 * code any more, so its parent must free its objects. (OpenSSL lets any thread free what no other thread uses, and the
 * worker's thread is over by then. The worker cannot free them at its own end, because a listener of the program may still
 * use them. So a worker leaves its objects behind when its parent has not loaded this library.)
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

onlyOnce("tls-objects", () => {
  process.on("worker", (worker: Worker) => {
    const thread = worker.threadId;
    worker.prependOnceListener("exit", () => freeAllOf(thread));
  });
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
    if (Atomics.compareExchange(owners, place, 0, threadId) !== 0) continue;
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
  Atomics.store(owners, place, 0);
}

function freeAllOf(thread: number): void {
  let ssl: OpenSsl | Failure | undefined;
  for (let place = 1; place < PLACES; place++) {
    if (owners[place] !== thread) continue;
    // Another copy of this library may do the same at the same time.
    const object = Atomics.exchange(objects, place, 0n);
    Atomics.store(owners, place, 0);
    if (object === 0n) continue;
    ssl ??= openssl();
    if (ssl instanceof Failure) return;
    free(ssl, object & KINDS, object & ~KINDS);
  }
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
