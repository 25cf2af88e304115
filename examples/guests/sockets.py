"""The sockets of Python in Pyodide, on std-net: the classes `_socket.socket` and `select.poll`.

Everything above them (socket, selectors, http.client, smtplib, socketserver ...) is Python's own, unmodified.
"""
import _socket
import errno
import importlib
import select
import sys

from js import Object
from pyodide.ffi import jsnull, to_js
from std_net import Poller, TcpListener, TcpStream, UdpSocket, error_code, is_timeout, lookup_host, plain_bytes

_socket.SO_REUSEADDR = 2  # Pyodide's build leaves it out
HANDLES = {}  # descriptor: the std-net object behind it
HOW = {_socket.SHUT_RD: "read", _socket.SHUT_WR: "write", _socket.SHUT_RDWR: "both"}
FLAGS = {  # the options that programs set; TcpStream and UdpSocket have a member for each
    (_socket.IPPROTO_TCP, _socket.TCP_NODELAY): "nodelay",
    (_socket.SOL_SOCKET, _socket.SO_KEEPALIVE): "keepalive",
    (_socket.SOL_SOCKET, _socket.SO_BROADCAST): "broadcast",
}


def options(**fields):
    return to_js(fields, dict_converter=Object.fromEntries)


def unwrap(result, timeout=None):
    """The value of a Result, or the exception that Python programs expect."""
    if result.isOk:
        return result.value
    text = result.error
    if "failed to lookup address information" in text:
        raise _socket.gaierror(_socket.EAI_NONAME, text)
    if timeout != 0 and is_timeout(text):
        raise TimeoutError("timed out")
    raise OSError(getattr(errno, error_code(text) or "", errno.EIO), text)


def to_text(address):
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host or '0.0.0.0'}:{port}"


def to_tuple(text):
    host, _, port = text.rpartition(":")
    return (host[1:-1], int(port), 0, 0) if host.startswith("[") else (host, int(port))


class Socket:
    __slots__ = ("_kind", "_proto", "_handle", "_timeout", "_reuse_address")  # (socket.socket adds __weakref__)

    def __init__(self, family=-1, type=-1, proto=-1, fileno=None):
        self._kind = (_socket.AF_INET if family == -1 else family, _socket.SOCK_STREAM if type == -1 else type)
        self._proto = max(proto, 0)
        self._handle = HANDLES.get(fileno)
        self._timeout = None
        self._reuse_address = False
        self.settimeout(_socket.getdefaulttimeout())

    family = property(lambda self: self._kind[0])
    type = property(lambda self: self._kind[1])
    proto = property(lambda self: self._proto)
    timeout = property(lambda self: self._timeout)

    def _have(self, handle):
        """From now on the socket is this std-net object. (In Python it exists from the beginning; std-net opens it when it knows how.)"""
        self._handle = handle
        HANDLES[unwrap(handle.as_fd())] = handle
        self.settimeout(self._timeout)

    def _open(self):
        if self._handle is None:
            if self.type != _socket.SOCK_DGRAM:
                raise OSError(errno.ENOTCONN, "the socket is not connected")
            self._have(unwrap(UdpSocket.bind("[::]:0" if self.family == _socket.AF_INET6 else "0.0.0.0:0")))
        return self._handle

    def _value(self, result):
        return unwrap(result, self._timeout)

    def connect(self, address):
        if self.type == _socket.SOCK_DGRAM:
            unwrap(self._open().connect(to_text(address)))
        elif self._timeout:
            self._have(unwrap(TcpStream.connect_timeout(to_text(address), self._timeout * 1000)))
        else:
            self._have(unwrap(TcpStream.connect(to_text(address))))

    def bind(self, address):
        if self.type == _socket.SOCK_DGRAM:
            self._have(unwrap(UdpSocket.bind(to_text(address))))
        else:  # std-net's bind also listens
            self._have(unwrap(TcpListener.bind(to_text(address), options(reuse_address=self._reuse_address))))

    def listen(self, backlog=128):
        if not hasattr(self._handle, "accept"):
            raise OSError(errno.EINVAL, "bind comes first")

    def _accept(self):
        stream = self._value(self._open().accept())
        descriptor = unwrap(stream.as_fd())
        HANDLES[descriptor] = stream
        return descriptor, to_tuple(unwrap(stream.peer_addr()))

    def recv(self, size, flags=0):
        handle = self._open()
        if self.type == _socket.SOCK_DGRAM:
            data = handle.recv(size)
        elif size == 0:
            return b""
        else:
            data = handle.peek(size) if flags & _socket.MSG_PEEK else handle.read(size)
        return self._value(plain_bytes(data)).to_bytes()

    def recv_into(self, buffer, size=0, flags=0):
        data = self.recv(size or len(buffer), flags)
        memoryview(buffer).cast("B")[: len(data)] = data
        return len(data)

    def recvfrom(self, size, flags=0):
        handle = self._open()
        if self.type != _socket.SOCK_DGRAM:
            return self.recv(size, flags), None
        data, sender = self._value(plain_bytes(handle.recv_from(size)))
        return data.to_bytes(), to_tuple(sender)

    def send(self, data, flags=0):
        handle = self._open()
        data = to_js(bytes(data))
        return self._value(handle.send(data) if self.type == _socket.SOCK_DGRAM else handle.write(data))

    def sendall(self, data, flags=0):
        self._value(self._open().write_all(to_js(bytes(data))))

    def sendto(self, data, *flags_and_address):
        return self._value(self._open().send_to(to_js(bytes(data)), to_text(flags_and_address[-1])))

    def getsockname(self):
        return ("0.0.0.0", 0) if self._handle is None else to_tuple(unwrap(self._handle.local_addr()))

    def getpeername(self):
        return to_tuple(unwrap(self._open().peer_addr()))

    def setsockopt(self, level, option, value, *length):
        name = FLAGS.get((level, option))
        if (level, option) == (_socket.SOL_SOCKET, _socket.SO_REUSEADDR):
            self._reuse_address = bool(value)
        elif name is not None and hasattr(self._open(), f"set_{name}"):
            unwrap(getattr(self._handle, f"set_{name}")(bool(value)))
        else:
            raise OSError(errno.ENOPROTOOPT, "Protocol not available")

    def getsockopt(self, level, option, length=0):
        if (level, option) == (_socket.SOL_SOCKET, _socket.SO_TYPE):
            return self.type
        name = FLAGS.get((level, option))
        if name is None or not hasattr(self._open(), name):
            raise OSError(errno.ENOPROTOOPT, "Protocol not available")
        return int(unwrap(getattr(self._handle, name)()))

    def settimeout(self, seconds):
        self._timeout = None if seconds is None else float(seconds)
        if self._handle is None:
            return
        milliseconds = self._timeout * 1000 if self._timeout else jsnull
        for member in ("set_read_timeout", "set_write_timeout", "set_accept_timeout"):
            if hasattr(self._handle, member):
                unwrap(getattr(self._handle, member)(milliseconds))
        unwrap(self._handle.set_nonblocking(self._timeout == 0))

    def gettimeout(self):
        return self._timeout

    def setblocking(self, flag):
        self.settimeout(None if flag else 0)

    def getblocking(self):
        return self._timeout != 0

    def fileno(self):
        if self._handle is None:
            return -1
        descriptor = self._handle.as_fd()
        return descriptor.value if descriptor.isOk else -1

    def shutdown(self, how):
        unwrap(self._open().shutdown(HOW[how]))

    def detach(self):
        descriptor, self._handle = self.fileno(), None
        return descriptor

    def close(self):
        if self._handle is not None:
            HANDLES.pop(self.fileno(), None)
            self._handle.close()


