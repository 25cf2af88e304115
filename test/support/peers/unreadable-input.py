# Runs the command sys.argv[1:] with standard inputs that cannot be read, and prints the outcomes as JSON.
# Each command gets a new descriptor of each kind; the tcp peer and the udp peer say nothing.
import json, os, socket, struct, subprocess, sys
peer = socket.socket(); peer.bind(("127.0.0.1", 0)); peer.listen(64); tcp = "127.0.0.1:%d" % peer.getsockname()[1]
mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); mute.bind(("127.0.0.1", 0)); udp = "127.0.0.1:%d" % mute.getsockname()[1]
def reset():
    l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
    a = socket.create_connection(l.getsockname()); b, _ = l.accept()
    b.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); b.close()
    return a.detach()
kinds = {
  "EBADF: bad file descriptor, read": lambda: os.open("/dev/null", os.O_WRONLY),
  "read ENOTCONN": lambda: os.pipe()[1],
  "read ECONNRESET": reset,
  "EIO: i/o error, read": lambda: os.open("/proc/self/mem", os.O_RDONLY),
  "EISDIR: illegal operation on a directory, read": lambda: os.open("/", os.O_RDONLY),
  "it is neither a file, a pipe, a terminal nor a stream socket": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].detach(),
}
running = [
  (reason, args[0], subprocess.Popen([*sys.argv[1:], *args], stdin=make(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
  for reason, make in kinds.items()
  for args in (["tcp", tcp], ["udp", udp], ["request"], ["repl"])
]
print(json.dumps([[reason, name, [p.returncode, out, err]] for reason, name, p in running for out, err in [p.communicate(timeout=18)]]))
