# As ticks.std-net.js.
import http.client
import time

from commands import port, take_commands

connection = http.client.HTTPConnection("127.0.0.1", port)


def events(count):
    connection.request("GET", f"/ticks/{count}", headers={"accept": "text/event-stream"})
    total = 0
    for line in connection.getresponse():
        if line.startswith(b"data: "):
            total += time.monotonic_ns() - int(line[6:])
    return total


take_commands(events)
