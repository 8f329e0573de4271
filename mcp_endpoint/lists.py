"""Answers of lists kept as bytes.

A list depends on the tenant's catalogue and on the caller's rights, which the catalogue's
digest stands for; so its JSON is kept per (tenant, era, method, digest, page), and an answer
is made by putting the request's id, and the caller's own cursor, around it.
"""

from collections import OrderedDict
from typing import Final
from uuid import UUID

from django.conf import settings

from common.paging import Position, cursor
from connectors import pipeline
from mcp_endpoint import handlers, sdk
from mcp_endpoint.turn import Turn
from mcp_endpoint.wire import dumps

KEPT_METHODS: Final = frozenset({"tools/list", "prompts/list", "resources/templates/list"})
MAX_BYTES = 64 * 1024 * 1024

_Key = tuple[UUID, bool, str, str, Position, int]
_Answer = tuple[bytes, Position | None]


class _Kept:
    """A least-recently-used store bounded by its bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._rows: OrderedDict[_Key, _Answer] = OrderedDict()

    def get(self, key: _Key) -> _Answer | None:
        row = self._rows.get(key)
        if row is not None:
            self._rows.move_to_end(key)
        return row

    def put(self, key: _Key, row: _Answer) -> None:
        old = self._rows.pop(key, None)
        self._size += len(row[0]) - (len(old[0]) if old else 0)
        self._rows[key] = row
        while self._size > self._limit and self._rows:
            self._size -= len(self._rows.popitem(last=False)[1][0])


_kept = _Kept(MAX_BYTES)


async def answer(turn: Turn) -> bytes:
    """The result of a list as JSON; its params are checked before. Raises ProtocolError."""
    catalogue = await pipeline.catalogue(turn.caller)
    where = handlers.list_position(turn)
    size = settings.PORTICO_PAGE_SIZE
    key = (turn.caller.tenant.id, turn.modern, turn.method, catalogue.digest, where, size)
    row = _kept.get(key)
    if row is None:
        made = await sdk.serve(turn)
        made.pop("nextCursor", None)
        row = (dumps(made)[:-1], turn.next_position)
        _kept.put(key, row)
    head, following = row
    if following is None:
        return head + b"}"
    token = cursor(following, purpose=turn.method, bind=turn.bind)
    return b'%b,"nextCursor":"%b"}' % (head, token.encode())
