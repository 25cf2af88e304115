// Tests that do not run on Windows, by file (or folder) and by test (patterns of names), each with the reason. The first group is about Windows
// itself, the second about Wine alone. `npm run test:windows` prints them.

/** @typedef {[name: RegExp, reason: string]} Rule */
/** @typedef {{ files: Record<string, string>, tests: Record<string, Rule[]> }} Group */

/** What Windows does not have. */
const NO_UNIX_KINDS = "Windows has no Unix pairs, datagrams or abstract names";
const PIPES = "Node's own servers have no Unix sockets on Windows, but named pipes";
const NO_FD = "a SOCKET is no descriptor of the C runtime: fs, child_process and net.Socket cannot take it";
const NO_SIGNALS = "process.kill is TerminateProcess on Windows; test/sys/ctrl-c.test.ts is the counterpart";
const NO_LIMITS = "Windows has no limit on descriptors or threads that a test could lower";
const NO_PROC = "counts in /proc; test/sys/windows.test.ts counts handles";
const NO_TERMINAL = "there is no terminal that a test could look at";

/** @type {Group} */
const onWindows = {
  files: {
    "engine/resolve":
      "puts files in the place of resolv.conf and hosts; test/sys/windows.test.ts has lookups",
    "engine/signals": NO_SIGNALS,
    "http/client-nginx": "nginx is started with Linux' paths and signals",
    "http/request-all": PIPES,
    "net/poller-kqueue": "plays macOS's kqueue with Linux' poll(2)",
    "net/outsiders": "looks at a descriptor with fcntl(2) and gives it to Python, which a SOCKET is not for",
    "net/unix": NO_UNIX_KINDS,
  },
  tests: {
    "cli/download": [[/^on a terminal/, NO_TERMINAL]],
    "cli/parallel-downloads": [[/^on a terminal/, NO_TERMINAL]],
    "http/request-many-system": [
      [/^a signal with a listener/, NO_SIGNALS],
      [/^out of descriptors/, NO_LIMITS],
    ],
    "cli/repl": [[/^Ctrl-C ends a call that waits/, NO_TERMINAL]],
    "cli/request-as-curl": [[/^on a terminal/, NO_TERMINAL]],
    "cli/request-command": [[/^on a terminal/, NO_TERMINAL]],
    "cli/serve-command": [[/^without free descriptors/, NO_LIMITS]],
    "cli/socket-commands": [
      [/^a pipe that never gave anything/, NO_TERMINAL],
      [/^tcp: what cannot be printed/, "writes to /dev/full"],
    ],
    "cli/usage": [[/^standard input that cannot be read/, "has descriptors that only POSIX can make"]],
    "engine/safety": [
      [/^where no descriptor was free/, NO_LIMITS],
      [/^a listener for the warning makes calls/, NO_FD],
    ],
    "engine/wait": [
      [
        /new sockets are|what is given away|what set_nonblocking|a shared socket waits/,
        "asks fcntl(2) and /proc for the mode",
      ],
    ],
    "http/client-connections": [
      [
        /^what a server sends a moment behind/,
        "the server's millisecond takes 15 on Windows, longer than the client looks",
      ],
    ],
    "http/client-on-stream": [[/^socket_path/, PIPES]],
    "http/client-open": [[/^over a Unix socket/, PIPES]],
    "net/descriptors": [
      [/^a child process inherits none/, NO_PROC],
      [/^an object that was dropped/, NO_PROC],
      [/^a worker that/, NO_PROC],
      [/^when there are no more descriptors/, NO_LIMITS],
    ],
    "http/serve-stop": [[/^with a signal/, NO_SIGNALS]],
    "net/handover": [
      [/^Unix/, NO_UNIX_KINDS],
      [/child process/, NO_FD],
      [/net\.Socket|node:net/, NO_FD],
      [
        /^into_fd refuses to lose bytes/,
        "Windows cannot wait for more than there is, so read_until keeps its bytes in the stream",
      ],
    ],
    "net/junk": [[/^Unix/, NO_UNIX_KINDS]],
    "net/poller": [[/^a registered socket lives/, NO_PROC]],
    "net/tcp": [[/^no call raises SIGPIPE/, "Windows has no SIGPIPE"]],
    "net/tcp-options": [
      [/^bind options/, "reuse_port is an error on Windows; test/sys/windows.test.ts looks"],
    ],
    "net/timeouts": [
      [/^connect of a Unix socket/, NO_UNIX_KINDS],
      [/^is_timeout is false where no time limit/, NO_SIGNALS],
    ],
    "net/udp-options": [[/^reuse_address and reuse_port/, "reuse_port is an error on Windows"]],
    "tls/https": [
      [/^a server that requests new keys/, NO_UNIX_KINDS],
      [/^nor does it hold up/, NO_UNIX_KINDS],
    ],
    "tls/interruption": [[/^a signal ends a write/, NO_SIGNALS]],
  },
};

