"""How a record of the log is written: as a line, as a JSON object, or as columns of a file."""

import logging
import os
from datetime import UTC, datetime
from typing import Any

import orjson

from common.log_context import request_context, tenant_context, trace_context
from portico.masking import masked

# What ends a line for some reader, or moves a terminal's cursor: C0, C1, and Unicode's own line ends.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_CONTROLS |= {10: "\\n", 13: "", 9: " ", 0x2028: "\\u2028", 0x2029: "\\u2029"}
# In JSON the lower ones are escaped already.
_IN_JSON = {code: f"\\u{code:04x}" for code in (*range(127, 160), 0x2028, 0x2029)}


def _folded(text: str) -> str:
    return text if text.isprintable() else text.translate(_CONTROLS)


def _stamp(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return f"{formatter.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}"


def _said(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.exc_info:
        text = f"{text} | {formatter.formatException(record.exc_info)}"
    return _folded(text)


class OneLine(logging.Formatter):
    """Time, level, tenant, request, logger and message on one line; a traceback is folded in."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        tenant, request = tenant_context.get() or "-", request_context.get() or "-"
        trace = f" trace={found}" if (found := trace_context.get()) else ""
        context = f"{record.levelname} tenant={tenant} request={request}{trace} {record.name}"
        return masked(f"{_stamp(self, record)} {context}: {_said(self, record)}")


class JsonLine(logging.Formatter):
    """One JSON object per line, for what collects and searches logs; ``time`` is in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """The object of a record; ids that are not known are left out."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        found: dict[str, str | int] = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            # Each text is masked before it is quoted: escaped quotes would hide what follows them.
            "message": masked(record.getMessage()),
        }
        for name, context in _CONTEXTS:
            if value := context.get():
                found[name] = masked(value)
        found["process"] = os.getpid()
        if record.exc_info:
            found["exception"] = masked(self.formatException(record.exc_info))
        try:
            return _quoted(found)
        except orjson.JSONEncodeError:  # lone surrogates
            clean = {
                k: v.encode("utf-8", "replace").decode() if isinstance(v, str) else v
                for k, v in found.items()
            }
            return _quoted(clean)


def _quoted(found: dict[str, Any]) -> str:
    text = orjson.dumps(found).decode()
    return text if text.isprintable() else text.translate(_IN_JSON)


_CONTEXTS = (("tenant", tenant_context), ("request_id", request_context), ("trace_id", trace_context))


class Columns(logging.Formatter):
    """``timestamp | level | module | function:line | message``, the ids after the message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record; the module is the logger's name, which is the module's in Portico."""
        ids = " ".join(f"{name}={value}" for name, context in _CONTEXTS if (value := context.get()))
        text = f"{_said(self, record)} [{ids}]" if ids else _said(self, record)
        where = f"{record.funcName}:{record.lineno}"
        return masked(f"{_stamp(self, record)} | {record.levelname} | {record.name} | {where} | {text}")
