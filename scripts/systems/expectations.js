// What the library takes for granted about C: the numbers of src/sys/constants.ts, the layouts that src/sys/structs.ts
// really writes (its functions run here, and the places are found in their bytes), and the functions that src/sys/posix
// asks libc for. Each becomes a C expression with the value that it has to have.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

/** @typedef {import("./targets.js").Target} Target */

/**
 * @typedef {object} Expectations
 * @property {readonly (readonly [expression: string, value: number])[]} values
 * @property {readonly string[]} functions
 */

/** Constants that C has under another name, or as an expression; null where C has nothing of the kind. */
const IN_C = {
  linux: { SO_UNSENT: "SO_MEMINFO", UNSENT_AT: "4 * SK_MEMINFO_WMEM_QUEUED" },
  darwin: { SO_LINGER: "SO_LINGER_SEC", SO_UNSENT: "SO_NWRITE", UNSENT_AT: null },
};

/** The files of src/sys/posix that only one kind of system uses; all others are everybody's. */
const ONLY = {
  "epoll.ts": (/** @type {Target} */ { system }) => system === "linux",
  "many-datagrams.ts": (/** @type {Target} */ { system }) => system === "linux",
  "signal-queue.ts": (/** @type {Target} */ { system }) => system === "linux",
  "kqueue.ts": (/** @type {Target} */ { system }) => system === "darwin",
  "getaddrinfo-a.ts": (/** @type {Target} */ { libc }) => libc === "glibc",
};

/** Numbers that stand in those files themselves, by the beginnings of their names. */
const OF_A_FILE = /^const ((?:EV|EVFILT|NOTE|EPOLL|GAI|EAI|SPLICE_F|UV)_?[A-Z_]*) = (-?[\dxoa-f]+);$/gm;
/** Those whose names are the library's. */
const OWN_NAMES = { GETADDRINFO_REQUEST: "UV_GETADDRINFO", UV_EAI_CANCELED: "UV__EAI_CANCELED" };

/**
 * @param {string} root the checkout
 * @returns {Promise<(target: Target) => Expectations>}
 */
export async function loadExpectations(root) {
  const sys = join(root, "src", "sys");
  const library = await loadModules(sys);
  const folder = join(sys, "posix");
  const files = readdirSync(folder).map((name) => ({ name, text: readFileSync(join(folder, name), "utf8") }));
  return (target) => {
    const used = files.filter(({ name }) => ONLY[/** @type {keyof typeof ONLY} */ (name)]?.(target) ?? true);
    return {
      values: [
        ...numbers(library, target),
        ...numbersOfFiles(used),
        ...addresses(library, target),
        ...structures(library, target),
        ...libuv(library),
      ],
      functions: functions(used, target),
    };
  };
}

/** constants.ts and structs.ts, as JavaScript. @param {string} sys */
async function loadModules(sys) {
  const { outputFiles } = await build({
    stdin: { contents: 'export * from "./constants.ts"; export * from "./structs.ts";', resolveDir: sys },
    bundle: true,
    write: false,
    packages: "external",
    platform: "node",
    format: "esm",
    logLevel: "error",
  });
  const code = Buffer.from(outputFiles[0].contents).toString("base64");
  return await import(`data:text/javascript;base64,${code}`);
}

/** @typedef {Awaited<ReturnType<typeof loadModules>>} Library */
/** @typedef {[expression: string, value: number][]} Values */

/** @param {Library} library @param {Target} target @returns {Values} */
function numbers(library, { system }) {
  /** @type {Record<string, number>} */
  const all = { ...library.systemCalled(system).constants, ...library.posixConstants(system) };
  const inC = /** @type {Record<string, string | null>} */ (IN_C[system]);
  /** @type {Values} */
  const values = [];
  for (const [name, value] of Object.entries(all)) {
    const expression = inC[name] === undefined ? name : inC[name];
    if (expression !== null) values.push([expression, value]);
  }
  return values;
}

