"""What the audit is told of calls that did not run to their end: refused, asked back, given up."""

import logging
import time
from typing import Any

from audit.events import UNKNOWN, Event
from audit.services import record_denied, record_later
from common.writer import QueueFullError, WriterUnavailableError
from connectors.asking import InputRequired
from connectors.call_info import CallInfo
from tenants.principals import Caller

logger = logging.getLogger(__name__)

# How long the record of a call that was executed waits for a database that went away.
AUDIT_PATIENCE_S = 10.0


class ServiceUnavailable(RuntimeError):
    """The audit cannot be written, so nothing is run. ``executed`` tells whether the system was reached."""

    def __init__(self, *, executed: bool) -> None:
        super().__init__(
            "The call was executed, but its record could not be stored; check before you repeat it."
            if executed
            else "Portico's database is not available; nothing was executed. Try again in a moment."
        )
        self.executed = executed


async def record_refused(
    caller: Caller, info: CallInfo, name: str, connection: str, message: str, arguments: Any = None
) -> None:
    """Write that a caller was refused. Raises ServiceUnavailable when that cannot be stored."""
    try:
        await record_denied(
            caller,
            name=name,
            reason="permission",
            message=message,
            connection=connection,
            arguments=arguments,
            request_id=info.request_id,
            trace_id=info.trace_id,
        )
    except (WriterUnavailableError, QueueFullError) as error:
        raise ServiceUnavailable(executed=False) from error


def said_of(asked: InputRequired) -> str:
    """What was asked, by name: never the questions' or answers' words."""
    return ", ".join(f"{ask.method} ({key[:60]})" for key, ask in asked.requests.items())[:500]


def record_cancelled(event: Event, started: float, *, sent: bool = False) -> None:
    """Queue the row of what was begun at ``started`` (``time.perf_counter()``) and then given up."""
    event.duration_us = int((time.perf_counter() - started) * 1_000_000)
    event.outcome = "cancelled"
    if sent:
        event.outcome, event.error_type = UNKNOWN, "cancelled"
        event.message = "Cancelled after it was sent: look at the system before you repeat it."
    try:
        record_later(event, deadline=time.monotonic() + AUDIT_PATIENCE_S)
    except QueueFullError:  # the cancellation itself must go on
        logger.error("The cancelled %s of %s could not be recorded", event.kind, event.name)
