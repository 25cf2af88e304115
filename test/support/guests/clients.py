# Python's own clients, in Pyodide: http.client, urllib.request, smtplib and socket.
import http.client
import smtplib
import socket
import sys
import urllib.request
from email.message import EmailMessage

web, mail = int(sys.argv[1]), int(sys.argv[2])
connection = http.client.HTTPConnection("127.0.0.1", web, timeout=10)
for path in ("/first", "/second"):
    connection.request("GET", path)
    response = connection.getresponse()
    print(response.status, response.getheader("x-port"), response.read().decode())
connection.request("POST", "/chunks", body=iter([b"one ", b"two"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
print(connection.getresponse().read().decode())
print(urllib.request.urlopen(f"http://localhost:{web}/url").read().decode())

message = EmailMessage()
message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "Hello"
message.set_content("A line.\n.a line with a dot\n")
with smtplib.SMTP("127.0.0.1", mail, timeout=10) as server:
    print(server.send_message(message))

try:
    socket.create_connection(("127.0.0.1", 1), timeout=10)
except ConnectionRefusedError:
    print("refused")
silent = socket.create_connection(("127.0.0.1", web))
silent.settimeout(0.1)
try:
    silent.recv(1)
except TimeoutError as error:
    print(error)
silent.setblocking(False)
try:
    silent.recv(1)
except BlockingIOError:
    print("would block")
try:
    socket.getaddrinfo("name.invalid", 80)
except socket.gaierror:
    print("no such name")
near, far = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
near.bind(("127.0.0.1", 0))
far.sendto(b"datagram", near.getsockname())
print(near.recvfrom(100)[0].decode())
