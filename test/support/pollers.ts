// Pollers on each of the mechanisms that a system may have.
import * as net from "std-net";
import { ok } from "./peer.ts";
import { offerKqueue, onMacos } from "./xnu-kqueue.ts";

// On Windows the first is AFD and the second WSAPoll.
type Mechanism = "epoll" | "poll" | "kqueue";

/** A process has either epoll or kqueue: poller-kqueue.test.ts chooses the second, and then runs the same tests. */
const withKqueue = process.env["STD_NET_TEST_KQUEUE"] === "1";
export const mechanisms: readonly Mechanism[] = withKqueue ? ["kqueue"] : ["epoll", "poll"];

if (withKqueue) {
  offerKqueue();
  // Loads what has nothing to do with the mechanism, as the system that this is.
  ok(net.UdpSocket.bind("127.0.0.1:0")).close();
}

export function makePoller(mechanism: Mechanism): net.Poller {
  if (mechanism === "kqueue") return onMacos(() => ok(net.Poller.create()));
  if (mechanism === "poll") process.env["STD_NET_POLLER"] = "poll";
  const poller = ok(net.Poller.create());
  delete process.env["STD_NET_POLLER"];
  return poller;
}
