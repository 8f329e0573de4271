"""Twenty connections, in turn all healthy and five of them broken; the fifteen others must not feel it.

Each kind of run is repeated, interleaved, and medians are compared: the fifteen keep at least
95 % of their calls per second and their p99 stays within 1.5 times. At the end the server's
memory and open files are where they were. Exits with 1 where one of that does not hold; the
figures go to ``var/soak.json``.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from benchmarks.servers import ROOT, Server  # noqa: E402
from benchmarks.soak.systems import WAYS  # noqa: E402
from benchmarks.upstream import Lines  # noqa: E402
from benchmarks.wire import call, modern  # noqa: E402

CONNECTIONS = 20
BROKEN = {str(at): way for at, way in zip((1, 5, 9, 13, 17), WAYS, strict=True)}
HEALTHY = [number for number in range(CONNECTIONS) if str(number) not in BROKEN]
KEPT, SLOWER = 0.95, 1.5
MOST_CPU = 0.60
MORE_MEMORY, MORE_FILES = 1.08, 12


def prepare(env: dict[str, str], *arguments: str) -> Any:
    """Run ``prepare.py``; what it prints."""
    done = subprocess.run(
        [sys.executable, "benchmarks/soak/prepare.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def machine_cpu() -> tuple[float, float]:
    """Busy and total CPU time of the machine, in ticks."""
    fields = [int(value) for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def open_files(server: Server) -> int:
    """Open files and sockets of the workers."""
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in server.pids())


def one_run(pace: Lines, order: dict[str, Any]) -> dict[str, Any]:
    """One measurement of all connections; figures of the healthy fifteen, and of the other five."""
    busy, total = machine_cpu()
    found = pace.ask(**order)
    busy, total = machine_cpu()[0] - busy, machine_cpu()[1] - total
    times = sorted(value for number in HEALTHY for value in found[number]["times"])
    broken = [found[int(number)] for number in BROKEN]
    return {
        "calls_per_s": sum(found[number]["good"] for number in HEALTHY) / order["seconds"],
        "lost": sum(found[number]["sent"] - found[number]["good"] for number in HEALTHY),
        "p50": times[len(times) // 2],
        "p99": times[int(len(times) * 0.99)],
        "cpu": busy / total,
        "broken_good": sum(row["good"] for row in broken),
        "broken_sent": sum(row["sent"] for row in broken),
        "broken_open": sum(row["open"] for row in broken),
    }


def judged(report: dict[str, Any]) -> list[str]:
    """What does not hold."""
    said = []
    if report["calls_ratio"] < KEPT:
        said.append(f"the healthy kept {report['calls_ratio']:.1%} of their calls per second")
    if report["p99_ratio"] > SLOWER:
        said.append(f"their p99 grew {report['p99_ratio']:.2f} times")
    if report["cpu"] > MOST_CPU:
        said.append(f"the machine was busy at {report['cpu']:.0%}: lower --rate")
    if report["memory_mb"][1] > report["memory_mb"][0] * MORE_MEMORY:
        said.append(f"memory grew from {report['memory_mb'][0]:.0f} to {report['memory_mb'][1]:.0f} MB")
    if report["open_files"][1] > report["open_files"][0] + MORE_FILES:
        said.append(f"open files grew from {report['open_files'][0]} to {report['open_files'][1]}")
    return said


def main() -> None:
    """Run it and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=15.0)
    arguments.add_argument("--rate", type=float, default=6.0, help="calls per second of each connection")
    arguments.add_argument("--database", choices=("sqlite", "postgres"), default="postgres")
    chosen = arguments.parse_args()

    import tests.services as services_module  # starts Redis

    services = services_module.Services()
    with ExitStack() as stack:
        stack.callback(services.stop)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = services.postgres() if chosen.database == "postgres" else f"sqlite:///{folder}/soak.sqlite3"
        env = {
            "PORTICO_ENV": "test",
            "PORTICO_VAR": folder,
            "DATABASE_URL": url,
            "PORTICO_SANDBOX": "true",
            "PORTICO_CONNECTORS": "remote=benchmarks.soak.connector:Remote",
        }
        systems = Lines("-m", "benchmarks.soak.systems", str(CONNECTIONS), "1")
        stack.callback(systems.stop)
        keys = prepare(env, *map(str, systems.read()))
        server = Server("portico.asgi:application", services_module.free_port(), env)
        stack.callback(server.stop)
        pace = Lines("benchmarks/soak/pace.py", "1")
        stack.callback(pace.stop)
        requests = [
            [modern(f"/t/{slug}/mcp", key, *call("remote_read", number=number)) for number in range(1, 20)]
            for slug, key in keys.items()
        ]
        order = {"port": server.port, "rate": chosen.rate, "requests": requests, "seconds": chosen.seconds}

        def run(broken: dict[str, str]) -> dict[str, Any]:
            systems.ask(broken=broken)
            prepare(env, "--close")
            found = one_run(pace, order)
            found["kind"] = "broken" if broken else "healthy"
            print(
                f"{found['kind']:8} {found['calls_per_s']:7.1f} calls/s  p50 {found['p50']:6.1f} ms  "
                f"p99 {found['p99']:6.1f} ms  CPU {found['cpu']:.0%}  broken: {found['broken_good']} of "
                f"{found['broken_sent']} answered, {found['broken_open']} at once",
                flush=True,
            )
            return found

        print("warming up", flush=True)
        run({})
        run(BROKEN)
        time.sleep(3)
        memory, files = server.memory_mb(), open_files(server)
        pairs = [(run({}), run(BROKEN)) for _ in range(chosen.rounds)]
        run({})
        time.sleep(3)
        report = {
            "calls_ratio": statistics.median(b["calls_per_s"] for _, b in pairs)
            / statistics.median(a["calls_per_s"] for a, _ in pairs),
            "p99_ratio": statistics.median(b["p99"] for _, b in pairs)
            / statistics.median(a["p99"] for a, _ in pairs),
            "cpu": statistics.median(row["cpu"] for pair in pairs for row in pair),
            "memory_mb": [memory, server.memory_mb()],
            "open_files": [files, open_files(server)],
            "runs": [row for pair in pairs for row in pair],
        }
        problems = judged(report)
        out = ROOT / "var" / "soak.json"
        out.parent.mkdir(exist_ok=True)
        out.write_text(json.dumps(report, indent=2) + "\n")
        print(json.dumps({key: value for key, value in report.items() if key != "runs"}, indent=2))
        print("It holds." if not problems else f"It does not hold: {'; '.join(problems)}.")
        sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
