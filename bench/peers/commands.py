"""The loop of every Python peer: takes "run COUNT" from standard input and prints the nanoseconds it took, or
those that it has counted and returns."""

import sys
import time


def take_commands(operations):
    print("ready", flush=True)
    for line in sys.stdin:
        count = int(line.split()[1])
        start = time.perf_counter_ns()
        counted = operations(count)
        print(time.perf_counter_ns() - start if counted is None else counted, flush=True)


port = int(sys.argv[1])
