"""Working a task off, in a Celery worker: one run of one call, through the pipeline.

The caller is made again from its principal and key, so what was taken away since counts. A
run says every two seconds that it lives; one that lost its task to somebody else (or whose
client cancelled) stops.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

from django.db import Error as DatabaseError

from audit.services import record
from common.bus import bus
from common.db import in_db
from common.loops import run_in_loop
from connectors import pipeline
from connectors.asking import Ask, CapabilityMissing, InputRequired
from connectors.call_info import CallInfo
from connectors.channel import Channel
from connectors.pipeline import ServiceUnavailable
from connectors.snapshot import TenantGoneError
from mcp_endpoint import asking, sdk
from mcp_endpoint.long_tasks import BEAT_S
from mcp_endpoint.long_tasks.contents import Payload, Question, open_payload
from mcp_endpoint.long_tasks.services import (
    CANCEL,
    task_beat,
    task_claim,
    task_finish,
    task_park,
    unrun,
)
from mcp_endpoint.models import Task
from mcp_endpoint.turn import Turn
from mcp_endpoint.wire import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, MISSING_CAPABILITY, dumps
from tenants import access
from tenants.changes import watcher
from tenants.principals import Caller, ClientInfo, PrincipalKind, Role, Selection

logger = logging.getLogger(__name__)

Status = Task.Status
PATIENCE_S = 45.0  # so long the end of a run waits for a database that went away
GONE_KEY = "The key of this task is no longer valid; nothing was run."
CANCELLED_READ = "Cancelled by its client."
CANCELLED_WRITE = "Cancelled by its client while it ran; it may have taken effect."


def run_task(tenant_id: UUID, task_id: UUID) -> None:
    """Run a task on the process's event loop until it ends, asks, or is taken away."""
    run_in_loop(_work(tenant_id, task_id))


async def _work(tenant_id: UUID, task_id: UUID) -> None:
    bus.subscribe(CANCEL, _heard)
    bus.start()
    if not watcher.running:
        watcher.start()
    run = uuid4()
    row = await in_db(task_claim, tenant_id, task_id, run)
    if row is None:  # over, cancelled, or a second message for a run that lives
        return
    # What is remembered here of the tenant is looked at as of the claim.
    watcher.heard(tenant_id, row.tenant.version)
    await _Run(row, run).go()


@dataclass(slots=True)
class _Ending:
    """How a run ended: a status with its result or error, or questions."""

    status: str
    message: str = ""
    outcome: bytes | None = None
    asked: InputRequired | None = None


