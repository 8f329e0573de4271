"""``make bench``: Portico beside the MCP SDK's own bare application, in one run on one worker.

The bare application authenticates, decides and records nothing; Portico checks the key, the
permission and the schema, and its audit row is durable before the answer leaves. Rounds are
interleaved, ratios are medians over the rounds, and of PostgreSQL and SQLite the lower counts.
Results go to ``var/bench.json``.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]

from benchmarks.servers import ROOT, Load, Server  # noqa: E402
from benchmarks.upstream import Lines, upstream_costs  # noqa: E402
from benchmarks.wire import call, legacy, modern, session_of  # noqa: E402

DATABASES = ("sqlite", "postgres")
SCENARIOS = ("call_modern", "call_legacy", "create_goal_modern", "list_modern", "list_legacy")


def environment(folder: Path, services: Any, database: str, postgres: str) -> dict[str, str]:
    """What a Portico of its own needs."""
    var = folder / database
    var.mkdir()
    url = f"sqlite:///{var / 'bench.sqlite3'}" if database == "sqlite" else postgres
    return {
        "PORTICO_ENV": "test",
        "PORTICO_VAR": str(var),
        "DATABASE_URL": url,
        "PORTICO_SANDBOX": "true",
        "PORTICO_CONNECTORS": "trivial=benchmarks.connector:Trivial,listed=benchmarks.connector:Listed,"
        "remote=benchmarks.soak.connector:Remote",
    }


def prepare(env: dict[str, str], tenants: int, system: int) -> dict[str, str]:
    """Fill the database; the access key of each tenant by its slug."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "prepare.py"), str(tenants), str(system)],
        env={**os.environ, **env},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    keys: dict[str, str] = json.loads(done.stdout.strip().splitlines()[-1])
    return keys


def requests_for(server: Server, keys: dict[str, str] | None, scenario: str) -> list[str]:
    """The requests of a scenario, for Portico (with keys) or the bare application (without)."""
    tenant = "listing" if scenario.startswith("list") else "bench0000"
    path = f"/t/{tenant}/mcp" if keys else "/mcp"
    key = keys[tenant] if keys else None
    if scenario.startswith("list"):
        method, params = "tools/list", {}
    elif scenario.startswith("create_goal") and keys:
        method, params = call("create_goal", description="Measure what a goal costs", priority="high")
    else:
        method, params = call("bench_echo", text="hello")
    if scenario.endswith("legacy"):
        return [legacy(path, key, method, params, session_of(server.port, path, key))]
    return [modern(path, key, method, params)]


def interleaved(
    bare: dict[str, Server],
    portico: dict[str, tuple[Server, dict[str, str]]],
    load: Load,
    scenario: str,
    rounds: int,
    seconds: float,
) -> dict[str, Any]:
    """One scenario: per round the bare application and each database, then ratios by round."""
    bare_server = bare["list" if scenario.startswith("list") else "call"]
    bare_requests = requests_for(bare_server, None, scenario)
    mine = {name: requests_for(server, keys, scenario) for name, (server, keys) in portico.items()}
    found: dict[str, list[dict[str, Any]]] = {"bare": [], **{name: [] for name in portico}}
    load.run(bare_server, bare_requests, seconds=0.5)
    for name, (server, _keys) in portico.items():
        load.run(server, mine[name], seconds=0.5)
    for _ in range(rounds):
        found["bare"].append(load.run(bare_server, bare_requests, seconds=seconds))
        for name, (server, _keys) in portico.items():
            found[name].append(load.run(server, mine[name], seconds=seconds))
    result: dict[str, Any] = {"bare": summary(found["bare"])}
    for name in portico:
        pairs = list(zip(found["bare"], found[name], strict=True))
        result[name] = {
            **summary(found[name]),
            "ratio_rps": statistics.median(mine["rps"] / bare["rps"] for bare, mine in pairs),
            "ratio_cpu": statistics.median(bare["cpu_us"] / mine["cpu_us"] for bare, mine in pairs),
        }
    result["ratio"] = min(result[name]["ratio_rps"] for name in portico)
    result["ratio_cpu"] = min(result[name]["ratio_cpu"] for name in portico)
    return result


