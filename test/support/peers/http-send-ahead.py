# In each round, sends three requests and reads their responses. Prints the milliseconds for all rounds.
import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
begun = time.monotonic()
for r in range(int(sys.argv[3])):
  s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
  answers = 0
  while answers < 3: answers += s.recv(65536).count(b"HTTP/1.1 200")
print(int((time.monotonic() - begun) * 1000))
