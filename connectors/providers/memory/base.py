"""What all memory tools stand on: the connection's part of Redis, and how long a key lives."""

import math
from collections.abc import Sequence
from typing import Any

import orjson

from connectors.base import Connector
from connectors.errors import InvalidInput
from connectors.providers.memory.settings import YEAR, MemorySettings
from connectors.providers.memory.store import Store

ANSWER = 58_000  # characters of keys and values in one answer, which holds 60,000 in all


class MemoryBase(Connector):
    """The store of one connection."""

    Settings = MemorySettings
    settings: MemorySettings

    def __init__(self, connection: Any, settings: Any) -> None:
        super().__init__(connection, settings)
        self.store = Store(connection.tenant_id, connection.id, settings)

    def lifetime(self, ttl: float | None) -> int:
        """Milliseconds to live for what the caller asked; 0 keeps the key."""
        cap = self.settings.max_ttl
        if ttl is None:
            ttl = self.settings.default_ttl or cap
            return ttl * 1000 if ttl else 0
        if not (math.isfinite(ttl) and 0 < ttl <= YEAR):
            raise InvalidInput(
                f"A time to live is more than 0 and at most {YEAR:,} seconds.", code="invalid_ttl"
            )
        if cap is not None and ttl > cap:
            raise InvalidInput(
                f"Nothing lives longer than {cap:,} seconds on this connection.",
                code="ttl_too_long",
                hint=f"Give a ttl of at most {cap}, or leave it out.",
            )
        return max(1, round(ttl * 1000))


def characters(keys: Sequence[str]) -> int:
    """How much of an answer the keys take, each with its quotes and comma."""
    return len(orjson.dumps(keys).decode())


def in_seconds(lifetime: int) -> float | None:
    """Milliseconds to live as the answers tell them: seconds, null for a key that stays."""
    return lifetime / 1000 if lifetime else None
