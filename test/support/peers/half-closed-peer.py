# Accepts one connection, prints its port first, ends its direction at once, and prints how many bytes came after that.
# It closes when sys.argv[1] bytes have come.
import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print(s.getsockname()[1])
c, _ = s.accept(); c.sendall(b"ready\n"); c.shutdown(socket.SHUT_WR)
time.sleep(0.3)
n = 0
while n < int(sys.argv[1]) and (data := c.recv(65536)): n += len(data)
c.close()
print(n)
