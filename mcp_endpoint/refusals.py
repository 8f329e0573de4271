"""Malformed requests of known callers in the audit: one row a minute for each kind of mistake.

A call that reaches the pipeline is recorded there; this is for what never got so far. A
client that repeats its mistake cannot fill the audit with it.
"""

import logging
import time
from collections import OrderedDict

from audit.services import event_of, record_later
from common.writer import QueueFullError
from connectors.call_info import CallInfo
from mcp_endpoint import sdk
from tenants.principals import Caller

logger = logging.getLogger(__name__)

MAX_REMEMBERED = 5_000
ERROR_TYPE = "protocol_error"

_noted: "OrderedDict[tuple[object, ...], int]" = OrderedDict()


def note_refusal(caller: Caller, info: CallInfo, *, method: str, code: int, message: str) -> None:
    """Queue a row for a refused request, unless the same mistake has one of this minute already."""
    # Names that are the client's own invention are one kind: new ones come without end.
    kind = method if method in sdk.METHODS else ""
    mistake = (caller.tenant.id, caller.principal_id, caller.key_id, kind, code)
    minute = int(time.time() // 60)
    if _noted.get(mistake) == minute:
        return
    _noted[mistake] = minute
    _noted.move_to_end(mistake)
    if len(_noted) > MAX_REMEMBERED:
        _noted.popitem(last=False)
    event = event_of(
        caller,
        "denial",
        name=method,
        outcome="denied",
        error_type=ERROR_TYPE,
        message=f"{code}: {message}",
        request_id=info.request_id,
        trace_id=info.trace_id,
    )
    try:
        record_later(event)
    except QueueFullError:
        logger.warning("A malformed request of tenant %s could not be recorded", caller.tenant.slug)
