// send_fd, recv_fd and peer_cred of UnixStream.
import assert from "node:assert/strict";
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import * as net from "std-net";
import { err, ok, openDescriptors, python } from "../support/peer.ts";

const skip = process.platform === "win32" ? "Windows passes no descriptors over Unix sockets" : false;
const folder = mkdtempSync(join(tmpdir(), "std-net-"));
after(() => rmSync(folder, { recursive: true }));

test("descriptors go to a Python program and come from it", { skip }, async () => {
  const path = join(folder, "pass.sock");
  const server = python(
    `
import os
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print("ready", flush=True)
c, _ = s.accept()
data, fds, flags, _ = socket.recv_fds(c, 1, 1)
os.write(fds[0], b"written by the other process")
r, w = os.pipe()
os.write(w, b"from the pipe"); os.close(w)
socket.send_fds(c, [b"x"], [r]); os.close(r)
c.sendall(b"plain")
print(os.getpid(), os.getuid(), os.getgid(), flush=True)
sys.stdin.read()`,
    path,
  );
  await server.line();
  const stream = ok(net.UnixStream.connect(path));
  const file = join(folder, "file");
  writeFileSync(file, "");
  const descriptor = openSync(file, "w");
  ok(stream.send_fd(descriptor));
  closeSync(descriptor);
  const pipe = ok(stream.recv_fd());
  assert.equal(readFileSync(pipe, "utf8"), "from the pipe");
  closeSync(pipe);
  assert.equal(readFileSync(file, "utf8"), "written by the other process");
  assert.equal(err(stream.recv_fd()), "unix recv_fd failed: the next byte came without a descriptor");
  assert.equal(ok(stream.read(10)).toString(), "lain");
  const [pid, uid, gid] = (await server.line()).split(" ").map(Number);
  assert.deepEqual(ok(stream.peer_cred()), { pid, uid, gid });
  server.kill();
  await server.exit();
  assert.equal(err(stream.recv_fd()), "unix recv_fd failed: end of stream before a descriptor");
  stream.close();
});

test("a received descriptor is close-on-exec, and none is lost", { skip }, () => {
  const before = openDescriptors();
  const [near, far] = ok(net.UnixStream.pair());
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  ok(near.send_fd(ok(listener.as_fd())));
  const number = ok(far.recv_fd());
  if (process.platform === "linux") {
    const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${number}`, "utf8"))?.[1] ?? "";
    assert.ok((Number.parseInt(flags, 8) & 0o2000000) !== 0, `flags ${flags}`);
  }
  assert.ok(fstatSync(number).isSocket());
  const same = ok(net.TcpListener.from_fd(number));
  listener.close();
  const client = ok(net.TcpStream.connect(ok(same.local_addr())));
  ok(same.accept()).close();
  for (const socket of [client, same, near, far]) socket.close();
  assert.equal(openDescriptors(), before);
});

test("waiting ends as with a read, and wrong numbers are errors", { skip }, () => {
  const [near, far] = ok(net.UnixStream.pair());
  ok(far.set_read_timeout(30));
  assert.equal(net.error_code(err(far.recv_fd())), "EAGAIN");
  ok(far.set_nonblocking(true));
  assert.equal(net.error_code(err(far.recv_fd())), "EAGAIN");
  const send = (fd: unknown) => err(near.send_fd(fd as number));
  for (const wrong of ["1", 1.5, null, undefined]) assert.equal(send(wrong), "expected int");
  for (const closed of [-1, 1_000_000, 2 ** 40]) {
    assert.match(send(closed), /^unix send_fd failed: /);
    assert.equal(net.error_code(send(closed)), "EBADF");
  }
  ok(near.write_all("abc"));
  assert.equal(net.error_code(err(far.read_exact(9))), "EAGAIN");
  assert.equal(
    err(far.recv_fd()),
    "unix recv_fd failed: bytes that a failed read gave back are still to be read",
  );
  near.close();
  assert.equal(send(0), "invalid unix stream");
  assert.equal(err(near.recv_fd()), "invalid unix stream");
  assert.equal(err(near.peer_cred()), "invalid unix stream");
  far.close();
});

test("on Windows they say that there is no such thing", {
  skip: process.platform === "win32" ? false : "this is how it is on Windows",
}, () => {
  const path = join(folder, "windows.sock");
  const listener = ok(net.UnixListener.bind(path));
  const stream = ok(net.UnixStream.connect(path));
  assert.equal(err(stream.send_fd(0)), "unix send_fd failed: not supported on Windows");
  assert.equal(err(stream.recv_fd()), "unix recv_fd failed: not supported on Windows");
  assert.equal(err(stream.peer_cred()), "unix peer_cred failed: not supported on Windows");
  stream.close();
  listener.close();
});