/** What Wine cannot do, or does otherwise than Windows. */
const WINE_RESET = "Wine tells of a reset as of the end of the stream; Windows gives ECONNRESET";
const WINE_LINGER =
  "Wine waits inside closesocket, and all its processes with it; Windows gives WSAEWOULDBLOCK at once";
const PURE = "makes no call of the system, and takes Wine a minute";
const NO_ESBUILD = "the checkout's esbuild is a program of Linux";
const NO_UNREACHABLE = "Wine never tells that nobody listens where a datagram went";
const NO_FETCH = "under Wine Node's own fetch cannot connect (connect UNKNOWN)";
const OTHER_NODE = "starts node.exe from a shell or Python of Linux, which cannot";

/** @type {Group} */
const underWine = {
  files: {
    json: PURE,
    "long-integers": PURE,
    "project/": "reads the sources, or starts tools of the checkout that are programs of Linux",
  },
  tests: {
    "cli/socket-commands": [
      [/^a connection that breaks/, WINE_RESET],
      [/^a port on which nothing listens/, NO_UNREACHABLE],
    ],
    "cli/usage": [[/^the exit status is the same when/, OTHER_NODE]],
    "cli/windows-shell": [[/^lines of a pipe/, "Wine's cmd pipes no block in parentheses"]],
    "engine/safety": [[/^a bundle in CommonJS/, NO_ESBUILD]],
    "http/client": [[/: a reset$/, WINE_RESET]],
    "net/linger": [
      [/^worker\.terminate\(\) does not wait .*(closing|clone)/, WINE_LINGER],
      [/^process\.exit\(\) does not wait/, WINE_LINGER],
      [/^a worker's connection that lingers 0 seconds/, WINE_RESET],
    ],
    "http/foreign-clients": [
      [/^node's http and fetch/, NO_FETCH],
      [
        /^responses to requests that were sent ahead/,
        "measures 20 milliseconds; a call takes Wine half of one",
      ],
    ],
    "http/serve-clients": [[/^has 5,000 idle clients/, "10,000 sockets take Wine minutes"]],
    "net/descriptor-passing": [[/^on Windows they say/, "Wine 8 has no AF_UNIX, so there is nobody to ask"]],
    "net/descriptors": [[/bind a UDP socket to an address that is not here/, "Wine binds to any address"]],
    "net/handover": [
      [/^UdpSocket: each member/, "Wine says EINVAL for an option of a socket that was closed"],
    ],
    "net/poller": [
      [/the peer's end, and a broken connection/, WINE_RESET],
      [/a pending error makes a datagram socket/, NO_UNREACHABLE],
    ],
    "net/tcp": [[/^a peer that resets/, WINE_RESET]],
    "net/tcp-options": [[/^take_error takes/, WINE_RESET]],
    result: [[/^a program whose bundler renames/, NO_ESBUILD]],
    "tls/conversation": [[/^a reset is the system's error/, WINE_RESET]],
    "tls/resources": [
      [
        /^workers that end or are terminated/,
        "a worker costs Wine 310 KiB of its own, more than the test allows",
      ],
    ],
    "tls/trust": [[/^NODE_EXTRA_CA_CERTS counts with a byte/, "has workers without the bed's NODE_PATH"]],
    "tls/wrong-options": [[/^no call prompts for a password/, OTHER_NODE]],
    trace: [[/^in a bundle whose names/, NO_ESBUILD]],
  },
};

const groups = process.env.STD_NET_UNDER_WINE === undefined ? [onWindows] : [onWindows, underWine];

/**
 * Why this file (`net/tcp`) does not run; undefined when it does.
 *
 * @param {string} file
 */
exports.reasonForFile = (file) =>
  groups
    .map(({ files }) => files[file] ?? files[file.replace(/[^/]*$/, "")])
    .find((reason) => reason !== undefined);

/**
 * The tests of this file that do not run: patterns of names, each with the reason.
 *
 * @param {string} file
 * @returns {Rule[]}
 */
exports.rulesFor = (file) => groups.flatMap(({ tests }) => tests[file] ?? []);
