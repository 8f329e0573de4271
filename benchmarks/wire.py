"""Whole HTTP requests as bytes, for both eras of the protocol."""

import base64
import http.client
import json
from typing import Any

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
CLIENT = {"name": "bench", "version": "1"}


def raw(path: str, key: str | None, body: dict[str, Any], headers: dict[str, str]) -> str:
    """A POST as the load generator wants it: base64 of the bytes on the wire."""
    data = json.dumps(body, separators=(",", ":")).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1:80",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        f"Content-Length: {len(data)}",
        *(f"{name}: {value}" for name, value in headers.items()),
        *([f"Authorization: Bearer {key}"] if key else []),
    ]
    return base64.b64encode("\r\n".join([*lines, "", ""]).encode() + data).decode()


def modern(path: str, key: str | None, method: str, params: dict[str, Any]) -> str:
    """A request of the stateless era."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": CLIENT,
    }
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
    if "name" in params:
        headers["Mcp-Name"] = params["name"]
    return raw(
        path,
        key,
        {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}},
        headers,
    )


def legacy(path: str, key: str | None, method: str, params: dict[str, Any], session: str | None) -> str:
    """A request of the handshake era, within a session where the server gave one."""
    headers = {"MCP-Protocol-Version": LEGACY, **({"Mcp-Session-Id": session} if session else {})}
    return raw(path, key, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, headers)


def session_of(port: int, path: str, key: str | None) -> str | None:
    """Shake hands as a legacy client does and return the session id, if there is one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    body = {
        "jsonrpc": "2.0",
        "id": 0,
        "method": "initialize",
        "params": {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": CLIENT},
    }
    connection.request(
        "POST",
        path,
        json.dumps(body),
        {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            **({"Authorization": f"Bearer {key}"} if key else {}),
        },
    )
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"initialize answered {answer.status}")
    return answer.getheader("Mcp-Session-Id")


def call(name: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """The method and parameters of a tool call."""
    return "tools/call", {"name": name, "arguments": arguments}
