# Types into an interactive shell in a terminal of its own, as a user does, and prints the line that completion makes of it as
# JSON. Arguments: what to say to the shell first; what to type before the Tab; what the terminal then shows; the shell's call.
import json
import os
import pty
import re
import select
import sys
import time

prepare, typed, shown, *call = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.environ.update(TERM="xterm", PS1="READY> ", HISTFILE="", COLUMNS="200")
    os.execvp(call[0], call)

output = b""


def until(text):
    """Reads until the terminal has shown the text, and forgets what came up to it."""
    global output
    end = time.monotonic() + 15
    while text.encode() not in output:
        if time.monotonic() > end or not select.select([terminal], [], [], end - time.monotonic())[0]:
            sys.exit(f"{call[0]} did not show {text!r}: {output!r}")
        output += os.read(terminal, 65536)
    before, _, output = output.partition(text.encode())
    return before.decode()


os.write(terminal, f"{prepare}\r".encode())
os.write(terminal, b"PS1='READY> '; stty cols 200; echo prepa''red\r")
until("prepared")
until("READY> ")
os.write(terminal, f"{typed}\t".encode())
until(typed)
until(shown)
# To the beginning of the line, where another command is put before: it prints the words.
os.write(terminal, b"\x01printf '<%s>' \r")
until("<std-net>")
words = re.match(r"(<[^>]*>)*", until("READY> "))[0]
print(json.dumps(re.findall(r"<([^>]*)>", words)))
os.close(terminal)
