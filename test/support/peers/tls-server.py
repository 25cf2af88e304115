# A TLS server on one port of 127.0.0.1, which it prints. Arguments: the folder of server.pem and server.key, Python to
# run with `context` before it listens, and Python to run with `raw`, the first connection.
import socket, ssl, sys, time
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + "/server.pem", sys.argv[1] + "/server.key")
exec(sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1])
raw, _ = listener.accept()
exec(sys.argv[3])
