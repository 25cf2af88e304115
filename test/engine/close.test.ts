// A close that says EAGAIN, as Windows' does of a socket that lingers: nothing stays open, and nothing waits for ever.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isOwned } from "../../src/engine/descriptor-table.ts";
import { Socket } from "../../src/engine/socket.ts";
import { systemCalled } from "../../src/sys/constants.ts";
import type { Platform } from "../../src/sys/platform.ts";
import { timed } from "../support/sockets.ts";

const windows = systemCalled("windows");
const { EAGAIN } = windows.constants;
const OTHER_ERROR = 10038;

/** No program has so many descriptors: this is never a real one. */
const DESCRIPTOR = 60_000;

/** A system whose close gives these errnos, one after the other (the last one again and again); 0 closes. */
function system(errnos: number[], seconds: number | null) {
  const log: string[] = [];
  let errno = 0;
  let linger = seconds;
  const sys = {
    ...windows,
    errno: () => errno,
    linger: () => linger,
    setLinger: (_descriptor: number, to: number | null) => {
      linger = to;
      log.push(`linger ${to}`);
      return 0;
    },
    pause: (milliseconds: number) => {
      assert.ok(milliseconds <= 10);
      assert.ok(isOwned(DESCRIPTOR), "whoever ends the thread now finds the descriptor");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
    },
    close: () => {
      assert.ok(!isOwned(DESCRIPTOR), "its number may be somebody else's after this");
      // Without SO_LINGER there is nothing to wait for.
      errno = linger === null ? 0 : (errnos.length > 1 ? errnos.shift() : errnos[0])!;
      log.push(errno === 0 ? "closed" : `error ${errno}`);
      return errno === 0 ? 0 : -1;
    },
  } as unknown as Platform;
  return { sys, log };
}

test("a close that says EAGAIN is tried again until all is sent", () => {
  const { sys, log } = system([EAGAIN, EAGAIN, EAGAIN, 0], 30);
  const { took } = timed(() => new Socket(sys, DESCRIPTOR).close());
  assert.deepEqual(log, [...Array(3).fill(`error ${EAGAIN}`), "closed"]);
  assert.ok(took < 5000);
  assert.ok(!isOwned(DESCRIPTOR));
});

test("when the time of SO_LINGER is over, the rest goes out in the background", () => {
  const { sys, log } = system([EAGAIN], 1);
  const { took } = timed(() => new Socket(sys, DESCRIPTOR).close());
  assert.deepEqual(log.slice(-2), ["linger null", "closed"]);
  assert.ok(took >= 999 && took < 5000, `${took} ms`);
  assert.ok(log.length > 20);
  assert.ok(!isOwned(DESCRIPTOR));
});

test("any other failure is not tried again: the number may be somebody else's", () => {
  const { sys, log } = system([OTHER_ERROR], 30);
  new Socket(sys, DESCRIPTOR).close();
  assert.deepEqual(log, [`error ${OTHER_ERROR}`]);
});
