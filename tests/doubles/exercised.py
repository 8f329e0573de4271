"""Which tool sent which operations: kept while tests run, for ``make report``.

With ``PORTICO_OPERATIONS`` naming a folder each process appends lines to a file of its own there::

    {"vendor": "jira", "tool": "jira_get_issue", "operation": "getIssue", "status": 200}

A call without a caller's trace begins one whose id is the call's (:func:`common.tracing.onward`),
so the audit knows which tool a request was for. ``tool`` is empty where it was for none (a test of
a connection) or for something else (a resource).
"""

import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from audit.models import AuditEvent
from tests.doubles.double import Double

FOLDER = "PORTICO_OPERATIONS"
PATIENCE_S = 2.0  # until the audit's writer has written the last calls


def wanted() -> bool:
    """Whether somebody asked for it."""
    return FOLDER in os.environ


def keep(double: Double) -> None:
    """Append what a double met; nothing where nobody asked."""
    hits = [hit for hit in double.operations if hit.trace]
    if not wanted() or not hits:
        return
    tools = _tools_of({hit.trace for hit in hits})
    lines = (
        {
            "vendor": double.vendor,
            "tool": tools.get(hit.trace, ""),
            "operation": hit.operation,
            "status": hit.status,
        }
        for hit in hits
    )
    folder = Path(os.environ[FOLDER])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(line)}\n" for line in lines)


def _tools_of(traces: Iterable[str]) -> dict[str, str]:
    """The tool of each call, as the audit has it; calls of connection tests are in no audit."""
    calls = {str(UUID(trace)): trace for trace in traces}
    until = time.monotonic() + PATIENCE_S
    while True:
        rows = AuditEvent.unscoped.filter(call_id__in=list(calls), kind="call").values_list("call_id", "name")
        found = {calls[call]: str(name) for call, name in rows}
        if len(found) == len(calls) or time.monotonic() > until:
            return found
        time.sleep(0.02)


def read_kept(folder: Path) -> Iterator[dict[str, Any]]:
    """All lines that processes have left in a folder."""
    for file in sorted(folder.glob("*.jsonl")):
        with file.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)
