/**
 * What differs between systems: one row for each constant or property, one column for each system. Sources: the kernel's
 * and libc's headers (`asm-generic/socket.h`, `netinet/in.h`, `poll.h`, `fcntl.h` on Linux; `sys/socket.h`,
 * `netinet6/in6.h`, `fcntl.h` of the XNU sources on macOS; `winsock2.h`, `ws2ipdef.h` and `winerror.h` on Windows).
 *
 * 0 means that the system has no such constant. What 0 does then is said in the row's comment.
 */

/** A column of the tables below. */
export type SystemName = "linux" | "darwin" | "windows";

const COLUMN: Record<SystemName, 0 | 1 | 2> = { linux: 0, darwin: 1, windows: 2 };

const LABEL: Record<SystemName, string> = { linux: "Linux", darwin: "macOS", windows: "Windows" };

type Row<Value> = readonly [linux: Value, darwin: Value, windows: Value];
/** A number for each row of numbers, and a boolean for each of booleans. */
type Column<Table extends Record<string, Row<unknown>>> = {
  readonly [Name in keyof Table]: Table[Name] extends Row<number> ? number : boolean;
};

/** The numbers that the engine gives to a platform's functions, and those that it gets back. */
const NUMBERS = {
  // Name: [Linux, macOS, Windows].
  AF_UNIX: [1, 1, 1],
  AF_INET: [2, 2, 2],
  AF_INET6: [10, 30, 23],
  SOCK_STREAM: [1, 1, 1],
  SOCK_DGRAM: [2, 2, 2],
  SOL_SOCKET: [1, 0xffff, 0xffff],
  SO_REUSEADDR: [2, 0x4, 0x4],
  // 0: a second listener on a port is refused.
  SO_REUSEPORT: [15, 0x200, 0],
  SO_TYPE: [3, 0x1008, 0x1008],
  SO_ERROR: [4, 0x1007, 0x1007],
  SO_BROADCAST: [6, 0x20, 0x20],
  SO_KEEPALIVE: [9, 0x8, 0x8],
  SO_SNDBUF: [7, 0x1001, 0x1001],
  SO_RCVBUF: [8, 0x1002, 0x1002],
  SO_ACCEPTCONN: [30, 0x2, 0x2],
  IPPROTO_IP: [0, 0, 0],
  IPPROTO_TCP: [6, 6, 6],
  IPPROTO_IPV6: [41, 41, 41],
  TCP_NODELAY: [1, 1, 1],
  IP_TTL: [2, 4, 4],
  IP_MULTICAST_TTL: [33, 10, 10],
  IP_MULTICAST_LOOP: [34, 11, 11],
  IP_ADD_MEMBERSHIP: [35, 12, 12],
  IP_DROP_MEMBERSHIP: [36, 13, 13],
  IPV6_UNICAST_HOPS: [16, 4, 4],
  IPV6_V6ONLY: [26, 27, 27],
  IPV6_JOIN_GROUP: [20, 12, 12],
  IPV6_LEAVE_GROUP: [21, 13, 13],
  MSG_PEEK: [0x2, 0x2, 0x2],
  // The call does not wait. 0 on Windows: no call waits there, see `kernelEndsWaits`. macOS knows it for recv only.
  MSG_DONTWAIT: [0x40, 0x80, 0],
  // Given to send(2): an EPIPE and no SIGPIPE. macOS has it since its SDK 11.
  MSG_NOSIGNAL: [0x4000, 0x80000, 0],
  SHUT_RD: [0, 0, 0],
  SHUT_WR: [1, 1, 1],
  SHUT_RDWR: [2, 2, 2],
  // Windows: POLLRDNORM. (POLLIN has POLLRDBAND in it there.)
  POLLIN: [0x1, 0x1, 0x100],
  POLLOUT: [0x4, 0x4, 0x10],
  POLLERR: [0x8, 0x8, 0x1],
  POLLHUP: [0x10, 0x10, 0x2],
  POLLNVAL: [0x20, 0x20, 0x4],
  // The peer has ended its side. 0: POLLHUP says so as well.
  POLLRDHUP: [0x2000, 0, 0],
  ENOENT: [2, 2, 2],
  EINTR: [4, 4, 10004],
  EBADF: [9, 9, 10009],
  EAGAIN: [11, 35, 10035],
  EEXIST: [17, 17, 183],
  ENFILE: [23, 23, 4],
  EMFILE: [24, 24, 10024],
  EINVAL: [22, 22, 10022],
  EPIPE: [32, 32, 109],
  ENOTSOCK: [88, 38, 10038],
  EOPNOTSUPP: [95, 102, 10045],
  EAFNOSUPPORT: [97, 47, 10047],
  ECONNRESET: [104, 54, 10054],
  ENOBUFS: [105, 55, 10055],
  EISCONN: [106, 56, 10056],
  ENOTCONN: [107, 57, 10057],
  ETIMEDOUT: [110, 60, 10060],
  EALREADY: [114, 37, 10037],
  EINPROGRESS: [115, 36, 10036],
  EAI_NONAME: [-2, 8, 11001],
  // errno says more. On Windows a number that never comes.
  EAI_SYSTEM: [-11, 11, 0x7fffffff],
} as const satisfies Record<string, Row<number>>;

