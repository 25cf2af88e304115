// Pollers on each of the mechanisms that a system may have.
import * as net from "std-net";
import { ok } from "./peer.ts";

// On Windows the first is AFD and the second WSAPoll.
export const mechanisms = ["epoll", "poll"] as const;

export function makePoller(mechanism: (typeof mechanisms)[number]): net.Poller {
  if (mechanism === "poll") process.env["STD_NET_POLLER"] = "poll";
  const poller = ok(net.Poller.create());
  delete process.env["STD_NET_POLLER"];
  return poller;
}
