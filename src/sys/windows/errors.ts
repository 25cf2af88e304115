/**
 * Windows' error numbers: Microsoft's English texts and the POSIX names. Pure tables; a module of its own, because to ask for a name must
 * not load koffi. Sources: "Windows Sockets Error Codes" and "System Error Codes" of Microsoft's documentation, winerror.h, and the texts that
 * FormatMessageW gives in English.
 *
 * The texts stand here so that an error has one text on every machine: FormatMessageW speaks the user's language.
 */

/** [number, POSIX name or null, text]. A text ends without its full stop, which `windowsErrorText` adds. */
const ERRORS: readonly (readonly [number: number, name: string | null, text: string])[] = [
  // What files, pipes and handles give (System Error Codes).
  [2, "ENOENT", "The system cannot find the file specified"],
  [3, "ENOENT", "The system cannot find the path specified"],
  [4, "EMFILE", "The system cannot open the file"],
  [5, "EACCES", "Access is denied"],
  [6, "EBADF", "The handle is invalid"],
  [8, "ENOMEM", "Not enough memory resources are available to process this command"],
  [14, "ENOMEM", "Not enough memory resources are available to complete this operation"],
  [64, "ECONNRESET", "The specified network name is no longer available"],
  [87, "EINVAL", "The parameter is incorrect"],
  [109, "EPIPE", "The pipe has been ended"],
  [121, "ETIMEDOUT", "The semaphore timeout period has expired"],
  [183, "EEXIST", "Cannot create a file when that file already exists"],
  [232, "EPIPE", "The pipe is being closed"],
  [
    995,
    "ECANCELED",
    "The I/O operation has been aborted because of either a thread exit or an application request",
  ],
  [1168, null, "Element not found"],
  [1225, "ECONNREFUSED", "The remote computer refused the network connection"],
  [
    1231,
    "ENETUNREACH",
    "The network location cannot be reached. For information about network troubleshooting, see Windows Help",
  ],
  [1236, "ECONNABORTED", "The network connection was aborted by the local system"],
  // Windows Sockets Error Codes. (FormatMessageW's text of 10004 speaks of WSACancelBlockingCall, which nobody has called.)
  [10004, "EINTR", "Interrupted function call"],
  [10009, "EBADF", "The file handle supplied is not valid"],
  [10013, "EACCES", "An attempt was made to access a socket in a way forbidden by its access permissions"],
  [
    10014,
    "EFAULT",
    "The system detected an invalid pointer address in attempting to use a pointer argument in a call",
  ],
  [10022, "EINVAL", "An invalid argument was supplied"],
  [10024, "EMFILE", "Too many open sockets"],
  [10035, "EAGAIN", "A non-blocking socket operation could not be completed immediately"],
  [10036, "EINPROGRESS", "A blocking operation is currently executing"],
  [
    10037,
    "EALREADY",
    "An operation was attempted on a non-blocking socket that already had an operation in progress",
  ],
  [10038, "ENOTSOCK", "An operation was attempted on something that is not a socket"],
  [10039, "EDESTADDRREQ", "A required address was omitted from an operation on a socket"],
  [
    10040,
    "EMSGSIZE",
    "A message sent on a datagram socket was larger than the internal message buffer or some other network limit, or the buffer used to receive a datagram into was smaller than the datagram itself",
  ],
  [
    10041,
    "EPROTOTYPE",
    "A protocol was specified in the socket function call that does not support the semantics of the socket type requested",
  ],
  [
    10042,
    "ENOPROTOOPT",
    "An unknown, invalid, or unsupported option or level was specified in a getsockopt or setsockopt call",
  ],
  [
    10043,
    "EPROTONOSUPPORT",
    "The requested protocol has not been configured into the system, or no implementation for it exists",
  ],
  [
    10044,
    "ESOCKTNOSUPPORT",
    "The support for the specified socket type does not exist in this address family",
  ],
  [10045, "EOPNOTSUPP", "The attempted operation is not supported for the type of object referenced"],
  [
    10046,
    "EPFNOSUPPORT",
    "The protocol family has not been configured into the system or no implementation for it exists",
  ],
  [10047, "EAFNOSUPPORT", "An address incompatible with the requested protocol was used"],
  [
    10048,
    "EADDRINUSE",
    "Only one usage of each socket address (protocol/network address/port) is normally permitted",
  ],
  [10049, "EADDRNOTAVAIL", "The requested address is not valid in its context"],
  [10050, "ENETDOWN", "A socket operation encountered a dead network"],
  [10051, "ENETUNREACH", "A socket operation was attempted to an unreachable network"],
  [
    10052,
    "ENETRESET",
    "The connection has been broken due to keep-alive activity detecting a failure while the operation was in progress",
  ],
  [10053, "ECONNABORTED", "An established connection was aborted by the software in your host machine"],
  [10054, "ECONNRESET", "An existing connection was forcibly closed by the remote host"],
  [
    10055,
    "ENOBUFS",
    "An operation on a socket could not be performed because the system lacked sufficient buffer space or because a queue was full",
  ],
  [10056, "EISCONN", "A connect request was made on an already connected socket"],
  [
    10057,
    "ENOTCONN",
    "A request to send or receive data was disallowed because the socket is not connected and (when sending on a datagram socket using a sendto call) no address was supplied",
  ],
  [
    10058,
    "ESHUTDOWN",
    "A request to send or receive data was disallowed because the socket had already been shut down in that direction with a previous shutdown call",
  ],
  [10059, "ETOOMANYREFS", "Too many references to some kernel object"],
  [
    10060,
    "ETIMEDOUT",
    "A connection attempt failed because the connected party did not properly respond after a period of time, or established connection failed because connected host has failed to respond",
  ],
  [10061, "ECONNREFUSED", "No connection could be made because the target machine actively refused it"],
  [10062, "ELOOP", "Cannot translate name"],
  [10063, "ENAMETOOLONG", "Name component or name was too long"],
  [10064, "EHOSTDOWN", "A socket operation failed because the destination host was down"],
  [10065, "EHOSTUNREACH", "A socket operation was attempted to an unreachable host"],
  [10066, "ENOTEMPTY", "Cannot remove a directory that is not empty"],
  [
    10067,
    "EPROCLIM",
    "A Windows Sockets implementation may have a limit on the number of applications that may use it simultaneously",
  ],
  [10068, "EUSERS", "Ran out of quota"],
  [10069, "EDQUOT", "Ran out of disk quota"],
  [10070, "ESTALE", "File handle reference is no longer available"],
  [10071, "EREMOTE", "Item is not available locally"],
  [
    10091,
    null,
    "WSAStartup cannot function at this time because the underlying system it uses to provide network services is currently unavailable",
  ],
  [10092, null, "The Windows Sockets version requested is not supported"],
  [10093, null, "Either the application has not called WSAStartup, or WSAStartup failed"],
  // What the resolver gives.
  [11001, null, "No such host is known"],
  [
    11002,
    null,
    "This is usually a temporary error during hostname resolution and means that the local server did not receive a response from an authoritative server",
  ],
  [11003, null, "A non-recoverable error occurred during a database lookup"],
  [11004, null, "The requested name is valid, but no data of the requested type was found"],
];

const byNumber = new Map(ERRORS.map((error) => [error[0], error]));

/** Microsoft's English text, full stop included; null for a number that is not in the table. */
export function windowsErrorText(number: number): string | null {
  const found = byNumber.get(number);
  return found === undefined ? null : `${found[2]}.`;
}

/** The POSIX name: `ECONNREFUSED` for 10061; null for a number that has none. */
export function windowsErrorName(number: number): string | null {
  return byNumber.get(number)?.[1] ?? null;
}

// Numbers that only this folder knows.
export const ERROR_NOT_FOUND = 1168;
export const WSAEMSGSIZE = 10040;
export const WSAENOPROTOOPT = 10042;
export const WSAESHUTDOWN = 10058;
export const WSAECONNREFUSED = 10061;
