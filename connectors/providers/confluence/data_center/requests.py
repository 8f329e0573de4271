"""One request of a tool on its way to a Data Center."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from connectors.errors import InvalidInput
from connectors.providers.confluence.data_center import rows
from connectors.upstream.answers import Answer
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

API: Final = "rest/api"


class Translation:
    """A tool's request, and what sends those that are made of it.

    ``send`` sends requests of version 1, ``root`` is the installation's address.
    """

    def __init__(self, send: Callable[[Request], Awaitable[Answer]], root: str, request: Request) -> None:
        self._send, self._root, self._request = send, root.rstrip("/"), request
        self.path, _, query = request.path.partition("?")
        self._params: dict[str, Any] = {**dict(parse_qsl(query)), **(request.params or {})}
        self._answer: Answer | None = None

    def told(self, made: Any) -> Answer:
        """The last answer with what was made of it."""
        assert self._answer is not None
        return replace(self._answer, body=b"" if made is None else orjson.dumps(made))

    async def _get(self, path: str, *, api: str = API, **params: Any) -> Any:
        """A read of version 1; parameters that are None are left out."""
        asked = {name: value for name, value in params.items() if value is not None}
        request = Request("GET", f"{api}/{path}", Kind.READ, params=asked, explain=self._request.explain)
        self._answer = await self._send(request)
        return self._answer.json()

    async def _write(self, path: str, body: Any = None, *, method: str = "", **params: Any) -> Any:
        """The tool's own write, with another path and body: as safe to repeat as it was."""
        own = self._request
        self._answer = await self._send(
            replace(own, method=method or own.method, path=f"{API}/{path}", json=body, params=params or None)
        )
        return self._answer.json() if self._answer.body else None

    def _paged(self) -> dict[str, Any]:
        """Where the list goes on: version 1 counts rows."""
        cursor = str(self._params.get("cursor") or "")
        if cursor and not cursor.isdecimal():
            raise InvalidInput("The cursor is not one of this list.", code="bad_cursor")
        return {"limit": self._params.get("limit"), "start": int(cursor) if cursor else None}

    def _one(self, name: str) -> str:
        """The only value of a parameter that may be a list."""
        value = self._params.get(name)
        return str(value[0] if isinstance(value, list | tuple) else value or "")

    def _page(self, row: dict[str, Any]) -> dict[str, Any]:
        return rows.page(self._root, row)

    def _comment(self, row: dict[str, Any]) -> dict[str, Any]:
        return rows.comment(self._root, row)


def body_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """A body as version 1 takes it, from one as version 2 does."""
    return {"storage": {"value": said["body"]["value"], "representation": "storage"}}