class _Run:
    """One run of a task's call."""

    def __init__(self, row: Task, run: UUID) -> None:
        self.row = row
        self.run = run
        self.payload = open_payload(row)
        self.channel = TaskChannel(row, self.payload)
        self.call: asyncio.Task[_Ending] | None = None
        self.cancelled = False

    async def go(self) -> None:
        """Run the call while saying that it lives; then store how it ended."""
        self.call = asyncio.create_task(self._call())
        _running[self.row.pk] = (asyncio.get_running_loop(), self)
        beats = asyncio.create_task(self._beat())
        try:
            await asyncio.wait({self.call})
            if self.call.cancelled():
                if not self.cancelled:  # the task was taken away; whoever took it says how it ended
                    return
                ending = _Ending(Status.CANCELLED, CANCELLED_WRITE if self.row.writes else CANCELLED_READ)
            else:
                ending = self.call.result()
            await self._store(ending)
        finally:
            beats.cancel()
            self.call.cancel()
            _running.pop(self.row.pk, None)

    def cancel(self) -> None:
        """Stop because the client said so."""
        if self.call is not None and not self.call.done():
            self.cancelled = True
            self.channel.cancelled = True
            self.call.cancel()

    async def _call(self) -> _Ending:
        row = self.row
        try:
            caller = await access.recheck(_remembered(row, self.payload.selection))
            if caller is None:
                denied = unrun(row, "denied", "authentication", GONE_KEY)
                await record(replace(denied, kind="denial"))
                return _failed(INVALID_REQUEST, GONE_KEY)
            result = await pipeline.call_tool(
                caller,
                row.called_as,
                self.payload.arguments,
                channel=self.channel,
                info=CallInfo(
                    row.request_id,
                    row.trace_id,
                    call_id=str(row.pk),
                    as_task=True,
                    idempotency_key=self.payload.idempotency_key,
                ),
            )
            return _Ending(Status.COMPLETED, "", sdk.encode_tool_result(result, modern=True))
        except InputRequired as asked:
            return _Ending(Status.INPUT_REQUIRED, asked=asked)
        except CapabilityMissing as error:
            text = "The client lacks a capability that this tool needs."
            return _failed(MISSING_CAPABILITY, text, {"requiredCapabilities": error.required})
        except (pipeline.UnknownTool, TenantGoneError):
            return _failed(INVALID_PARAMS, f"Unknown tool: {row.called_as}.")
        except (ServiceUnavailable, access.AccessUnavailable) as error:
            return _failed(INTERNAL_ERROR, str(error))
        except Exception as error:
            logger.exception("A task of tenant %s failed", row.tenant_id, exc_info=error)
            text = f"Something failed inside Portico; the operator finds it under {row.request_id}."
            return _failed(INTERNAL_ERROR, text)

    async def _store(self, ending: _Ending) -> None:
        """Write how the run ended, waiting a while for a database that went away."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_S
        while True:
            try:
                await in_db(self._write, ending)
                return
            except DatabaseError:
                if loop.time() > until:  # then it is lost, and tending says so
                    raise
                await asyncio.sleep(1)

    def _write(self, ending: _Ending) -> None:
        if ending.asked is None:
            task_finish(self.row, self.run, ending.status, message=ending.message, outcome=ending.outcome)
            return
        rounds, asked = self.payload.rounds, ending.asked
        rounds.number += 1
        rounds.asked = {key: asking.digest_of(one) for key, one in asked.requests.items()}
        rounds.given = {}
        if asked.state is not None:
            rounds.state = asked.state
        questions = {
            f"{rounds.number}.{key}": Question(key, asking.wire_request(one))
            for key, one in asked.requests.items()
        }
        if not task_park(self.row, self.run, self.payload, questions):
            task_finish(self.row, self.run, Status.CANCELLED, message=CANCELLED_READ)

    async def _beat(self) -> None:
        """Every two seconds: we live, so far we are, and may we go on?"""
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                answer = await in_db(task_beat, self.row, self.run, self.channel.news())
            except DatabaseError:
                continue
            if answer == "cancel":
                self.cancel()
            elif answer == "lost" and self.call is not None:
                logger.warning("A task of tenant %s was taken away from its run", self.row.tenant_id)
                self.call.cancel()


@dataclass(slots=True)
class TaskChannel(Channel):
    """What a task's call can say: its progress as the task's message, and questions that park it."""

    row: Task
    payload: Payload
    cancelled: bool = False
    _message: str | None = field(default=None)

    async def progress(self, done: float, total: float | None, message: str) -> None:
        """Keep what is newest; the next beat writes it."""
        share = f"{done:g}" if total is None else f"{done:g} of {total:g}"
        self._message = f"{share}: {message}" if message else share

    def news(self) -> str | None:
        """What progress was told since the last beat."""
        message, self._message = self._message, None
        return message

    async def ask(self, requests: Mapping[str, Ask], state: Any = None) -> dict[str, dict[str, Any]]:
        """The answers so far. Raises InputRequired for what is open, and CapabilityMissing."""
        meta = {sdk.CAPABILITIES_KEY: self.row.abilities}
        turn = Turn(_remembered(self.row, None), True, "", 0, "tools/call", {"_meta": meta})
        return asking.ask(turn, self.payload.rounds, requests, state)

    def kept(self) -> Any:
        """The state that the round before left."""
        return self.payload.rounds.state


def _remembered(row: Task, selection: Selection | None) -> Caller:
    """Whom the task belongs to, without any rights: what is rechecked."""
    principal = row.principal
    return Caller(
        tenant=row.tenant.ref(),
        principal_id=principal.pk,
        principal_kind=PrincipalKind(principal.kind),
        principal_name=principal.display_name,
        role=Role.VIEWER,
        key_id=row.key_id,
        address=row.address,
        client=ClientInfo(row.client_name, row.client_version),
        via="task",
        selection=selection,
    )


def _failed(code: int, message: str, data: Any = None) -> _Ending:
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return _Ending(Status.FAILED, message, dumps(error))


_running: "dict[UUID, tuple[asyncio.AbstractEventLoop, _Run]]" = {}


def _heard(tenant_id: UUID, body: dict[str, Any]) -> None:
    """A client cancelled a task; if it runs here, stop it (in the bus's thread)."""
    found = _running.get(UUID(body["task"]))
    if found is not None and found[1].row.tenant_id == tenant_id:
        loop, run = found
        loop.call_soon_threadsafe(run.cancel)