class Poll:
    """`select.poll`, on which `selectors` and so `socketserver` stand."""

    def __init__(self):
        self._poller = unwrap(Poller.create())
        self._known = {}

    def register(self, descriptor, events=select.POLLIN | select.POLLPRI | select.POLLOUT):
        self.unregister(descriptor, missing_ok=True)
        interest = options(readable=bool(events & select.POLLIN), writable=bool(events & select.POLLOUT))
        unwrap(self._poller.add(HANDLES[descriptor], interest, descriptor))
        self._known[descriptor] = HANDLES[descriptor]

    modify = register

    def unregister(self, descriptor, missing_ok=False):
        if not missing_ok or descriptor in self._known:
            self._poller.remove(self._known.pop(descriptor))  # (an error when it is closed, and so gone already)

    def poll(self, timeout=None):
        events = unwrap(self._poller.wait(jsnull if timeout is None or timeout < 0 else timeout))
        return [(e.key, select.POLLIN * e.readable | select.POLLOUT * e.writable) for e in events]


def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
    name = host or ("0.0.0.0" if flags & _socket.AI_PASSIVE else "127.0.0.1")
    name = name.decode() if isinstance(name, bytes) else name
    found = [to_tuple(text) for text in unwrap(lookup_host(to_text((name, int(port or 0)))))]
    kinds = [(_socket.AF_INET if len(address) == 2 else _socket.AF_INET6, address) for address in found]
    types = [type] if type else [_socket.SOCK_STREAM, _socket.SOCK_DGRAM]
    return [(kind, one, proto, "", address) for kind, address in kinds if family in (0, kind) for one in types]


_socket.socket = _socket.SocketType = Socket
_socket.getaddrinfo = getaddrinfo
_socket.gethostbyname = lambda host: getaddrinfo(host, 0, _socket.AF_INET)[0][4][0]
_socket.gethostname = lambda: "localhost"
select.poll = Poll
for name in ("socket", "selectors"):
    importlib.reload(sys.modules[name])