def summary(rounds: list[dict[str, Any]]) -> dict[str, float]:
    """Medians over the rounds."""
    return {key: statistics.median(r[key] for r in rounds) for key in ("rps", "cpu_us", "p50", "p99")}


def latencies(server: Server, keys: dict[str, str], load: Load) -> dict[str, float]:
    """p50 in milliseconds at one connection, and entries per second through ``cache_mset``."""
    import http.client

    path, key = "/t/bench0000/mcp", keys["bench0000"]

    def one(tool: str, **arguments: Any) -> Any:
        import base64

        wire = base64.b64decode(modern(path, key, *call(tool, **arguments)))
        head, _, body = wire.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("POST", path, body, headers)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        if answer.get("error") or answer["result"].get("isError"):
            raise RuntimeError(f"{tool}: {answer}")
        return answer["result"]["structuredContent"]

    def p50(tool: str, calls: int, **arguments: Any) -> float:
        wire = [modern(path, key, *call(tool, **arguments))]
        return float(load.run(server, wire, connections=1, seconds=30, calls=calls)["p50"])

    goal = one("create_goal", description="A goal with a hundred tasks")
    goal_id = goal.get("id") or goal["goal"]["id"]
    subtasks = [
        {"id": f"s{n}", "description": f"Task number {n}", "dependencies": [f"s{n - 3}"] if n >= 3 else []}
        for n in range(100)
    ]
    made = one("break_down_goal", goal_id=goal_id, subtasks=subtasks)
    tasks = made.get("tasks") or made.get("items")
    notes = [{"task_id": task["id"], "title": f"Task {n}"} for n, task in enumerate(tasks[:10])]
    entries = {f"key{n}": n for n in range(10_000)}
    mset = p50("cache_mset", 5, data=entries)
    return {
        "create_goal_p50_ms": p50("create_goal", 200, description="One more goal"),
        "cache_set_p50_ms": p50("cache_set", 200, key="k", value={"a": 1}),
        "plan_100_tasks_p50_ms": p50("generate_execution_plan", 50, goal_id=goal_id),
        "batch_update_10_p50_ms": p50("batch_update_tasks", 30, updates=notes),
        "cache_mset_entries_per_s": 10_000 / (mset / 1000),
    }


def many_tenants(
    portico: dict[str, tuple[Server, dict[str, str]]], load: Load, rounds: int, seconds: float
) -> dict[str, Any]:
    """CPU per call with one tenant and with all of them, and memory after."""
    result: dict[str, Any] = {}
    for name, (server, keys) in portico.items():
        benches = [slug for slug in keys if slug.startswith("bench")]
        wires = [modern(f"/t/{slug}/mcp", keys[slug], *call("bench_echo", text="hello")) for slug in benches]
        before = server.memory_mb()
        load.run(server, wires, seconds=600, calls=2 * len(wires))  # every tenant is warm
        pairs = []
        for _ in range(rounds):
            one = load.run(server, wires[:1], seconds=seconds)
            all_ = load.run(server, wires, seconds=seconds)
            pairs.append((one["cpu_us"], all_["cpu_us"], all_["p50"], all_["p99"]))
        result[name] = {
            "tenants": len(benches),
            "cpu_us_one": statistics.median(p[0] for p in pairs),
            "cpu_us_all": statistics.median(p[1] for p in pairs),
            "ratio": statistics.median(p[1] / p[0] for p in pairs),
            "p50_ms": statistics.median(p[2] for p in pairs),
            "p99_ms": statistics.median(p[3] for p in pairs),
            "memory_mb_before": before,
            "memory_mb_after": server.memory_mb(),
        }
    return result


