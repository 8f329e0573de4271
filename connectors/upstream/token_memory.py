"""Tokens in this process's memory: few, and none of a credential that has changed."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from connectors.errors import AuthenticationFailed, ConnectorError
from connectors.upstream.token_values import Token, TokenPlace

MOST: Final = 10_000
AGAIN_AFTER_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Kept:
    """A credential's token, and how its last renewal failed, if it did."""

    version: int  # of the connection
    token: Token | None
    failure: ConnectorError | None = None
    failed_at: float = 0.0  # of time.monotonic()

    def failure_for(self, asked: float, refused: Token | None) -> ConnectorError | None:
        """The failure that whoever asked at this moment shares: it waited for that very renewal.

        For a while nobody tries again where the system refused the credential, or where there
        is a token that can be used on.
        """
        if self.failure is None:
            return None
        spare = self.token
        usable = spare is not None and not spare.same(refused) and spare.is_valid(datetime.now(UTC))
        rests = AGAIN_AFTER_S if usable or isinstance(self.failure, AuthenticationFailed) else 0.0
        return self.failure if asked <= self.failed_at + rests else None


class Memory:
    """The tokens of this process, the least recently used dropped first; for all its threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[UUID, str], Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<{len(self._kept)} tokens>"

    def get(self, place: TokenPlace) -> Kept | None:
        """What is known of this credential under the connection's settings of now."""
        key = (place.connection_id, place.identity)
        with self._lock:
            found = self._kept.get(key)
            if found is None or found.version != place.connection_version:
                return None
            self._kept.move_to_end(key)
            return found

    def put(self, place: TokenPlace, token: Token) -> None:
        """Keep a token."""
        self._set(place, Kept(place.connection_version, token))

    def failed(self, place: TokenPlace, failure: ConnectorError) -> Kept:
        """Keep that a renewal failed, beside the token that there was."""
        known = self.get(place) or Kept(place.connection_version, None)
        known = replace(known, failure=failure, failed_at=time.monotonic())
        self._set(place, known)
        return known

    def forget(self, connection_id: UUID | None = None) -> None:
        """Drop what belongs to a connection, or everything."""
        with self._lock:
            for key in [key for key in self._kept if connection_id in (None, key[0])]:
                del self._kept[key]

    def _set(self, place: TokenPlace, kept: Kept) -> None:
        key = (place.connection_id, place.identity)
        former = self._kept.get(key)
        if former is not None and former.version > kept.version:
            return
        if former is None or former.version < kept.version:
            self._wipe(place)
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            if len(self._kept) > MOST:
                self._kept.popitem(last=False)

    def _wipe(self, place: TokenPlace) -> None:
        """Drop what was kept under the connection's former settings and credentials."""
        with self._lock:
            for key, kept in list(self._kept.items()):
                if key[0] == place.connection_id and kept.version < place.connection_version:
                    del self._kept[key]
