"""One request across several systems: W3C Trace Context, and the tracer where one is configured.

A caller's ``traceparent`` goes on into the audit, into the requests that a call sends to its
system and into spans. Nothing here knows OpenTelemetry: :mod:`portico.telemetry` sets
:data:`tracer` when a process starts and an exporter is configured; everybody else asks
``tracing.tracer is None`` first, which is all that tracing costs where nobody wants it.

https://www.w3.org/TR/trace-context/
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import getrandbits
from typing import Any, Protocol

MAX_STATE = 512  # characters of tracestate that are passed on (the specification's least)
MAX_STATE_MEMBERS = 32
_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?=(-.*)?\Z)")
_STATE_MEMBER = re.compile(
    r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)


@dataclass(frozen=True, slots=True)
class Trace:
    """A place in a trace: which trace, below which span, sampled or not, and what vendors keep.

    ``ours`` says that the span is Portico's own; otherwise it is the caller's.
    """

    trace_id: str  # 32 small hexadecimal digits
    span_id: str  # 16
    flags: int = 0
    state: str = ""
    ours: bool = False

    def headers(self) -> dict[str, str]:
        """``traceparent``, and ``tracestate`` where there is one."""
        # Of the flags only "sampled" and "random" have a meaning that may be passed on.
        made = {"traceparent": f"00-{self.trace_id}-{self.span_id}-{self.flags & 3:02x}"}
        if self.state:
            made["tracestate"] = self.state
        return made


class Span(Protocol):
    """Something that takes time, told to the tracing system when it ends."""

    @property
    def trace(self) -> Trace:
        """The place that the span's children hang below."""
        ...

    def end(
        self, *, name: str | None = None, error: str = "", attributes: Mapping[str, Any] | None = None
    ) -> None:
        """Finish, with a better name where one is known now; ``error`` is a class of error, never its text."""
        ...


class Tracer(Protocol):
    """What makes spans; :class:`portico.telemetry.Telemetry` is the one implementation."""

    def start(self, name: str, *, server: bool, parent: Trace | None, attributes: Mapping[str, Any]) -> Span:
        """Begin a span now; ``server`` for a request that came in, else a step inside of one."""
        ...


# Set once per process; read as ``tracing.tracer``, never imported by name.
tracer: Tracer | None = None


def parse(parent: Any, state: Any = None) -> Trace | None:
    """The trace of a ``traceparent`` and its ``tracestate``; None for one that is not valid.

    Versions after 00 are read as far as 00 goes, as the specification demands. A wrong
    ``tracestate`` is dropped and the trace kept.
    """
    if type(parent) is not str or len(parent) > MAX_STATE:
        return None
    found = _PARENT.match(parent)
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return Trace(trace_id, span_id, int(flags, 16), _state(state))


def _state(raw: Any) -> str:
    """A ``tracestate`` that may be put into a header, or nothing."""
    if type(raw) is not str or not raw or len(raw) > MAX_STATE:
        return ""
    members = [member for part in raw.split(",") if (member := part.strip(" \t"))]
    if len(members) > MAX_STATE_MEMBERS or not all(map(_STATE_MEMBER.fullmatch, members)):
        return ""
    return ",".join(members)


def onward(trace: Trace | None, call_id: str) -> Trace:
    """The place from which a call goes on to its system.

    Below Portico's own span that span; below a caller's a new one. Without any trace a new
    one begins, whose id is the call's own (a UUID) without hyphens, so that the audit finds it.
    """
    if trace is None:
        return Trace(call_id.replace("-", "") or _hex(128), _hex(64))
    return trace if trace.ours else replace(trace, span_id=_hex(64))


def _hex(bits: int) -> str:
    return f"{getrandbits(bits) or 1:0{bits // 4}x}"