/** Numbers that only sys/posix/ knows. Windows has none of them. */
const POSIX_NUMBERS = {
  // Given to socket(2) with the type. 0: fcntl(2) does it afterwards.
  SOCK_CLOEXEC: [0o2000000, 0, 0],
  SOCK_NONBLOCK: [0o4000, 0, 0],
  // In whole seconds: on macOS this is SO_LINGER_SEC. SO_LINGER itself counts in clock ticks there.
  SO_LINGER: [13, 0x1080, 0x80],
  // How much waits to be sent or acknowledged, and where that lies in the value. Linux: SO_MEMINFO's SK_MEMINFO_WMEM_QUEUED
  // (linux/sock_diag.h), as memory. macOS: SO_NWRITE, in bytes.
  SO_UNSENT: [55, 0x1024, 0],
  UNSENT_AT: [20, 0, 0],
  // How many bytes make a stream readable, for poll(2) too (socket(7)).
  SO_RCVLOWAT: [18, 0x1004, 0],
  SO_RCVTIMEO: [20, 0x1006, 0],
  SO_SNDTIMEO: [21, 0x1005, 0],
  // Who the peer of a Unix socket is (unix(7)): its process, user and group in one value.
  SO_PEERCRED: [17, 0, 0],
  // The same on macOS (sys/un.h), where the process is an option of its own. The level SOL_LOCAL is 0.
  LOCAL_PEERCRED: [0, 0x1, 0],
  LOCAL_PEERPID: [0, 0x2, 0],
  // Given to recvmsg(2): descriptors that come are close-on-exec. 0: fcntl(2) does it afterwards.
  MSG_CMSG_CLOEXEC: [0x40000000, 0, 0],
  // Given to recvmmsg(2): it waits for the first datagram alone.
  MSG_WAITFORONE: [0x10000, 0, 0],
  // A message with descriptors (cmsg(3)).
  SCM_RIGHTS: [1, 1, 0],
  // The option that keeps a socket from raising SIGPIPE. 0: MSG_NOSIGNAL is enough.
  SO_NOSIGPIPE: [0, 0x1022, 0],
  F_GETFD: [1, 1, 0],
  F_SETFD: [2, 2, 0],
  FD_CLOEXEC: [1, 1, 0],
  F_GETFL: [3, 3, 0],
  F_SETFL: [4, 4, 0],
  F_DUPFD_CLOEXEC: [1030, 67, 0],
  O_NONBLOCK: [0o4000, 0x4, 0],
  RLIMIT_NOFILE: [7, 8, 0],
  SIG_BLOCK: [0, 1, 0],
  SIG_UNBLOCK: [1, 2, 0],
  SIG_SETMASK: [2, 3, 0],
  AI_NUMERICHOST: [0x4, 0x4, 0],
  EAI_ADDRFAMILY: [-9, 1, 0],
  EAI_AGAIN: [-3, 2, 0],
  EAI_BADFLAGS: [-1, 3, 0],
  EAI_FAIL: [-4, 4, 0],
  EAI_FAMILY: [-6, 5, 0],
  EAI_MEMORY: [-10, 6, 0],
  EAI_NODATA: [-5, 7, 0],
  EAI_OVERFLOW: [-12, 14, 0],
  EAI_SERVICE: [-8, 9, 0],
  EAI_SOCKTYPE: [-7, 10, 0],
} as const satisfies Record<string, Row<number>>;

/** How structures lie in memory, and what fits into them. */
const LAYOUT = {
  // A sockaddr begins with a length byte, and the family is one byte (the BSDs).
  sockaddrHasLength: [false, true, false],
  // The bytes of sockaddr_un's path.
  unixPathRoom: [108, 104, 108],
  // struct addrinfo: ai_canonname stands before ai_addr.
  canonnameComesFirst: [false, true, true],
  // The most seconds that SO_LINGER holds. macOS: a short of hundredths of a second. Windows: a u_short.
  longestLinger: [0x7fffffff, 327, 0xffff],
  // struct cmsghdr begins with a size_t (musl: with as much room). The BSDs have four bytes there.
  cmsghdrHasLongLength: [true, false, true],
} as const satisfies Record<string, Row<boolean | number>>;

