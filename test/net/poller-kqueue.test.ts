// The Poller on kqueue(2): the tests of the other mechanisms, over a kevent with the rules of XNU's filters
// (test/support/xnu-kqueue.ts), and what is kqueue's own.
process.env["STD_NET_TEST_KQUEUE"] = "1";
await import("./poller.test.ts");
await import("./poller-load.test.ts");
await import("../support/kqueue-cases.ts");
