import http.client
import json

from commands import port, take_commands

connection = http.client.HTTPConnection("127.0.0.1", port)


def exchanges(count):
    for _ in range(count):
        connection.request("GET", "/small")
        answer = connection.getresponse()
        body = json.loads(answer.read())
        if answer.status != 200 or body["id"] != 42:
            raise RuntimeError("a bad answer")


take_commands(exchanges)
