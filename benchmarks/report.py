"""What connectors cost a model, and which of their systems' operations their tests have exercised.

``python -m benchmarks.report`` (``make report``) runs those of the connectors' tests in which a
double answers, which checks every request against the vendor's documents, and writes
``var/report.json``::

    {"connectors": {"jira": {"tools": 62, "default_tools": 20, "default_tokens": 5800, "all_tokens": 17000,
     "most_default_tokens": 6000, "operations_exercised": ["getIssue", …], "operations_not_exercised": […],
     "tools_by_operation": {"getIssue": ["jira_get_issue", …]}, "tools_without_operation": […]}},
     "tests": "passed", "seconds": 95}

Tokens are estimated as the admin's pages estimate them. An operation counts where a tool's call
got an answer below 400 from it. ``--no-tests`` leaves the tests out and the operations empty.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "platform")]
MOST_TOKENS = {"jira": 6_000, "github": 6_000, "confluence": 4_000, "salesforce": 4_000}


def main() -> None:
    """Measure, write the file, print a table; 1 where a test failed or a default list costs too much."""
    parser = argparse.ArgumentParser(
        description="What connectors cost a model, and what their tests exercise."
    )
    parser.add_argument("--no-tests", action="store_true", help="only count tokens")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "report.json")
    arguments = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portico.settings")
    os.environ["PORTICO_ENV"] = "test"
    import django

    django.setup()
    began = time.monotonic()
    report: dict[str, Any] = {
        "connectors": costs()
    }  # before the tests: it also finds what cannot be imported
    with tempfile.TemporaryDirectory(prefix="portico-operations-") as folder:
        passed = arguments.no_tests or run_tests(Path(folder))
        if not arguments.no_tests:
            add_operations(report["connectors"], Path(folder))
    report["tests"] = "not run" if arguments.no_tests else "passed" if passed else "failed"
    report["seconds"] = round(time.monotonic() - began)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    good = show(report["connectors"])
    print(f"Tests: {report['tests']}. {report['seconds']} s. Written to {arguments.out}")
    sys.exit(0 if passed and good else 1)


def run_tests(folder: Path) -> bool:
    """Run the tests of the connectors that have a double; whether all passed."""
    from tests.doubles.catalogue import DOUBLES

    places = [f"tests/providers/{name}" for name in DOUBLES if (ROOT / "tests" / "providers" / name).is_dir()]
    environment = {**os.environ, "PORTICO_OPERATIONS": str(folder)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        os.environ.get("JOBS") or str((os.cpu_count() or 2) + 1),
        "--dist",
        "loadfile",
    ]
    done = subprocess.run([*command, *places], cwd=ROOT, env=environment, check=False)
    return done.returncode == 0


def costs() -> dict[str, Any]:
    """What the tools of every built-in connector cost, by its slug."""
    from connectors.registry import BUILT_IN, connector_class
    from mcp_endpoint.token_cost import tool_tokens

    made: dict[str, Any] = {}
    for slug in (slug for slug, path in BUILT_IN.items() if path.startswith("connectors.")):
        specs = connector_class(slug).tools
        cost = {name: tool_tokens(name, spec) for name, spec in specs.items()}
        on = [name for name, spec in specs.items() if spec.default_on]
        made[slug] = {
            "tools": len(specs),
            "default_tools": len(on),
            "default_tokens": sum(cost[name] for name in on),
            "all_tokens": sum(cost.values()),
            "most_default_tokens": MOST_TOKENS.get(slug),
        }
    return made


def add_operations(connectors: dict[str, Any], folder: Path) -> None:
    """Add to each connector that has a double which of its operations the tests exercised."""
    from connectors.registry import connector_class
    from tests.doubles.catalogue import DOUBLES
    from tests.doubles.exercised import read_kept

    kept: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for line in read_kept(folder):
        if 0 < line["status"] < 400:
            kept[line["vendor"]][line["operation"]].add(line["tool"])
    for slug, entry in DOUBLES.items():
        if slug in connectors:
            tools = set(connector_class(slug).tools)
            connectors[slug] |= operations(kept[slug], entry.kind(check=False).plays(), tools)


def operations(met: dict[str, set[str]], known: list[str], tools: set[str]) -> dict[str, Any]:
    """Which operations were exercised by which tools, and which operations and tools were not."""
    by = {operation: sorted(whose & tools) for operation, whose in sorted(met.items())}
    reached = {tool for whose in by.values() for tool in whose}
    return {
        "operations_exercised": sorted(by),
        "operations_not_exercised": sorted(set(known) - set(by)),
        "tools_by_operation": by,
        "tools_without_operation": sorted(tools - reached),
    }


def show(connectors: dict[str, Any]) -> bool:
    """Print a table; whether every default list is within its bound."""
    good = True
    print(f"{'connector':12} {'tools':>6} {'on':>4} {'tokens':>7} {'of all':>7} {'most':>6}  operations")
    for slug, one in connectors.items():
        most = one["most_default_tokens"]
        good = good and (most is None or one["default_tokens"] <= most)
        said = ""
        if "operations_exercised" in one:
            done, left = len(one["operations_exercised"]), len(one["operations_not_exercised"])
            said = f"{done} exercised, {left} not; {len(one['tools_without_operation'])} tools without one"
        print(
            f"{slug:12} {one['tools']:6} {one['default_tools']:4} {one['default_tokens']:7} "
            f"{one['all_tokens']:7} {most or '':>6}  {said}"
        )
    return good


if __name__ == "__main__":
    main()
