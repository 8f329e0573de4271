"""The headers that a request of 2026-07-28 repeats its body in.

From the specification, "Streamable HTTP": ``MCP-Protocol-Version``, ``Mcp-Method``,
``Mcp-Name``, and ``Mcp-Param-*`` for the arguments that a tool's schema marks with
``x-mcp-header``. What no header can carry goes as ``=?base64?…?=``.
"""

import base64
import re
from collections.abc import Iterator
from typing import Any

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
_NAMES = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
_SAFE = re.compile(r"[\x20-\x7e]*")
_WRAPPED = re.compile(r"=\?base64\?.*\?=")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_MAX_DEPTH = 20

Path = tuple[str, ...]


def modern_version(message: dict[str, Any]) -> str | None:
    """The version in a message's metadata; None for a message of the handshake era."""
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    version = meta.get(VERSION_KEY) if isinstance(meta, dict) else None
    return version if isinstance(version, str) and _SAFE.fullmatch(version) else None


def routing(message: dict[str, Any], version: str, marked: dict[str, dict[Path, str]]) -> dict[str, str]:
    """The headers of a request; ``marked`` has the tools' marked arguments, as :func:`marks` finds them."""
    method, params = str(message["method"]), message["params"]
    headers = {"MCP-Protocol-Version": version, "Mcp-Method": encoded(method)}
    name = params.get(_NAMES.get(method, ""))
    if isinstance(name, str):
        headers["Mcp-Name"] = encoded(name)
    arguments = params.get("arguments")
    if method == "tools/call" and isinstance(name, str) and isinstance(arguments, dict):
        for path, token in marked.get(name, {}).items():
            value = _text(_at(arguments, path))
            if value is not None:
                headers[f"Mcp-Param-{token}"] = encoded(value)
    return headers


def encoded(value: str) -> str:
    """A text as a header can carry it."""
    if _SAFE.fullmatch(value) and value == value.strip() and not _WRAPPED.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode('utf-8', 'surrogatepass')).decode('ascii')}?="


def marks(schema: Any) -> dict[Path, str]:
    """Where a tool's arguments have to be repeated in a header: path to the header's last part."""
    return dict(_marks(schema, ())) if isinstance(schema, dict) else {}


def _marks(schema: dict[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    token = schema.get("x-mcp-header")
    if path and isinstance(token, str) and _TOKEN.fullmatch(token):
        yield path, token
    properties = schema.get("properties")
    if isinstance(properties, dict) and len(path) < _MAX_DEPTH:
        for name, inner in properties.items():
            if isinstance(inner, dict):
                yield from _marks(inner, (*path, name))


def _at(value: Any, path: Path) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
