"""The one way to call a tool, read a resource or get a prompt; every door of the house uses it.

A call is found in the caller's catalogue, limited, validated, recorded as an attempt where
it writes, run with a deadline, shaped and recorded; its answer leaves after its audit row
is durable.
"""

import asyncio
import logging
import time
import uuid
from dataclasses import replace
from functools import partial
from typing import Any

from django.conf import settings

from audit.events import ASKED
from audit.services import event_of, record
from common import metrics, tracing
from common.writer import QueueFullError, WriterUnavailableError, writer
from connectors import deferred
from connectors.arguments import keyword_arguments, renamed, without_nulls
from connectors.arguments import validate as validate
from connectors.asking import CapabilityMissing, InputRequired
from connectors.call_info import NO_INFO, CallInfo
from connectors.catalogue import Catalogue, catalogue_of
from connectors.channel import Channel
from connectors.confirming import DECLINED, REQUIRED, confirm
from connectors.context import CallContext
from connectors.deadlines import Deadline
from connectors.errors import (
    CircuitOpen,
    ConnectorError,
    InternalError,
    NotPermitted,
    RateLimited,
    ServerStopping,
    TimedOut,
)
from connectors.limits import charge, give_back
from connectors.once import once
from connectors.recording import AUDIT_PATIENCE_S, record_cancelled, said_of
from connectors.recording import ServiceUnavailable as ServiceUnavailable
from connectors.refusing import refuse
from connectors.remembering import plan_of, through, wrote
from connectors.results import Text, ToolResult
from connectors.shape import shape
from connectors.snapshot import ToolEntry, snapshot_of
from connectors.upstream.breaker import demand_closed
from tenants.principals import Caller

logger = logging.getLogger(__name__)

REFUSED = (DECLINED, REQUIRED)
TASKS_EXTENSION = "io.modelcontextprotocol/tasks"  # what a client declares that takes tasks for answers


class UnknownTool(LookupError):
    """No such tool for this caller; an unknown and a forbidden one look the same."""


NO_CHANNEL = Channel()


async def catalogue(caller: Caller) -> Catalogue:
    """What the caller may use now."""
    return catalogue_of(await snapshot_of(caller.tenant.id), caller)


async def call_tool(
    caller: Caller,
    name: str,
    arguments: dict[str, Any],
    *,
    channel: Channel = NO_CHANNEL,
    info: CallInfo = NO_INFO,
) -> ToolResult:
    """Call a tool. Failures of the tool are results with ``is_error``.

    Raises :class:`UnknownTool`, :class:`ServiceUnavailable`, and where ``channel`` can ask
    :class:`connectors.asking.InputRequired` and :class:`connectors.asking.CapabilityMissing`.
    """
    snapshot = await snapshot_of(caller.tenant.id)
    own = catalogue_of(snapshot, caller)
    wrapped = None
    if name == deferred.CALL and (wrapped := deferred.opened(own.callable_tools, name, arguments)):
        name, arguments = wrapped
    entry = own.find(name)
    if entry is None:
        if (refusal := await refuse(snapshot, caller, name, arguments, info)) is not None:
            return error_result(refusal, info.request_id)
        if wrapped:
            return error_result(deferred.not_found(name), info.request_id)
        raise UnknownTool(name)
    call = _Call(caller, entry, arguments, info)
    try:
        await call.prepare(channel if entry.name in own.confirm and not info.confirmed else None)
        result = await (call.answer(channel) if tracing.tracer is None else call.answer_traced(channel))
    except ConnectorError as error:
        result = error_result(error, info.request_id)
        await call.finish(result, error=error)
        return result
    except InputRequired as asked:
        await call.finish_asked(asked)
        raise
    except CapabilityMissing as missing:
        refused = NotPermitted(str(missing), code="capability_missing")
        await call.finish(error_result(refused, info.request_id), error=refused)
        raise
    except asyncio.CancelledError:
        call.finish_cancelled()
        raise
    await call.finish(result)
    return result


