/**
 * The numbers that differ between systems, one column a platform. Sources: the kernel's and libc's headers
 * (`asm-generic/socket.h`, `netinet/in.h`, `poll.h`, `fcntl.h` on Linux; `sys/socket.h`, `netinet6/in6.h`,
 * `fcntl.h` of the XNU sources on macOS).
 */
export interface Constants {
  readonly AF_UNIX: number;
  readonly AF_INET: number;
  readonly AF_INET6: number;
  readonly SOCK_STREAM: number;
  readonly SOCK_DGRAM: number;
  /** Given to socket(2) with the type: close-on-exec from birth. 0 where the system has no such flag. */
  readonly SOCK_CLOEXEC: number;
  readonly SOL_SOCKET: number;
  readonly SO_REUSEADDR: number;
  readonly SO_REUSEPORT: number;
  readonly SO_TYPE: number;
  readonly SO_ERROR: number;
  readonly SO_BROADCAST: number;
  readonly SO_KEEPALIVE: number;
  /** In whole seconds: on macOS this is SO_LINGER_SEC, for SO_LINGER itself counts in clock ticks there. */
  readonly SO_LINGER: number;
  /** How many bytes make a stream readable: for poll(2) too (socket(7)). */
  readonly SO_RCVLOWAT: number;
  readonly SO_RCVTIMEO: number;
  readonly SO_SNDTIMEO: number;
  readonly SO_ACCEPTCONN: number;
  /** Where it exists (macOS), the option that keeps a socket from raising SIGPIPE; else 0. */
  readonly SO_NOSIGPIPE: number;
  readonly IPPROTO_IP: number;
  readonly IPPROTO_TCP: number;
  readonly IPPROTO_IPV6: number;
  readonly TCP_NODELAY: number;
  readonly IP_TTL: number;
  readonly IP_MULTICAST_IF: number;
  readonly IP_MULTICAST_TTL: number;
  readonly IP_MULTICAST_LOOP: number;
  readonly IP_ADD_MEMBERSHIP: number;
  readonly IP_DROP_MEMBERSHIP: number;
  readonly IPV6_UNICAST_HOPS: number;
  readonly IPV6_V6ONLY: number;
  readonly IPV6_MULTICAST_LOOP: number;
  readonly IPV6_JOIN_GROUP: number;
  readonly IPV6_LEAVE_GROUP: number;
  readonly MSG_PEEK: number;
  readonly MSG_DONTWAIT: number;
  /** Given to send(2): an EPIPE and no SIGPIPE. 0 where the system has no such flag. */
  readonly MSG_NOSIGNAL: number;
  readonly SHUT_RD: number;
  readonly SHUT_WR: number;
  readonly SHUT_RDWR: number;
  readonly POLLIN: number;
  readonly POLLOUT: number;
  readonly POLLERR: number;
  readonly POLLHUP: number;
  readonly POLLNVAL: number;
  /** Tells that the peer has ended its side; 0 where poll(2) knows no such event. */
  readonly POLLRDHUP: number;
  readonly F_GETFD: number;
  readonly F_SETFD: number;
  readonly FD_CLOEXEC: number;
  readonly F_GETFL: number;
  readonly F_SETFL: number;
  readonly F_DUPFD_CLOEXEC: number;
  readonly O_NONBLOCK: number;
  readonly ENOENT: number;
  readonly SIG_BLOCK: number;
  readonly SIG_UNBLOCK: number;
  readonly EINTR: number;
  readonly EBADF: number;
  readonly EAGAIN: number;
  readonly EEXIST: number;
  readonly EINVAL: number;
  readonly EPIPE: number;
  readonly ENOTSOCK: number;
  readonly ENOTCONN: number;
  readonly ECONNRESET: number;
  readonly EISCONN: number;
  readonly EINPROGRESS: number;
  readonly EALREADY: number;
  readonly ETIMEDOUT: number;
  readonly EAFNOSUPPORT: number;
  readonly EAI_NONAME: number;
  readonly EAI_SYSTEM: number;
  /** True where a Unix socket's name may begin with a NUL and be no file (unix(7)). */
  readonly hasAbstractNames: boolean;
  /** True where a sockaddr begins with a length byte and the family is one byte (the BSDs, macOS). */
  readonly sockaddrHasLength: boolean;
}