/** @param {readonly { text: string }[]} files @returns {Values} */
function numbersOfFiles(files) {
  /** @type {Values} */
  const values = [];
  for (const { text } of files) {
    for (const [, name, value] of text.matchAll(OF_A_FILE)) {
      values.push([OWN_NAMES[/** @type {keyof typeof OWN_NAMES} */ (name)] ?? name, Number(value)]);
    }
    const pipeFlags = /^const PIPE_FLAGS = (\w+);$/m.exec(text);
    if (pipeFlags !== null) values.push(["O_CLOEXEC | O_NONBLOCK", Number(pipeFlags[1])]);
    const request = /^const GETADDRINFO_REQUEST = (\d+);$/m.exec(text);
    if (request !== null) values.push(["UV_GETADDRINFO", Number(request[1])]);
    for (const [, value, name] of text.matchAll(/^ {2}\[(-3\d{3})\]: "(EAI_\w+)",$/gm)) {
      values.push([`UV__${name}`, Number(value)]);
    }
  }
  return values;
}

/** @param {number | bigint} value @param {number} size */
function littleEndian(value, size) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return bytes.subarray(0, size);
}

/** Where these bytes stand in a structure. @param {Uint8Array} structure @param {Uint8Array | readonly number[] | string} bytes */
function place(structure, bytes) {
  return Buffer.from(structure).indexOf(typeof bytes === "string" ? bytes : Buffer.from(bytes));
}

/** @param {Library} library @param {Target} target @returns {Values} */
function addresses(library, { system: name }) {
  const system = library.systemCalled(name);
  const ip4 = [0xc1, 0xc2, 0xc3, 0xc4];
  const in4 = library.encodeAddress(system, Uint8Array.from(ip4), 0xa1b2, 0);
  const ip6 = Uint8Array.from({ length: 16 }, (_, index) => 0xe0 + index);
  const in6 = library.encodeAddress(system, ip6, 0xa1b2, 0x31323334);
  const un = library.encodeUnixAddress(system, Buffer.from("path"));
  let longest = 0;
  while (library.encodeUnixAddress(system, Buffer.alloc(longest + 1, "a")) !== null) longest++;
  const { sockaddrHasLength } = system.layout;
  /** @type {Values} */
  const values = [
    ["sizeof(struct sockaddr_in)", in4.length],
    ["offsetof(struct sockaddr_in, sin_port)", place(in4, [0xa1, 0xb2])],
    ["offsetof(struct sockaddr_in, sin_addr)", place(in4, ip4)],
    ["sizeof(struct sockaddr_in6)", in6.length],
    ["offsetof(struct sockaddr_in6, sin6_port)", place(in6, [0xa1, 0xb2])],
    ["offsetof(struct sockaddr_in6, sin6_addr)", place(in6, ip6)],
    ["offsetof(struct sockaddr_in6, sin6_scope_id)", place(in6, littleEndian(0x31323334, 4))],
    ["offsetof(struct sockaddr_un, sun_path)", place(un, "path")],
    // (The NUL behind the path.)
    ["sizeof(((struct sockaddr_un *)0)->sun_path)", longest + 1],
    ["offsetof(struct sockaddr, sa_family)", place(in6, [system.constants.AF_INET6])],
    ["sizeof(sa_family_t)", sockaddrHasLength ? 1 : 2],
    [`sizeof(struct sockaddr_storage) <= ${library.SOCKADDR_ROOM}`, 1],
  ];
  if (sockaddrHasLength) values.push(["offsetof(struct sockaddr, sa_len)", place(in6, [in6.length])]);
  return values;
}

