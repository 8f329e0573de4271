"""What stands between a tool and its system, measured: kept results, bursts, requests to a system."""

import itertools
import json
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.servers import ROOT, Load, Server
from benchmarks.wire import call, modern

BURST = 200
_numbers = itertools.count(1000)


class Lines:
    """A process that is asked and answers in JSON lines."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def read(self) -> Any:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended")
        return json.loads(line)

    def ask(self, **order: Any) -> Any:
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self.read()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def upstream_costs(
    server: Server, key: str, load: Load, systems: Lines, port: int, rounds: int, seconds: float
) -> dict[str, Any]:
    """Figures of one server whose tenant ``bench0000`` has the connection ``remote`` to a system on ``port``.

    ``kept_ratio``: CPU of a call that a kept result answers, over a trivial tool's. ``added_us``:
    CPU that an asking call costs beyond the bare HTTP request. ``burst_requests``: what 200 equal
    calls at once ask of the system.
    """

    def wire(tool: str, **arguments: Any) -> list[str]:
        return [modern("/t/bench0000/mcp", key, *call(tool, **arguments))]

    bare = Lines("benchmarks/bare_client.py")
    try:
        load.run(server, wire("remote_kept", number=1), seconds=0.5)
        kept, added, reads, alone = [], [], [], []
        for _ in range(rounds):
            trivial = load.run(server, wire("bench_echo", text="hello"), seconds=seconds)["cpu_us"]
            again = load.run(server, wire("remote_kept", number=1), seconds=seconds)["cpu_us"]
            reading = load.run(server, wire("remote_read", number=1), seconds=seconds)["cpu_us"]
            request = bare.ask(url=f"http://127.0.0.1:{port}/things/1", calls=1600)["cpu_us"]
            kept.append(again / trivial)
            added.append(reading - request)
            reads.append(reading)
            alone.append(request)
    finally:
        bare.stop()
    bursts = []
    for _ in range(rounds):
        before = systems.ask(broken={})[0]
        load.run(
            server, wire("remote_kept", number=next(_numbers)), connections=BURST, calls=BURST, seconds=30
        )
        bursts.append(systems.ask(broken={})[0] - before)
    return {
        "kept_ratio": statistics.median(kept),
        "added_us": statistics.median(added),
        "read_us": statistics.median(reads),
        "bare_client_us": statistics.median(alone),
        "burst_calls": BURST,
        "burst_requests": max(bursts),
    }