export const linux: Constants = {
  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_CLOEXEC: 0o2000000,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_REUSEPORT: 15,
  SO_TYPE: 3,
  SO_ERROR: 4,
  SO_BROADCAST: 6,
  SO_KEEPALIVE: 9,
  SO_LINGER: 13,
  SO_RCVLOWAT: 18,
  SO_RCVTIMEO: 20,
  SO_SNDTIMEO: 21,
  SO_ACCEPTCONN: 30,
  SO_NOSIGPIPE: 0,
  IPPROTO_IP: 0,
  IPPROTO_TCP: 6,
  IPPROTO_IPV6: 41,
  TCP_NODELAY: 1,
  IP_TTL: 2,
  IP_MULTICAST_IF: 32,
  IP_MULTICAST_TTL: 33,
  IP_MULTICAST_LOOP: 34,
  IP_ADD_MEMBERSHIP: 35,
  IP_DROP_MEMBERSHIP: 36,
  IPV6_UNICAST_HOPS: 16,
  IPV6_V6ONLY: 26,
  IPV6_MULTICAST_LOOP: 19,
  IPV6_JOIN_GROUP: 20,
  IPV6_LEAVE_GROUP: 21,
  MSG_PEEK: 0x2,
  MSG_DONTWAIT: 0x40,
  MSG_NOSIGNAL: 0x4000,
  SHUT_RD: 0,
  SHUT_WR: 1,
  SHUT_RDWR: 2,
  POLLIN: 0x1,
  POLLOUT: 0x4,
  POLLERR: 0x8,
  POLLHUP: 0x10,
  POLLNVAL: 0x20,
  POLLRDHUP: 0x2000,
  F_GETFD: 1,
  F_SETFD: 2,
  FD_CLOEXEC: 1,
  F_GETFL: 3,
  F_SETFL: 4,
  F_DUPFD_CLOEXEC: 1030,
  O_NONBLOCK: 0o4000,
  ENOENT: 2,
  SIG_BLOCK: 0,
  SIG_UNBLOCK: 1,
  EINTR: 4,
  EBADF: 9,
  EAGAIN: 11,
  EEXIST: 17,
  EINVAL: 22,
  EPIPE: 32,
  ENOTSOCK: 88,
  ENOTCONN: 107,
  ECONNRESET: 104,
  EISCONN: 106,
  EINPROGRESS: 115,
  EALREADY: 114,
  ETIMEDOUT: 110,
  EAFNOSUPPORT: 97,
  EAI_NONAME: -2,
  EAI_SYSTEM: -11,
  hasAbstractNames: true,
  sockaddrHasLength: false,
};

export const darwin: Constants = {
  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: 30,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_CLOEXEC: 0,
  SOL_SOCKET: 0xffff,
  SO_REUSEADDR: 0x4,
  SO_REUSEPORT: 0x200,
  SO_TYPE: 0x1008,
  SO_ERROR: 0x1007,
  SO_BROADCAST: 0x20,
  SO_KEEPALIVE: 0x8,
  SO_LINGER: 0x1080,
  SO_RCVLOWAT: 0x1004,
  SO_RCVTIMEO: 0x1006,
  SO_SNDTIMEO: 0x1005,
  SO_ACCEPTCONN: 0x2,
  SO_NOSIGPIPE: 0x1022,
  IPPROTO_IP: 0,
  IPPROTO_TCP: 6,
  IPPROTO_IPV6: 41,
  TCP_NODELAY: 1,
  IP_TTL: 4,
  IP_MULTICAST_IF: 9,
  IP_MULTICAST_TTL: 10,
  IP_MULTICAST_LOOP: 11,
  IP_ADD_MEMBERSHIP: 12,
  IP_DROP_MEMBERSHIP: 13,
  IPV6_UNICAST_HOPS: 4,
  IPV6_V6ONLY: 27,
  IPV6_MULTICAST_LOOP: 11,
  IPV6_JOIN_GROUP: 12,
  IPV6_LEAVE_GROUP: 13,
  MSG_PEEK: 0x2,
  MSG_DONTWAIT: 0x80,
  MSG_NOSIGNAL: 0,
  SHUT_RD: 0,
  SHUT_WR: 1,
  SHUT_RDWR: 2,
  POLLIN: 0x1,
  POLLOUT: 0x4,
  POLLERR: 0x8,
  POLLHUP: 0x10,
  POLLNVAL: 0x20,
  POLLRDHUP: 0,
  F_GETFD: 1,
  F_SETFD: 2,
  FD_CLOEXEC: 1,
  F_GETFL: 3,
  F_SETFL: 4,
  F_DUPFD_CLOEXEC: 67,
  O_NONBLOCK: 0x4,
  ENOENT: 2,
  SIG_BLOCK: 1,
  SIG_UNBLOCK: 2,
  EINTR: 4,
  EBADF: 9,
  EAGAIN: 35,
  EEXIST: 17,
  EINVAL: 22,
  EPIPE: 32,
  ENOTSOCK: 38,
  ENOTCONN: 57,
  ECONNRESET: 54,
  EISCONN: 56,
  EINPROGRESS: 36,
  EALREADY: 37,
  ETIMEDOUT: 60,
  EAFNOSUPPORT: 47,
  EAI_NONAME: 8,
  EAI_SYSTEM: 11,
  hasAbstractNames: false,
  sockaddrHasLength: true,
};
