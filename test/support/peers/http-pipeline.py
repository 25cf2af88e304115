# Sends 201 requests ahead and prints the paths of the responses.
import re, socket, sys
host, port = sys.argv[1].rsplit(":", 1)
s = socket.create_connection((host, int(port)))
s.sendall(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % i for i in range(200)) + b"GET /end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
data = b""
while True:
    piece = s.recv(65536)
    if not piece: break
    data += piece
print(b" ".join(re.findall(rb'"path":"/(\w+)"', data)).decode())
