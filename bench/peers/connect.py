import socket

from commands import port, take_commands


def connections(count):
    for _ in range(count):
        stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        stream.connect(("127.0.0.1", port))
        stream.send(b"\x01")
        stream.recv(1)
        stream.close()


take_commands(connections)
