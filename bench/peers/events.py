# Server-sent events line by line, as http.client's users read them.
import http.client
import json
import sys

from commands import port, take_commands

path, events = sys.argv[2], int(sys.argv[3])
connection = http.client.HTTPConnection("127.0.0.1", port)


def operations(count):
    for _ in range(count):
        connection.request("GET", path, headers={"accept": "text/event-stream"})
        response = connection.getresponse()
        seen = 0
        for line in response:
            if line.startswith(b"data: ") and json.loads(line[6:])["created"] == 1700000000:
                seen += 1
        assert seen == events


take_commands(operations)
