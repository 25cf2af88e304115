# The part of an HTTPS server that asks for the client's certificate when it has read the request. tls-server.py runs it.
import select

tls = context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False)
print(tls.version(), tls.recv(10000)[:10], tls.getpeercert())
tls.verify_client_post_handshake()
tls.do_handshake()
tls.setblocking(False)
while tls.getpeercert() is None:
    select.select([tls], [], [])
    try: print("unexpected", tls.recv(1))
    except ssl.SSLWantReadError: pass
tls.setblocking(True)
name = tls.getpeercert()["subject"][0][0][1]
tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name.encode()))
print(tls.recv(1))
