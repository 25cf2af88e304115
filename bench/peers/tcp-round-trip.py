import socket

from commands import port, take_commands

stream = socket.create_connection(("127.0.0.1", port))
stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
message = bytes(64)


def round_trips(count):
    send, recv = stream.send, stream.recv
    for _ in range(count):
        send(message)
        have = 0
        while have < 64:
            have += len(recv(64 - have))


take_commands(round_trips)