/** @param {Library} library @param {Target} target @returns {Values} */
function structures(library, target) {
  const system = library.systemCalled(target.system);
  const timeval = library.timeval(5_123, 8);
  const timespec = Buffer.alloc(library.TIMESPEC_SIZE);
  library.writeTimespec(timespec, 12_345);
  const linger = library.linger(0x313233);
  const group4 = [0xc1, 0xc2, 0xc3, 0xc4];
  const group6 = Uint8Array.from({ length: 16 }, (_, index) => 0xe0 + index);
  const mreq = library.ipMembership(Uint8Array.from(group4), Uint8Array.of(0xd1, 0xd2, 0xd3, 0xd4));
  const mreq6 = library.ipv6Membership(group6, 0x31323334);
  /** @type {Values} */
  const values = [
    ["sizeof(struct pollfd)", library.POLLFD.size],
    ["offsetof(struct pollfd, fd)", 0],
    ["offsetof(struct pollfd, events)", library.POLLFD.events],
    ["offsetof(struct pollfd, revents)", library.POLLFD.revents],
    ["sizeof(struct timeval)", timeval.length],
    ["offsetof(struct timeval, tv_sec)", place(timeval, littleEndian(5, 8))],
    ["offsetof(struct timeval, tv_usec)", place(timeval, littleEndian(123_000, 8))],
    ["sizeof(struct timespec)", timespec.length],
    ["offsetof(struct timespec, tv_sec)", place(timespec, littleEndian(12, 8))],
    ["offsetof(struct timespec, tv_nsec)", place(timespec, littleEndian(345_000_000, 8))],
    ["sizeof(struct linger)", linger.length],
    ["offsetof(struct linger, l_onoff)", place(linger, littleEndian(1, 4))],
    ["offsetof(struct linger, l_linger)", place(linger, littleEndian(0x313233, 4))],
    ["sizeof(struct ip_mreq)", mreq.length],
    ["offsetof(struct ip_mreq, imr_multiaddr)", place(mreq, group4)],
    ["offsetof(struct ip_mreq, imr_interface)", place(mreq, [0xd1, 0xd2, 0xd3, 0xd4])],
    ["sizeof(struct ipv6_mreq)", mreq6.length],
    ["offsetof(struct ipv6_mreq, ipv6mr_multiaddr)", place(mreq6, group6)],
    ["offsetof(struct ipv6_mreq, ipv6mr_interface)", place(mreq6, littleEndian(0x31323334, 4))],
    // What signals.ts and lookup-thread.ts keep free for a set of signals.
    ["sizeof(sigset_t) <= 128", 1],
    // The types that the declarations for koffi stand for.
    ["sizeof(socklen_t)", 4],
    ["sizeof(ssize_t)", 8],
    ["sizeof(size_t)", 8],
    ["sizeof(long)", 8],
    ["sizeof(pthread_t)", 8],
    ["sizeof(nfds_t) <= sizeof(unsigned long)", 1],
    ...addrinfo(library, system),
    ...messages(library, target),
  ];
  if (target.system === "darwin") {
    const { size, ...places } = library.KEVENT;
    values.push(["sizeof(struct kevent)", size]);
    for (const [field, at] of Object.entries(places))
      values.push([`offsetof(struct kevent, ${field})`, Number(at)]);
  } else {
    const { words, data } = library.epollEvent(target.architecture);
    values.push(
      ["sizeof(struct epoll_event)", 4 * words],
      ["offsetof(struct epoll_event, events)", 0],
      ["offsetof(struct epoll_event, data)", 4 * data],
    );
  }
  if (target.libc === "glibc") {
    const { size, name, request, result } = library.GAICB;
    values.push(
      ["sizeof(struct gaicb)", size],
      ["offsetof(struct gaicb, ar_name)", name],
      ["offsetof(struct gaicb, ar_request)", request],
      ["offsetof(struct gaicb, ar_result)", result],
    );
  }
  return values;
}