/**
 * How a system behaves where another one does not. `STD_NET_WAIT=bsd` gives Linux the second column of this table, so that the
 * ordinary tests run macOS's code paths.
 */
const BEHAVIOUR = {
  // Each call ends when the socket's timeout is over (SO_RCVTIMEO, SO_SNDTIMEO), accept and connect included. XNU's accept
  // and connect ignore the timeouts; Windows calls the socket's state "indeterminate" after one (SOL_SOCKET options). Where
  // this is false, sockets are non-blocking underneath and the engine waits with `waitFor`.
  kernelEndsWaits: [true, false, false],
  // send(2) knows MSG_DONTWAIT, or never waits (Windows). XNU's sosend looks at the socket's mode alone.
  sendHasDontwait: [true, false, true],
  // SO_ACCEPTCONN can be read. XNU: ENOPROTOOPT.
  tellsListening: [true, false, true],
  // Options can be set when both directions are at their end. XNU: EINVAL.
  takesOptionsAtTheEnd: [true, false, true],
  // shutdown(SHUT_RDWR) ends the sending side whatever the receiving side's state is. XNU looks at that one first.
  shutsDownBoth: [true, false, true],
  // A datagram socket that is connected sends to another address too. XNU: EISCONN.
  sendsElsewhereWhenConnected: [true, false, true],
  // A new datagram socket has buffers for the largest datagram. XNU: 9,216 bytes of UDP, 2,048 of a Unix datagram.
  hasRoomForDatagrams: [true, false, true],
  // poll(2) can wait for more than the bytes that are there already (SO_RCVLOWAT). Windows also hides what lies behind the
  // first of its buffers from MSG_PEEK (Microsoft's KB 192599).
  canWaitForMore: [true, true, false],
  // poll(2) tells of a connection that could not be made. WSAPoll does not, before Windows 10 2004 (Microsoft's own note).
  pollSeesFailedConnects: [true, true, false],
  // A new IPv6 socket is IPv6 only, unless IPV6_V6ONLY is turned off.
  ipv6OnlyByDefault: [false, false, true],
  // SO_REUSEADDR lets a listener bind a port with connections in TIME_WAIT. On Windows it would steal another's port, and is
  // not needed.
  reuseAddressIsSafe: [true, true, false],
  // A Unix socket's name may begin with a NUL and be no file (unix(7)).
  hasAbstractNames: [true, false, false],
  // Unix sockets for datagrams, and pairs of Unix sockets. Windows has streams only (AF_UNIX, since Windows 10 1803).
  hasUnixDatagrams: [true, true, false],
  hasUnixPairs: [true, true, false],
  // sendmmsg(2) and recvmmsg(2) are there.
  hasManyDatagrams: [true, false, false],
  // A Unix stream carries descriptors (unix(7), SCM_RIGHTS), and tells who its peer is.
  unixCarriesDescriptors: [true, true, false],
} as const satisfies Record<string, Row<boolean>>;

export type Constants = Column<typeof NUMBERS>;
export type PosixConstants = Column<typeof POSIX_NUMBERS>;
export type Layout = Column<typeof LAYOUT>;
export type Behaviour = Column<typeof BEHAVIOUR>;

/** What is known of a system before a call is made. */
export interface System {
  /** As people call it. */
  readonly label: string;
  readonly constants: Constants;
  readonly layout: Layout;
  readonly behaviour: Behaviour;
}

function column<Table extends Record<string, Row<unknown>>>(table: Table, system: SystemName): Column<Table> {
  const place = COLUMN[system];
  return Object.fromEntries(Object.entries(table).map(([name, row]) => [name, row[place]])) as Column<Table>;
}

export function systemCalled(name: SystemName): System {
  return {
    label: LABEL[name],
    constants: column(NUMBERS, name),
    layout: column(LAYOUT, name),
    behaviour: column(BEHAVIOUR, name),
  };
}

export function posixConstants(name: SystemName): PosixConstants {
  return column(POSIX_NUMBERS, name);
}

/**
 * The system for what STD_NET_WAIT asks for: `poll` for waiting as on macOS and Windows, `bsd` for all of macOS's behaviour. Names and
 * numbers stay the system's own. Anything else changes nothing.
 */
export function systemWaiting(name: SystemName, way: string | undefined): System {
  const system = systemCalled(name);
  if (way === "poll") return { ...system, behaviour: { ...system.behaviour, kernelEndsWaits: false } };
  if (way !== "bsd") return system;
  const { hasAbstractNames } = system.behaviour;
  return { ...system, behaviour: { ...column(BEHAVIOUR, "darwin"), hasAbstractNames } };
}