class _Call:
    """One call on its way through the house."""

    __slots__ = ("arguments", "attempted", "caller", "entry", "event", "info", "started", "touched")

    def __init__(self, caller: Caller, entry: ToolEntry, arguments: dict[str, Any], info: CallInfo) -> None:
        if entry.connection.connector.argument_aliases:
            arguments = renamed(entry, arguments)
        if None in arguments.values():
            arguments = without_nulls(entry.spec, arguments)
        self.caller = caller
        self.entry = entry
        self.arguments = arguments
        self.info = info
        self.started = time.perf_counter()
        self.touched = False
        self.event = event_of(
            caller,
            "call",
            name=entry.spec.name,
            connection=entry.connection.ref.slug,
            arguments=arguments,
            secret_paths=entry.spec.secret_arguments,
            request_id=info.request_id,
            trace_id=info.trace_id,
        )
        if info.call_id:
            self.event.call_id = info.call_id

    async def prepare(self, asker: Channel | None) -> None:
        """What may refuse the call before anything is looked up.

        ``asker`` is given where the person must agree first.
        """
        spec = self.entry.spec
        if spec.task == "must" and not self.info.as_task:
            raise CapabilityMissing({"extensions": {TASKS_EXTENSION: {}}})
        validate(self.entry, self.arguments)
        if asker is not None:
            timeout = self.info.timeout or settings.PORTICO_CALL_TIMEOUT_S
            await confirm(self.entry, self.arguments, asker, timeout)

    async def answer(self, channel: Channel) -> ToolResult:
        """The kept result where there is one, else the call is executed."""
        entry, spec, info = self.entry, self.entry.spec, self.info
        timeout = info.timeout or spec.timeout or settings.PORTICO_CALL_TIMEOUT_S
        context = CallContext(
            self.caller, entry.connection, channel, info.request_id, time.monotonic() + timeout,
            trace=info.trace, call_id=self.event.call_id, tokens=info.tokens,
        )  # fmt: skip
        if spec.writes:
            if info.idempotency_key:
                run = partial(self.execute, context, timeout)
                return await once(
                    self.caller, entry, self.arguments, info.idempotency_key, run, brought=context.brought
                )
        elif entry.connection.caches and (plan := plan_of(entry, context, self.arguments)) is not None:
            run = partial(self.execute, context, timeout)
            return await through(plan, context, run, refresh=info.refresh)
        return await self.execute(context, timeout)

    async def execute(self, context: CallContext, timeout: float) -> ToolResult:
        """Let the system do it, unless it rests or a limit forbids it; a write is recorded first."""
        entry, spec = self.entry, self.entry.spec
        ref = entry.connection.ref
        demand_closed(ref.tenant_id, ref.id, context.identity)
        debit = None if entry.limits is None else await charge(self.caller, entry, context.deadline)
        if spec.writes or writer.last_error:  # a failing writer must refuse before, not after
            try:
                await record(replace(self.event, phase="attempt", outcome="started"))
            except (WriterUnavailableError, QueueFullError) as error:
                if debit is not None:
                    await give_back(debit)
                raise ServiceUnavailable(executed=False) from error
        started = time.monotonic()
        left = context.deadline - started
        if left < timeout - 0.05:  # it waited for its turn or for an equal call
            timeout = max(0.05, round(left, 2))
        ok = False
        try:
            result = await self.run(context, timeout)
            ok = not result.is_error
        except (InputRequired, CapabilityMissing):
            if debit is not None:  # it ended with questions: nothing was executed yet
                await give_back(debit, turn=False)
            raise
        except (RateLimited, CircuitOpen):
            if debit is not None and not context.sent:
                await give_back(debit)
            raise
        finally:
            if spec.writes and entry.connection.caches:  # a write that failed may have taken effect
                await wrote(entry, context, self.arguments, ok=ok, took_s=time.monotonic() - started)
        return result

    async def run(self, context: CallContext, timeout: float) -> ToolResult:
        """Call the connector's method with a deadline, and shape what it returned."""
        spec = self.entry.spec
        kwargs = keyword_arguments(spec, self.arguments)
        self.touched = True
        try:
            async with Deadline(timeout):
                work = self.entry.run(context, **kwargs)
                if self.info.tokens:
                    work = context.discreet(work, self.entry.name)
                return shape(await work)
        except ServerStopping:
            raise ServerStopping(writes=spec.writes) from None
        except (ConnectorError, InputRequired, CapabilityMissing):
            raise
        except TimeoutError as error:
            raise TimedOut(
                f"{self.entry.name} did not finish within {timeout:g} seconds.",
                retryable=not spec.writes,
                hint="It may have taken effect; look before you repeat it." if spec.writes else "Try again.",
            ) from error
        except (QueueFullError, WriterUnavailableError) as error:
            raise InternalError(
                "Portico's database did not take the write; nothing was changed.", retryable=True
            ) from error
        except Exception as error:
            logger.exception(
                "tool %s of tenant %s failed", self.entry.name, self.caller.tenant.slug, exc_info=error
            )
            raise InternalError(
                f"{self.entry.name} failed inside Portico.",
                hint=f"The operator finds it in the log under request {self.info.request_id}.",
            ) from error

    async def answer_traced(self, channel: Channel) -> ToolResult:
        """As :meth:`answer`, inside a span; the system's own spans hang below it."""
        name, tracer = self.entry.spec.name, tracing.tracer
        assert tracer is not None
        span = tracer.start(
            f"execute_tool {name}",
            server=False,
            parent=self.info.trace,
            attributes={
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": name,
                "portico.tenant": self.caller.tenant.slug,
                "portico.connection": self.entry.connection.ref.slug,
            },
        )
        self.info = replace(self.info, trace=span.trace)
        self.event.trace_id = self.event.trace_id or span.trace.trace_id
        error = ""
        try:
            result = await self.answer(channel)
            error = "tool_error" if result.is_error else ""
            return result
        except ConnectorError as failure:
            error = failure.type
            raise
        except InputRequired:
            raise
        except BaseException as failure:
            error = "cancelled" if isinstance(failure, asyncio.CancelledError) else type(failure).__name__
            raise
        finally:
            span.end(error=error)

    async def finish(self, result: ToolResult, error: ConnectorError | None = None) -> None:
        """Write the completion; the answer leaves after this."""
        event = self.event
        event.duration_us = int((time.perf_counter() - self.started) * 1_000_000)
        event.cache = result.cache
        if result.is_error:
            event.outcome = "denied" if error and error.code in REFUSED else "error"
            event.error_type = error.type if error else result.error_type or "business"
            event.message = error.message if error else _first_text(result)
            event.upstream_status = error.upstream_status if error else 0
        self.count()
        patience = time.monotonic() + AUDIT_PATIENCE_S if self.touched else None
        try:
            await record(event, deadline=patience)
        except (WriterUnavailableError, QueueFullError) as failure:
            raise ServiceUnavailable(executed=self.touched) from failure

    async def finish_asked(self, asked: InputRequired) -> None:
        """Write that the call ended with questions: nothing was executed yet."""
        self.touched = False
        self.event.outcome, self.event.message = ASKED, said_of(asked)
        await self.finish(ToolResult())

    def finish_cancelled(self) -> None:
        """Queue the completion of a call whose client gave up; nobody waits for it.

        What a write that was already sent has done, nobody can tell from here.
        """
        sent = self.touched and self.entry.spec.writes
        record_cancelled(self.event, self.started, sent=sent)
        self.count()

    def count(self) -> None:
        """Count the call as its event says it ended."""
        event, view = self.event, self.entry.connection
        # A tool that its connector's class does not know is a tenant's own: no name for a metric.
        tool = event.name if event.name in view.connector.tools else "other"
        seconds = event.duration_us / 1_000_000
        metrics.called(view.connector_slug, tool, event.outcome, event.error_type, seconds)


def error_result(error: ConnectorError, request_id: str = "") -> ToolResult:
    """The structured error that every failing tool answers with."""
    content = shape(error.as_dict(request_id)).content
    return ToolResult(content=content, is_error=True, error_type=error.type)


def _first_text(result: ToolResult) -> str:
    return next((part.text for part in result.content if isinstance(part, Text)), "")[:500]


def new_request_id() -> str:
    """An id for a request that brought none."""
    return uuid.uuid4().hex
