"""Messages between the processes of one installation, over one Redis subscription per process.

Each message belongs to one tenant: its channel has the tenant's id, and its body is encrypted
under a key of the ring and bound to that channel, so that nobody who reads or writes Redis
learns or forges what clients say. Messages are news, not a store: a process that is away
misses them, so whoever listens must bear a loss (by asking again, by a deadline).

A message reaches the subscribers of its own process at once, and also while Redis is away.
"""

import contextlib
import logging
import os
import secrets
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
import redis
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.keyring import UnknownKeyError, ring
from common.redis import async_client, sync_client, tenant_key

logger = logging.getLogger(__name__)

ROOM = "bus"
PATTERN = f"portico:*:{ROOM}"
AGAIN_S = 1.0  # rest before a lost subscription is tried again
MAX_BODY = 1_000_000  # bytes of JSON
_PURPOSE = "bus"

Callback = Callable[[UUID, dict[str, Any]], None]


class MessageTooLargeError(ValueError):
    """The message is larger than the bus carries; nothing was sent."""


class Bus:
    """A process's place on the bus. Its thread starts at first use, so always after the fork."""

    def __init__(self) -> None:
        self._callbacks: dict[str, list[Callback]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self.connected = threading.Event()  # for health and tests: the subscription stands
        self.times = 0  # how often it was made: what came before the last time may have gaps
        self._identity = ""
        self._pid = 0

    def subscribe(self, kind: str, callback: Callback) -> None:
        """Have messages of a kind told as ``callback(tenant_id, body)``; twice is harmless.

        It is called in the bus's thread, or in the publisher's own: quick and thread-safe.
        """
        known = self._callbacks.setdefault(kind, [])
        if callback not in known:
            known.append(callback)

    @property
    def running(self) -> bool:
        """Whether this process listens (a forked child does not inherit it)."""
        return self._thread is not None and self._pid == os.getpid() and self._thread.is_alive()

    def start(self) -> None:
        """Listen from now on, unless this process does already."""
        if self.running:
            return
        with self._lock:
            if self.running:
                return
            self._pid = os.getpid()
            self._identity = secrets.token_hex(8)
            self._stop = threading.Event()
            self.connected.clear()
            self._thread = threading.Thread(
                target=self._run, args=(self._stop,), name="portico-bus", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End the thread and its subscription."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join(5)

    def publish(self, tenant_id: UUID, kind: str, body: dict[str, Any]) -> None:
        """Tell all processes, from a thread. Raises :class:`MessageTooLargeError`."""
        channel, sealed = self._sealed(tenant_id, kind, body)
        self._deliver(tenant_id, kind, body)
        with contextlib.suppress(redis.RedisError, OSError):
            sync_client().publish(channel, sealed)

    async def publish_async(self, tenant_id: UUID, kind: str, body: dict[str, Any]) -> None:
        """As :meth:`publish`, from the event loop."""
        channel, sealed = self._sealed(tenant_id, kind, body)
        self._deliver(tenant_id, kind, body)
        with contextlib.suppress(redis.RedisError, OSError):
            await async_client().publish(channel, sealed)

    def _sealed(self, tenant_id: UUID, kind: str, body: dict[str, Any]) -> tuple[str, bytes]:
        self.start()
        channel = tenant_key(tenant_id, ROOM)
        text = orjson.dumps([self._identity, kind, body])
        if len(text) > MAX_BODY:
            raise MessageTooLargeError(f"A message of kind {kind} has {len(text):,} bytes.")
        keys, nonce = ring(), os.urandom(12)
        cipher = AESGCM(keys.derive(keys.current, _PURPOSE)).encrypt(nonce, text, channel.encode())
        return channel, keys.current.encode() + b":" + nonce + cipher

    def _deliver(self, tenant_id: UUID, kind: str, body: dict[str, Any]) -> None:
        for callback in self._callbacks.get(kind, ()):
            try:
                callback(tenant_id, body)
            except Exception:
                logger.exception("A subscriber failed on a message of kind %s", kind)

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                with sync_client().pubsub() as pubsub:
                    pubsub.psubscribe(PATTERN)
                    while not stop.is_set():
                        message = pubsub.get_message(timeout=0.2)
                        if message is None:
                            continue
                        if message["type"] == "psubscribe":
                            self.times += 1
                            self.connected.set()
                        elif message["type"] == "pmessage":
                            self._take(bytes(message["channel"]), bytes(message["data"]))
            except (redis.RedisError, OSError):
                self.connected.clear()
                stop.wait(AGAIN_S)
            except Exception:  # a process whose thread has died would never hear of a revoked key
                logger.exception("The bus stumbled and begins again")
                self.connected.clear()
                stop.wait(AGAIN_S)

    def _take(self, channel: bytes, sealed: bytes) -> None:
        try:
            kid, _, rest = sealed.partition(b":")
            key = ring().derive(kid.decode(), _PURPOSE)
            text = AESGCM(key).decrypt(rest[:12], rest[12:], channel)
            identity, kind, body = orjson.loads(text)
            tenant_id = UUID(channel.split(b":")[1].decode())
        except (InvalidTag, UnknownKeyError, ValueError, IndexError):
            logger.warning("A message on the bus was not understood")
            return
        if identity != self._identity:
            self._deliver(tenant_id, kind, body)


def wait_until_connected(seconds: float) -> bool:
    """Start the bus and wait until its subscription stands; for commands and tests."""
    bus.start()
    return bus.connected.wait(seconds)


bus = Bus()
