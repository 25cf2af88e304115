import socket

from commands import port, take_commands

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
server = ("127.0.0.1", port)
message = bytes(64)


def round_trips(count):
    for _ in range(count):
        udp.sendto(message, server)
        udp.recvfrom(64)


take_commands(round_trips)
