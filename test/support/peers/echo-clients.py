# 50 connections to port sys.argv[1] of an echo server, three rounds on all of them.
import socket, sys
clients = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(50)]
for round in range(3):
    for i, c in enumerate(clients): c.sendall(b"%d %d" % (round, i))
    for i, c in enumerate(clients):
        want = b"%d %d" % (round, i)
        got = b""
        while len(got) < len(want): got += c.recv(100)
        assert got == want, (got, want)
for c in clients: c.close()
print("all answered")
