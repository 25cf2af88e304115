# Sends requests that are refused, and one that is not, whole before it reads; a connection that is reset loses what was
# not read. Prints the status and whether the body tells an error. Argument: the port.
import socket, sys
for start, length in ((b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000000\r\n\r\n", 70000000),
                      (b"GET / HTTP/1.1\r\nX: " + b"y" * 70000, 5000000),
                      (b"GET / HTTP/1.1\r\n\r\n", 5000000),
                      (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n\r\n", 0)):
    c = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); c.settimeout(15)
    c.sendall(start); c.sendall(b"x" * length)
    answer = b""
    while data := c.recv(65536): answer += data
    print(answer.split()[1].decode(), b'"error"' in answer); c.close()
