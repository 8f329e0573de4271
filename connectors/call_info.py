"""What a door tells the pipeline of a request, beside who calls what."""

from dataclasses import dataclass, field

from common.tracing import Trace
from connectors.tokens import Tokens


@dataclass(frozen=True, slots=True)
class CallInfo:
    """What the door knows of a request: ids for the audit, and a time limit in seconds.

    ``call_id`` is given where the call had its name before it began (a task); ``as_task``
    says that it runs as a task, or that the client takes a task for an answer; ``trace`` is
    the place in the caller's trace; ``confirmed`` that the person agreed to this very call.
    ``tokens`` are those of the systems behind connections that the caller brought, by the names
    that :func:`connectors.tokens.token_names` knows. ``idempotency_key`` is the client's own name for
    this very call: sent again, it gets the first one's answer. ``refresh`` has the tool run and
    its result kept, also where a kept one would have answered.
    """

    request_id: str = ""
    trace_id: str = ""
    timeout: float | None = None
    call_id: str = ""
    as_task: bool = False
    trace: Trace | None = None
    confirmed: bool = False
    tokens: Tokens | None = field(default=None, repr=False)
    idempotency_key: str = ""
    refresh: bool = False


NO_INFO = CallInfo()
