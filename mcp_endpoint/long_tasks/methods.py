"""Tasks towards their clients: a call that becomes one, and ``tasks/get``, ``tasks/update``, ``tasks/cancel``.

Whoever asks for a task is looked at again each time: the same principal of the same tenant,
with a key that is valid and may use the task's tool. Everybody else is told what somebody
who made the id up would be told.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson
from django.conf import settings

from audit.services import record_denied
from common.db import in_db
from connectors import deferred, pipeline
from connectors.errors import ConnectorError, RateLimited
from connectors.pipeline import error_result
from connectors.tokens import token_for
from mcp_endpoint import asking, sdk
from mcp_endpoint.long_tasks import EXTENSION, MAX_OPEN
from mcp_endpoint.long_tasks.contents import Payload, open_outcome, open_questions
from mcp_endpoint.long_tasks.notices import as_task
from mcp_endpoint.long_tasks.services import (
    QueueAway,
    TooManyTasks,
    task_answer,
    task_cancel,
    task_create,
)
from mcp_endpoint.long_tasks.tending import task_find
from mcp_endpoint.models import Task
from mcp_endpoint.turn import Turn
from mcp_endpoint.wire import INVALID_PARAMS, MISSING_CAPABILITY, ProtocolError

Status = Task.Status


async def begin(turn: Turn) -> bytes | None:
    """Let a call become a task; None where it is to be run and answered in line.

    For clients that take tasks. What cannot be valid is answered in line, with its error.
    """
    own, params = await pipeline.catalogue(turn.caller), turn.params
    name, arguments = params["name"], params.get("arguments") or {}
    if name == deferred.CALL and (inside := deferred.opened(own.callable_tools, name, arguments)):
        name, arguments = inside
    entry = own.find(name)
    if entry is None or entry.spec.task == "no":
        return None
    spec = entry.spec
    turn.info = replace(turn.info, as_task=True)
    if spec.ask_first and "requestState" not in params and "inputResponses" not in params:
        return None
    try:
        pipeline.validate(entry, arguments)
    except ConnectorError:
        return None
    # A caller's own token is never stored, so never waits in a queue; and a tenant that is served
    # over stdio by one process has perhaps no worker.
    if token_for(entry.connection, turn.info.tokens) or turn.transport == "stdio":
        return None
    payload = Payload(
        arguments,
        asking.restore(turn),
        turn.caller.selection,
        turn.info.idempotency_key if spec.writes else "",
    )
    timeout = spec.timeout or settings.PORTICO_CALL_TIMEOUT_S
    try:
        row = await in_db(
            lambda: task_create(
                caller=turn.caller,
                entry=entry,
                called_as=name,
                payload=payload,
                abilities=_abilities(turn),
                info=turn.info,
                timeout=timeout,
            )
        )
    except QueueAway:
        return None
    except TooManyTasks:
        return await _too_many(turn, spec.name, entry.connection.ref.slug)
    turn.recorded = True
    return sdk.encode_modern({"resultType": "task", **as_task(row)})


def _abilities(turn: Turn) -> dict[str, Any]:
    """What of the client's capabilities decides on questions, and nothing else of it."""
    told = turn.capabilities
    made: dict[str, Any] = {}
    for name in ("elicitation", "sampling", "roots"):
        if isinstance(told.get(name), Mapping):
            made[name] = {mode: {} for mode in ("form", "url") if mode in told[name]}
    return made


async def _too_many(turn: Turn, tool: str, connection: str) -> bytes:
    """The refusal of a tenant with too many open tasks; as a tool's error, since it passes by itself."""
    error = RateLimited(
        f"This tenant has {MAX_OPEN} unfinished tasks, the most it may have.",
        code="too_many_tasks",
        retryable=True,
        retry_after=30,
        hint="Wait until some have ended, or cancel them with tasks/cancel.",
    )
    turn.recorded = True
    await record_denied(
        turn.caller, name=tool, reason=error.type, message=error.message, connection=connection,
        request_id=turn.info.request_id, trace_id=turn.info.trace_id,
    )  # fmt: skip
    return sdk.encode_tool_result(error_result(error, turn.info.request_id), modern=True)


async def get(turn: Turn) -> dict[str, Any]:
    """How a task stands: with its result, its error or its open questions."""
    row = await _own(turn)
    return await in_db(_detailed, row)


async def update(turn: Turn) -> dict[str, Any]:
    """Take answers to a task's questions; what was not asked is ignored."""
    responses = turn.params.get("inputResponses")
    if type(responses) is not dict:
        raise ProtocolError(INVALID_PARAMS, "Invalid request parameters. inputResponses: must be an object")
    row = await _own(turn)
    await in_db(task_answer, row, responses)
    return {"resultType": "complete"}


async def cancel(turn: Turn) -> dict[str, Any]:
    """Cancel a task; one that is over stays as it is."""
    row = await _own(turn, using=False)
    await in_db(task_cancel, row)
    return {"resultType": "complete"}


_METHODS: Final[dict[str, Callable[[Turn], Awaitable[dict[str, Any]]]]] = {
    "tasks/get": get,
    "tasks/update": update,
    "tasks/cancel": cancel,
}
METHODS: Final = frozenset(_METHODS)


async def answer(turn: Turn) -> bytes:
    """The result of one of :data:`METHODS`. Raises ProtocolError."""
    if not turn.modern:
        raise sdk.method_not_found(turn.method, turn.version)
    if EXTENSION not in turn.extensions:
        raise ProtocolError(
            MISSING_CAPABILITY,
            f"Declare the extension {EXTENSION} to use tasks.",
            {"requiredCapabilities": {"extensions": {EXTENSION: {}}}},
            status=400,
        )
    return sdk.encode_modern(await _METHODS[turn.method](turn))


async def _own(turn: Turn, *, using: bool = True) -> Task:
    """The caller's own task, looked after. Raises ProtocolError for every other id.

    ``using`` demands that the caller may still use the tool (to stop it, it need not).
    """
    row = await in_db(task_find, turn.caller.tenant.id, turn.caller.principal_id, turn.params.get("taskId"))
    if row is not None and using:
        everything = replace(turn.caller, selection=None)  # a selection is no right
        entry = (await pipeline.catalogue(everything)).find(row.called_as)
        if entry is None or (entry.connection.ref.slug, entry.spec.name) != (row.connection, row.tool):
            row = None
    if row is None:
        raise ProtocolError(INVALID_PARAMS, "Unknown task: there is none with this taskId, or it is over.")
    return row


def _detailed(row: Task) -> dict[str, Any]:
    made: dict[str, Any] = {"resultType": "complete", **as_task(row)}
    if row.status == Status.COMPLETED:
        made["result"] = orjson.Fragment(open_outcome(row))
    elif row.status == Status.FAILED:
        made["error"] = orjson.Fragment(open_outcome(row))
    elif row.status == Status.INPUT_REQUIRED:
        made["inputRequests"] = {
            name: one.request for name, one in open_questions(row).items() if one.answer is None
        }
    return made
