"""Speaking of tasks in tests: as a client of 2026-07-28 that declares the extension."""

import asyncio
import atexit
import time
from typing import Any

import pytest

from audit.models import AuditEvent
from mcp_endpoint.long_tasks import services as tasks
from mcp_endpoint.models import Task
from tests.mcp_endpoint.speak import Answer, Place, Post, by_door, make_place, modern

EXTENSION = "io.modelcontextprotocol/tasks"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
DECLARED = {CAPABILITIES: {"elicitation": {}, "extensions": {EXTENSION: {}}}}
OVER = ("completed", "failed", "cancelled")


_runner = asyncio.Runner()
atexit.register(_runner.close)


def send(post: Post) -> Answer:
    """Through the door, from a test that is not a coroutine (it uses the database itself)."""
    answer: Answer = _runner.run(by_door(post))
    return answer


def queued_here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From now on what is queued stands in this list, and no worker hears of it."""
    queued: list[str] = []
    monkeypatch.setattr(tasks, "enqueue", lambda row: queued.append(str(row.pk)))
    monkeypatch.setattr("mcp_endpoint.long_tasks.tending.enqueue", lambda row: queued.append(str(row.pk)))
    return queued


def jobs_place(role: str = "operator", **rights: Any) -> Place:
    return make_place(role, ("jobs",), **rights)


def call(
    place: Place, tool: str, *, more: dict[str, Any] | None = None, meta: Any = DECLARED, **arguments: Any
) -> Post:
    return modern(place, "tools/call", {"name": tool, "arguments": arguments, **(more or {})}, meta=meta)


def about(place: Place, method: str, task_id: str, *, meta: Any = DECLARED, **params: Any) -> Post:
    return modern(place, f"tasks/{method}", {"taskId": task_id, **params}, meta=meta, mcp_name=task_id)


def start(place: Place, tool: str, /, **arguments: Any) -> dict[str, Any]:
    result: dict[str, Any] = (send(call(place, tool, **arguments))).result
    assert result["resultType"] == "task", result
    return result


def stand(place: Place, task_id: str) -> dict[str, Any]:
    answer: Answer = send(about(place, "get", task_id))
    result: dict[str, Any] = answer.result
    return result


def until(place: Place, task_id: str, *statuses: str, seconds: float = 20) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while (found := stand(place, task_id))["status"] not in (statuses or OVER):
        assert time.monotonic() < deadline, found
        assert found["status"] not in OVER, found
        time.sleep(0.03)
    return found


def text_of(found: dict[str, Any]) -> str:
    text: str = found["result"]["content"][0]["text"]
    return text


def audited(place: Place, task_id: str) -> list[tuple[str, str]]:
    """The rows of a task's call: phase and outcome."""
    rows = AuditEvent.objects.for_calls(place.tenant, [task_id]).order_by("seq")
    return [(row.phase, row.outcome) for row in rows]


def row_of(place: Place, task_id: str) -> Task:
    row: Task = Task.objects.for_tenant(place.tenant).get(pk=task_id)
    return row
