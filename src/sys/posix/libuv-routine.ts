import type { PosixConstants } from "../constants.ts";
import { UV_GETADDRINFO, UV_LOOP } from "../structs.ts";
import type { Memory } from "./c-memory.ts";
import type { Libc } from "./libc.ts";

/**
 * A function that a new thread can begin with and that calls getaddrinfo(3). Such a function takes one pointer, and getaddrinfo takes four
 * arguments. Node brings one: libuv's `uv__getaddrinfo_work` takes the `work_req` of a uv_getaddrinfo_t, calls getaddrinfo
 * with what stands in the request, and writes the result into it. It has no name that could be looked up, but libuv writes its address
 * into each such request.
 *
 * So one request is made, for a number, which needs no name server. The pool's thread takes the address out again once it
 * has run, but locks the loop's mutex before that (`worker` in libuv's threadpool.c), and here that mutex is held. The loop is
 * private, so nobody else waits for it.
 *
 * Programs have requests and loops in memory of their own, so their layout is part of the ABI of libuv 1.x. All that is used of it is
 * checked all the same.
 */

/** uv_req_type and uv_run_mode (uv.h). */
const GETADDRINFO_REQUEST = 8;
const UV_RUN_DEFAULT = 0;
/** UV_EAI_CANCELED of uv/errno.h. */
const UV_EAI_CANCELED = -3003;

const HOST = "127.0.0.1";

/** How long threads last that only show that they can be had, in microseconds. */
const TOGETHER = 1000;

/**
 * The address of that function; null when this libuv is not as it is known here, undefined when a loop or a thread could not be
 * had now.
 */
export function findGetaddrinfoRoutine(
  library: Libc["library"],
  memory: Memory,
  numbers: PosixConstants,
): bigint | null | undefined {
  try {
    return askLoop(library, memory, numbers);
  } catch {
    return null; // A program that has Node inside need not export libuv's functions.
  }
}

function askLoop(
  library: Libc["library"],
  memory: Memory,
  numbers: PosixConstants,
): bigint | null | undefined {
  const uv_req_size = library.func("uint64_t uv_req_size(int)");
  const uv_loop_size = library.func("uint64_t uv_loop_size()");
  const uv_loop_init = library.func("int uv_loop_init(uintptr_t)");
  const uv_loop_close = library.func("int uv_loop_close(uintptr_t)");
  if (Number(uv_req_size(GETADDRINFO_REQUEST)) !== UV_GETADDRINFO.size) return null;
  if (!mayMakeThreads(library, poolSize())) return undefined;
  const loopSize = Number(uv_loop_size());
  const loop = memory.allocate(loopSize + UV_GETADDRINFO.size);
  if (loop === null) return undefined;
  let routine: bigint | null | undefined;
  if (uv_loop_init(loop) === 0) {
    routine = isKnownLoop(memory, loop)
      ? readRoutine(library, memory, loop, loop + BigInt(loopSize), numbers)
      : null;
    uv_loop_close(loop);
  }
  memory.free(loop);
  return routine;
}

/** How many threads libuv's pool begins with (`init_threads` of its threadpool.c). */
function poolSize(): number {
  const wanted = process.env.UV_THREADPOOL_SIZE;
  if (wanted === undefined) return 4;
  return Math.min(Math.max(Number.parseInt(wanted, 10) || 1, 1), 1024);
}

/**
 * Whether so many threads can be had beside those that there are. The first request begins the pool's, and libuv ends the process when one
 * of them cannot be had.
 */
function mayMakeThreads(library: Libc["library"], count: number): boolean {
  const pthread_create = library.func("int pthread_create(void *, void *, uintptr_t, uintptr_t)");
  const pthread_join = library.func("int pthread_join(uintptr_t, void *)");
  // A function of one argument, for which the threads are there at the same time.
  const usleep: bigint = library.symbol("usleep");
  const thread = new BigUint64Array(1);
  const threads: bigint[] = [];
  while (threads.length < count && pthread_create(thread, null, usleep, TOGETHER) === 0)
    threads.push(thread[0]!);
  for (const each of threads) pthread_join(each, null);
  return threads.length === count;
}

/** The queue before the mutex is empty: both of its pointers are its own address. */
function isKnownLoop(memory: Memory, loop: bigint): boolean {
  const queue = loop + BigInt(UV_LOOP.workQueue);
  return memory.pointer(queue, 0) === queue && memory.pointer(queue, 8) === queue;
}

function readRoutine(
  library: Libc["library"],
  memory: Memory,
  loop: bigint,
  request: bigint,
  { AI_NUMERICHOST }: PosixConstants,
): bigint | null | undefined {
  const uv_getaddrinfo = library.func(
    "int uv_getaddrinfo(uintptr_t, uintptr_t, uintptr_t, const char *, const char *, void *)",
  );
  const uv_mutex_lock = library.func("void uv_mutex_lock(uintptr_t)");
  const uv_mutex_unlock = library.func("void uv_mutex_unlock(uintptr_t)");
  const uv_cancel = library.func("int uv_cancel(uintptr_t)");
  const uv_run = library.func("int uv_run(uintptr_t, int)");
  const uv_freeaddrinfo = library.func("void uv_freeaddrinfo(uintptr_t)");
  // A function that does nothing, in place of a callback.
  const callback: bigint = library.symbol("uv_version");
  // ai_flags is the first member of struct addrinfo on every system; 0 of all others leaves the choice to getaddrinfo.
  const hints = Buffer.alloc(ADDRINFO_SIZE);
  hints.writeInt32LE(AI_NUMERICHOST, 0);

  const mutex = loop + BigInt(UV_LOOP.workMutex);
  uv_mutex_lock(mutex);
  const failure: number = uv_getaddrinfo(loop, request, callback, HOST, null, hints);
  const routine = memory.pointer(request, UV_GETADDRINFO.work);
  const isKnown =
    memory.int(request, UV_GETADDRINFO.type) === GETADDRINFO_REQUEST &&
    memory.pointer(request, UV_GETADDRINFO.loop) === loop &&
    memory.pointer(request, UV_GETADDRINFO.workLoop) === loop &&
    memory.pointer(request, UV_GETADDRINFO.callback) === callback &&
    memory.pointer(request, UV_GETADDRINFO.service) === 0n &&
    memory.holds(memory.pointer(request, UV_GETADDRINFO.hints), hints) &&
    memory.holds(memory.pointer(request, UV_GETADDRINFO.hostname), Buffer.from(`${HOST}\0`));
  uv_mutex_unlock(mutex);
  if (failure !== 0) return undefined;

  // The pool can be full of lookups that wait. Then this one has not begun, and is taken out.
  uv_cancel(request);
  uv_run(loop, UV_RUN_DEFAULT);
  const retcode = memory.int(request, UV_GETADDRINFO.retcode);
  const list = memory.pointer(request, UV_GETADDRINFO.addrinfo);
  const isAnswered = retcode === 0 ? list !== 0n : retcode === UV_EAI_CANCELED && list === 0n;
  if (!isKnown || !isAnswered || routine === 0n) return null;
  if (list !== 0n) uv_freeaddrinfo(list);
  return routine;
}

/** sizeof(struct addrinfo) of 64-bit systems: four ints, a socklen_t and a gap, three pointers. */
const ADDRINFO_SIZE = 48;
