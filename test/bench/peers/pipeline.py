"""The request pipeline of pipeline.ts in SimPy: a request is a process, a server a Resource. Argument:
requests in flight. For each number of seconds read, it runs that long and prints {"events", "seconds",
"early"}, in CPU time; the last is the requests completed in the first two simulated ms, to compare the
models."""

import json
import sys
import time

import simpy

LATENCY, DRIVER, BUS, DEVICE, MEDIUM = -1, 0, 1, 2, 3
SERVERS = 4
STEPS = [
    (DRIVER, 400000),
    (BUS, 20000),
    (LATENCY, 250000),
    (DEVICE, 300000),
    (LATENCY, 150000),
    (LATENCY, 150000),
    (DEVICE, 200000),
    (MEDIUM, 350000),
    (LATENCY, 400000),
    (DEVICE, 150000),
    (BUS, 20000),
    (LATENCY, 250000),
    (DRIVER, 250000),
    (DRIVER, 150000),
]
PS_PER_MS = 1_000_000_000


def main():
    in_flight = int(sys.argv[1])
    env = simpy.Environment()
    servers = [simpy.Resource(env) for _ in range(SERVERS)]
    completed = 0

    def request():
        nonlocal completed
        while True:
            for where, duration in STEPS:
                if where == LATENCY:
                    yield env.timeout(duration)
                else:
                    with servers[where].request() as turn:
                        yield turn
                        yield env.timeout(duration)
            completed += 1

    for _ in range(in_flight):
        env.process(request())
    env.run(until=2 * PS_PER_MS)
    early = completed
    for line in sys.stdin:
        wanted = float(line)
        before = completed
        start = time.process_time()
        seconds = 0.0
        while seconds < wanted:
            env.run(until=env.now + PS_PER_MS)
            seconds = time.process_time() - start
        result = {
            "events": (completed - before) * len(STEPS),
            "seconds": seconds,
            "early": early,
        }
        print(json.dumps(result), flush=True)


main()