/** What sendmsg(2) and its kin take. @param {Library} library @param {Target} target @returns {Values} */
function messages(library, target) {
  const table = Buffer.alloc(16);
  library.writeIovec(table, 0, 0xa1a2a3a4, 0xb1b2b3b4, 8);
  const fields = {
    name: 0xc1c2,
    nameLength: 0xc3c4,
    parts: 0xc5c6,
    count: 0xc7,
    control: 0xc8c9,
    controlLength: 0xca,
  };
  const header = library.messageHeader(fields, 8);
  const control = library.controlLayout(library.systemCalled(target.system), 8);
  /** @type {Values} */
  const values = [
    ["sizeof(struct iovec)", table.length],
    ["offsetof(struct iovec, iov_base)", place(table, littleEndian(0xa1a2a3a4, 8))],
    ["offsetof(struct iovec, iov_len)", place(table, littleEndian(0xb1b2b3b4, 8))],
    ["offsetof(struct msghdr, msg_name)", place(header, littleEndian(0xc1c2, 8))],
    ["offsetof(struct msghdr, msg_namelen)", place(header, littleEndian(0xc3c4, 4))],
    ["offsetof(struct msghdr, msg_iov)", place(header, littleEndian(0xc5c6, 8))],
    ["offsetof(struct msghdr, msg_iovlen)", place(header, littleEndian(0xc7, 4))],
    ["offsetof(struct msghdr, msg_control)", place(header, littleEndian(0xc8c9, 8))],
    ["offsetof(struct msghdr, msg_controllen)", place(header, littleEndian(0xca, 4))],
    [`sizeof(struct msghdr) <= ${header.length}`, 1],
    ["offsetof(struct cmsghdr, cmsg_level)", control.level],
    ["offsetof(struct cmsghdr, cmsg_type)", control.type],
    ["CMSG_LEN(sizeof(int))", control.length],
    [`CMSG_SPACE(sizeof(int)) <= ${control.size}`, 1],
  ];
  if (target.system === "linux") {
    values.push(
      ["sizeof(struct mmsghdr)", header.length],
      ["offsetof(struct mmsghdr, msg_len)", 56],
      ["sizeof(struct ucred)", 12],
      ["offsetof(struct ucred, uid)", 4],
      ["offsetof(struct ucred, gid)", 8],
    );
  } else {
    values.push(
      ["sizeof(struct xucred)", 76],
      ["offsetof(struct xucred, cr_uid)", 4],
      ["offsetof(struct xucred, cr_groups)", 12],
    );
  }
  return values;
}

/** The members in their order, as koffi lays them out: each at a multiple of its own size. @param {Library} library @param {object} system @returns {Values} */
function addrinfo(library, system) {
  /** @type {Record<string, number>} */
  const sizes = { int: 4, uint32_t: 4, "void *": 8 };
  /** @type {Values} */
  const values = [];
  let end = 0;
  for (const [field, type] of Object.entries(library.addrinfo(system))) {
    const size = sizes[String(type)];
    const at = Math.ceil(end / size) * size;
    values.push([`offsetof(struct addrinfo, ${field})`, at]);
    end = at + size;
  }
  values.push(["sizeof(struct addrinfo)", Math.ceil(end / 8) * 8]);
  return values;
}

/** @param {Library} library @returns {Values} */
function libuv({ UV_GETADDRINFO, UV_LOOP }) {
  const inC = { work: "work_req", workLoop: "work_req.loop", callback: "cb" };
  const { size, ...places } = UV_GETADDRINFO;
  /** @type {Values} */
  const values = [
    ["sizeof(uv_getaddrinfo_t)", size],
    ["offsetof(uv_loop_t, wq)", UV_LOOP.workQueue],
    ["offsetof(uv_loop_t, wq_mutex)", UV_LOOP.workMutex],
  ];
  for (const [name, at] of Object.entries(places)) {
    const field = inC[/** @type {keyof typeof inC} */ (name)] ?? name;
    values.push([`offsetof(uv_getaddrinfo_t, ${field})`, Number(at)]);
  }
  return values;
}

/**
 * The functions of libc that these files name. (libuv's are the program's own, Node's, and come from no libc.)
 *
 * @param {readonly { text: string }[]} files
 * @param {Target} target
 */
function functions(files, { system }) {
  /** @type {Set<string>} */
  const names = new Set();
  for (const { text } of files) {
    for (const [, name] of text.matchAll(/\.func\(\s*"[^"(]*?(\w+)\s*\(/g)) names.add(name);
    for (const [, name] of text.matchAll(/\.(?:func|symbol)\(\s*"(\w+)"/g)) names.add(name);
  }
  // descriptors.ts takes one of the two, by SOCK_CLOEXEC.
  names.delete(system === "darwin" ? "accept4" : "accept");
  return [...names].filter((name) => !name.startsWith("uv_")).sort();
}