def hot_chain(
    env: dict[str, str], keys: dict[str, str], load: Load, port: int, seconds: float
) -> dict[str, Any]:
    """Four workers writing one tenant's chain at once."""
    server = Server("portico.asgi:application", port, env, workers=4)
    try:
        wire = requests_for(server, keys, "call_modern")
        load.run(server, wire, seconds=1.0)
        return {**load.run(server, wire, seconds=seconds), "workers": len(server.pids())}
    finally:
        server.stop()


def main() -> None:
    """Run everything and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--seconds", type=float, default=2.0)
    arguments.add_argument("--tenants", type=int, default=1000)
    arguments.add_argument("--only", nargs="*", default=list(SCENARIOS), choices=SCENARIOS)
    arguments.add_argument("--databases", nargs="*", default=list(DATABASES), choices=DATABASES)
    arguments.add_argument("--quick", action="store_true", help="scenarios alone")
    chosen = arguments.parse_args()

    import tests.services as services_module  # starts Redis

    services = services_module.Services()
    with ExitStack() as stack:
        stack.callback(services.stop)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = services.postgres() if "postgres" in chosen.databases else ""
        load = Load()
        stack.callback(load.stop)
        systems = Lines("-m", "benchmarks.soak.systems", "1", "1")
        stack.callback(systems.stop)
        (system,) = systems.read()
        envs, portico = {}, {}
        for name in chosen.databases:
            envs[name] = environment(folder, services, name, postgres)
            keys = prepare(envs[name], 1 if chosen.quick else chosen.tenants, system)
            server = Server("portico.asgi:application", services_module.free_port(), envs[name])
            stack.callback(server.stop)
            portico[name] = (server, keys)
        bare = {}
        for kind in ("call", "list"):
            bare[kind] = Server(
                "benchmarks.bare:app",
                services_module.free_port(),
                {"PORTICO_ENV": "test", "BARE_TOOLS": kind},
            )
            stack.callback(bare[kind].stop)

        report: dict[str, Any] = {"ratios": {}, "ratios_cpu": {}, "scenarios": {}}
        for scenario in chosen.only:
            found = interleaved(bare, portico, load, scenario, chosen.rounds, chosen.seconds)
            report["scenarios"][scenario] = found
            report["ratios"][scenario] = round(found["ratio"], 3)
            report["ratios_cpu"][scenario] = round(found["ratio_cpu"], 3)
            show(scenario, found)
        report["upstream"] = {
            name: upstream_costs(
                server, keys["bench0000"], load, systems, system, chosen.rounds, chosen.seconds
            )
            for name, (server, keys) in portico.items()
        }
        if not chosen.quick:
            report["latencies"] = {name: latencies(*pair, load) for name, pair in portico.items()}
            report["tenants"] = many_tenants(portico, load, 7, chosen.seconds)
            report["hot_chain"] = {
                name: hot_chain(
                    envs[name], portico[name][1], load, services_module.free_port(), chosen.seconds
                )
                for name in portico
            }
            report["memory_mb"] = {name: server.memory_mb() for name, (server, _keys) in portico.items()}
        out = ROOT / "var" / "bench.json"
        out.parent.mkdir(exist_ok=True)
        out.write_text(json.dumps(report, indent=2) + "\n")
        print(json.dumps({k: v for k, v in report.items() if k != "scenarios"}, indent=2))
        print(f"written to {out.relative_to(ROOT)}")


def show(scenario: str, found: dict[str, Any]) -> None:
    """A few lines for people."""
    print(f"\n{scenario}")
    for name, row in found.items():
        if isinstance(row, dict):
            ratio = f"  x{row['ratio_rps']:.2f} (CPU x{row['ratio_cpu']:.2f})" if "ratio_rps" in row else ""
            print(
                f"  {name:9} {row['rps']:8.0f} calls/s  {row['cpu_us']:6.0f} us CPU  "
                f"p50 {row['p50']:6.2f} ms  p99 {row['p99']:6.2f} ms{ratio}",
                flush=True,
            )


if __name__ == "__main__":
    main()
