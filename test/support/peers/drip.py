# A proxy for the server at port sys.argv[1]. It passes on what the server sends as it comes up to byte sys.argv[2],
# and then one byte every 30 ms.
import socket, sys, threading, time
target, start = ("127.0.0.1", int(sys.argv[1])), int(sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1])
def pump(source, sink, drips):
    seen = 0
    try:
        while data := source.recv(65536):
            for at in range(len(data)) if drips else [slice(None)]:
                if drips and seen >= start: time.sleep(0.03)
                sink.sendall(bytes([data[at]]) if drips else data)
                seen += 1
    except OSError: pass
while True:
    client, _ = listener.accept()
    server = socket.create_connection(target)
    threading.Thread(target=pump, args=(client, server, False), daemon=True).start()
    threading.Thread(target=pump, args=(server, client, True), daemon=True).start()
