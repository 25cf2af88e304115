import { isMainThread, threadId, type Worker } from "node:worker_threads";
import { Failure } from "../error.ts";
import { onlyOnce } from "../runtime/once-per-process.ts";
import { sharedMemory } from "../runtime/shared-memory.ts";
import { type OpenSsl, openssl, type Pointer } from "./openssl.ts";

/**
 * What worker threads own of OpenSSL's memory, which belongs to the process: nothing of a worker's is finalized when it
 * ends, and a terminated one runs nothing more, so that its parent must free it. (OpenSSL lets any thread free what no
 * other uses; the worker's own thread is over by then. It cannot do so itself at its end: a listener of the program's may
 * still come and use them. So a worker whose parent has not loaded this library leaves its own behind.) And the
 * certificates that are trusted, which all threads share.
 */

/** What all threads of a process own beyond so many stays when a worker is terminated. */
const PLACES = 16_384;

/** The kinds of objects; they are kept in the lowest bits of their addresses, which malloc leaves 0. */
export const CONNECTION = 1n;
export const SESSION = 2n;
export const CONTEXT = 3n;
type Kind = typeof CONNECTION | typeof SESSION | typeof CONTEXT;
const KINDS = 3n;

const memory = sharedMemory(
  "tls-objects",
  PLACES * (BigUint64Array.BYTES_PER_ELEMENT + Int32Array.BYTES_PER_ELEMENT),
);
/** For each place the object there; 0 is none. The first is the trust's. */
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

/** It does not any more. To be said before the object is freed. */
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
    // Another copy of this library may be about to do the same.
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
