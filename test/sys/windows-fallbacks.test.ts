// Windows' half where a part of Windows is missing: with a Winsock of the test's, so it runs on every system.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Selector } from "../../src/sys/selector.ts";
import { loadLookup } from "../../src/sys/windows/lookup.ts";
import { loadSelectors } from "../../src/sys/windows/selectors.ts";
import { systemLibrary } from "../../src/sys/windows/system-library.ts";
import type { Winsock } from "../../src/sys/windows/winsock.ts";
import { fakeWinsock } from "../support/fake-winsock.ts";

const ACCESS_DENIED = 0xc0000022;

/** Whether a selector waits with the test's WSAPoll. */
function waitsWithPoll(open: (poll: () => number) => Selector | number): boolean {
  let polls = 0;
  const selector = open(() => {
    polls++;
    return 0;
  }) as Selector;
  assert.deepEqual(selector.descriptors, []);
  assert.equal(selector.add(8, 1, 1), 0);
  assert.equal(
    selector.wait(0, () => {}),
    0,
  );
  selector.close();
  return polls === 1;
}

test("a Poller stands on WSAPoll where AFD cannot be opened", () => {
  const { winsock, called } = fakeWinsock({ calls: { NtCreateFile: () => ACCESS_DENIED } });
  assert.ok(waitsWithPoll((poll) => loadSelectors(winsock, poll)(false)));
  assert.deepEqual(called, ["NtCreateFile"]);
});

test("and where no completion port can be had, when the driver's handle is closed again", () => {
  const { winsock, called } = fakeWinsock({});
  assert.ok(waitsWithPoll((poll) => loadSelectors(winsock, poll)(false)));
  assert.deepEqual(called, ["NtCreateFile", "CreateIoCompletionPort", "CloseHandle"]);
});

test("and where a function of AFD's is missing", () => {
  for (const name of ["NtDeviceIoControlFile", "NtCancelIoFileEx", "GetQueuedCompletionStatusEx"]) {
    const { winsock, called } = fakeWinsock({ missing: [name] });
    assert.ok(waitsWithPoll((poll) => loadSelectors(winsock, poll)(false)));
    assert.deepEqual(called, []);
  }
});

test("a lookup has no end of its own where GetAddrInfoExW is missing", () => {
  const reader = () => [];
  assert.equal(loadLookup(fakeWinsock({ missing: ["GetAddrInfoExCancel"] }).winsock, reader), null);
  assert.notEqual(loadLookup(fakeWinsock({}).winsock, reader), null);
});

test("a library, or a function in it, that is missing names itself", () => {
  const koffi = {
    load(name: string) {
      if (name === "missing.dll") throw new Error("Failed to load shared library: Module not found.");
      return {
        func() {
          throw new Error("Cannot find function 'missing' in shared library");
        },
      };
    },
  } as unknown as Winsock["koffi"];
  assert.throws(() => systemLibrary(koffi, "missing.dll"), {
    message: "missing.dll: Failed to load shared library: Module not found.",
  });
  assert.throws(() => systemLibrary(koffi, "other.dll").func("int missing()"), {
    message: "other.dll: Cannot find function 'missing' in shared library",
  });
});
