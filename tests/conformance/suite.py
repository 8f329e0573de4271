"""Running the official suite against a URL, and reading what it found."""

import json
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

REVISIONS = ("2025-11-25", "2026-07-28")
SCENARIO_MS = 60_000


@dataclass
class Report:
    """The checks of one run by status, and what is wrong, as (scenario, check, sentence)."""

    revision: str
    counts: Counter[str] = field(default_factory=Counter)
    scenarios: set[str] = field(default_factory=set)
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str, str]] = field(default_factory=list)
    output: str = ""

    @property
    def passed(self) -> int:
        """How many checks succeeded."""
        return self.counts["SUCCESS"]

    @property
    def clean(self) -> bool:
        """Whether the suite ran and nothing failed."""
        return self.passed > 0 and not self.failures

    def summary(self) -> str:
        """What a person wants to read."""
        lines = [
            f"{self.revision}: {len(self.scenarios)} scenarios, {self.passed} checks passed, "
            f"{len(self.failures)} failed, {len(self.warnings)} warnings, {len(self.skipped)} skipped"
        ]
        for title, rows in (("failed", self.failures), ("warning", self.warnings), ("skipped", self.skipped)):
            lines += [f"  {title}: {scenario} {check}: {said[:400]}" for scenario, check, said in rows]
        return "\n".join(lines)


def run_suite(modules: Path, url: str, revision: str, results: Path) -> Report:
    """Run all that a revision requires, and what is reported beside it; ``modules`` is node_modules."""
    program = modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    done = subprocess.run(
        [modules / "node" / "bin" / "node", program, "server", "--url", url,
         "--requirements", revision, "--timeout", str(SCENARIO_MS), "-o", results],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    report = Report(revision, output=done.stdout + done.stderr)
    if "SUMMARY" not in done.stdout:
        report.failures.append(("suite", "run", report.output[-2000:]))
    for path in sorted(results.glob("server-*/checks.json")):
        scenario = path.parent.name.removeprefix("server-").rsplit("-202", 1)[0]
        report.scenarios.add(scenario)
        for check in json.loads(path.read_text()):
            report.counts[check["status"]] += 1
            row = (scenario, check["id"], str(check.get("errorMessage") or check.get("details") or ""))
            if check["status"] == "FAILURE":
                report.failures.append(row)
            elif check["status"] == "WARNING":
                report.warnings.append(row)
            elif check["status"] == "SKIPPED":
                report.skipped.append(row)
    if done.returncode and not report.failures:
        report.failures.append(("suite", f"exit code {done.returncode}", report.output[-2000:]))
    return report
