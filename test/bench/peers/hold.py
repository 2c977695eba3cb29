"""The hold model in SimPy: each pending event is a process that waits for a pseudo-random delay,
again and again. Argument: pending. For each number of seconds read, it runs that long and prints
{"events", "seconds"}, in CPU time."""

import json
import sys
import time

import simpy

DRAWS = 4096


def draw_delays():
    x = 12345
    delays = []
    for _ in range(DRAWS):
        x ^= (x << 13) & 0xFFFFFFFF
        x ^= x >> 17
        x ^= (x << 5) & 0xFFFFFFFF
        delays.append(1 + x % 10000)
    return delays


def main():
    pending = int(sys.argv[1])
    env = simpy.Environment()
    delays = draw_delays()
    events = 0

    def holder(index):
        nonlocal events
        timeout = env.timeout
        while True:
            index = (index + 1) % DRAWS
            yield timeout(delays[index])
            events += 1

    for i in range(pending):
        env.process(holder(i * 7919))
    # About 20,000 events at a time: the mean delay is 5,000 ps.
    slice_ps = 20000 * 5000 / pending + 1
    while events < 3 * pending:
        env.run(until=env.now + slice_ps)
    for line in sys.stdin:
        wanted = float(line)
        before = events
        start = time.process_time()
        seconds = 0.0
        while seconds < wanted:
            env.run(until=env.now + slice_ps)
            seconds = time.process_time() - start
        print(json.dumps({"events": events - before, "seconds": seconds}), flush=True)


main()
