"""Tokens that are got with a credential and last for a while: kept, shared and renewed for all calls.

A token belongs to a tenant, a connection and a credential. It is looked for in this process,
then in the database (encrypted like a credential), and only then got from the system: by one
process at a time, under a lock in Redis and a lease in the token's row, which alone decides
while Redis is away. What was got is committed before it is used, so that a refresh token
which the system has exchanged is lost to nobody. No transaction is open meanwhile.
"""

import asyncio
import contextlib
import logging
import time
import traceback
import weakref
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

import redis
from django.db import InterfaceError, OperationalError

from common.db import in_db
from common.redis import async_client, tenant_key
from connectors.asking import CapabilityMissing, InputRequired
from connectors.calling import Context
from connectors.errors import AuthenticationFailed, Conflict, ConnectorError, InternalError, TimedOut
from connectors.services import tokens as rows
from connectors.services.tokens import Lease, StoredToken
from connectors.upstream import effects
from connectors.upstream.answers import masked
from connectors.upstream.token_memory import Memory
from connectors.upstream.token_values import Token, TokenPlace, TokenSource

if TYPE_CHECKING:
    from connectors.context import CallContext

logger = logging.getLogger(__name__)

FETCH_S: Final = 20.0  # for the system to give a token
STORE_S: Final = 30.0  # for a database that went away meanwhile
LEASE_S: Final = 60.0  # longer than both together: nobody else may try before we have given up
END_S: Final = 10.0  # for renewals of a process that ends
ROOM: Final = "token"
RECONNECT: Final = (
    "The stored credential does not work any more: whoever owns it stores it again on the connection's page."
)

memory = Memory()
_locks: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.WeakValueDictionary[Any, asyncio.Lock]]"
_locks = weakref.WeakKeyDictionary()
_working: set["asyncio.Task[Token]"] = set()


async def token_of(ctx: Context, source: TokenSource, *, refused: Token | None = None) -> Token:
    """A token for this call's credential; ``refused`` is one that the system did not accept.

    Raises ConnectorError: AuthenticationFailed where the system does not accept the
    credential, Conflict where the connection was changed while the call ran.
    """
    place = cast("CallContext", ctx).token_place()
    kept = memory.get(place)
    if kept is not None and kept.token is not None and _is_good(kept.token, refused):
        return kept.token
    work = asyncio.create_task(_renewed(place, ctx, source, refused, time.monotonic()))
    # It goes on when this caller gives up: others wait for it, and the system may have answered.
    _working.add(work)
    work.add_done_callback(_ended)
    try:
        async with asyncio.timeout(max(0.0, ctx.deadline - time.monotonic())):
            return await asyncio.shield(work)
    except TimeoutError as error:
        raise TimedOut(
            "The system did not give a token in time; the request was not sent.", retryable=True
        ) from error


async def end_renewals() -> None:
    """Wait a while for this loop's renewals, at the end of the process: what is exchanged must be stored."""
    loop = asyncio.get_running_loop()
    if own := [work for work in _working if work.get_loop() is loop]:
        await asyncio.wait(own, timeout=END_S)


class TokenAuth:
    """A token as the header of each request: a :class:`connectors.upstream.client.Auth`."""

    def __init__(
        self, ctx: Context, source: TokenSource, *, scheme: str = "Bearer", header: str = "authorization"
    ) -> None:
        self._ctx = ctx
        self._source = source
        self._scheme = scheme
        self._header = header
        self._token: Token | None = None

    async def headers(self, *, renewed: bool) -> Mapping[str, str]:
        """The header; where the former token was refused, with another one."""
        token = await self.token(renewed=renewed)
        return {self._header: f"{self._scheme} {token.value.get_secret_value()}".strip()}

    async def token(self, *, renewed: bool = False) -> Token:
        """The token itself, for what came with it (``extra``)."""
        if renewed or self._token is None or self._token.is_due(datetime.now(UTC)):
            self._token = await token_of(self._ctx, self._source, refused=self._token if renewed else None)
        return self._token


def _is_good(token: Token, refused: Token | None) -> bool:
    return not token.same(refused) and not token.is_due(datetime.now(UTC))


def _ended(work: "asyncio.Task[Token]") -> None:
    _working.discard(work)
    if not work.cancelled():
        work.exception()  # it is known, also where every caller has given up


async def _renewed(
    place: TokenPlace, ctx: Context, source: TokenSource, refused: Token | None, asked: float
) -> Token:
    """The token that is good now, got by one call of this process for all that wait."""
    effects.apart()
    loop_locks = _locks.setdefault(asyncio.get_running_loop(), weakref.WeakValueDictionary())
    lock = loop_locks.setdefault((place.connection_id, place.identity), asyncio.Lock())
    async with lock:
        kept = memory.get(place)
        if kept is not None and kept.token is not None and _is_good(kept.token, refused):
            return kept.token
        if kept is not None and (failure := kept.failure_for(asked, refused)) is not None:
            return _second_best(kept.token, refused, failure)
        try:
            token = await _from_elsewhere(place, ctx, source, refused)
        except ConnectorError as failure:
            kept = memory.failed(place, failure)
            return _second_best(kept.token, refused, failure)
        memory.put(place, token)
        return token


def _second_best(token: Token | None, refused: Token | None, failure: ConnectorError) -> Token:
    """A token that should be renewed but is still valid. Raises the failure where there is none."""
    if token is not None and not token.same(refused) and token.is_valid(datetime.now(UTC)):
        logger.warning("A token could not be renewed yet (%s); the former one is used on", failure.type)
        return token
    raise failure.with_traceback(None)


async def _from_elsewhere(
    place: TokenPlace, ctx: Context, source: TokenSource, refused: Token | None
) -> Token:
    """The token from the database, else from the system."""
    if not place.stored:
        kept = memory.get(place)
        return await _fetched(ctx, source, await ctx.credential(), kept.token if kept else None)

    def good(found: StoredToken) -> bool:
        return found.current and _is_good(found.token, refused)

    try:
        found = await in_db(rows.token_read, place)
        if found is not None and found.current:
            if good(found):
                return found.token
            memory.put(place, found.token)  # the second best, should the renewal fail
        credential = await ctx.credential()
        async with _locked(place):
            got = await _leased(place, good)
            if isinstance(got, StoredToken):
                return got.token
            try:
                token = await _fetched(ctx, source, credential, got.former)
            except BaseException:
                await _given_back(place, got)
                raise
            if not await _stored(place, got, token):
                raise rows.ConnectionChanged
            return token
    except rows.ConnectionChanged:
        raise Conflict(
            "The connection was changed while this call ran.",
            code="connection_changed",
            retryable=True,
            retry_after=1,
            hint="Call again.",
        ) from None
    except (OperationalError, InterfaceError) as error:
        raise InternalError("Portico's database is not available.", retryable=True) from error


async def _leased(place: TokenPlace, good: Callable[[StoredToken], bool]) -> StoredToken | Lease:
    """A good token that another process has stored meanwhile, or the lease to renew it."""
    rest, end = 0.02, time.monotonic() + LEASE_S + 5
    while time.monotonic() < end:
        got = await in_db(rows.token_lease, place, good, LEASE_S)
        if got is not None:
            return got
        await asyncio.sleep(rest)
        rest = min(rest * 1.5, 0.5)
    raise TimedOut("Another process did not end its renewal of the token.", retryable=True)


async def _fetched(
    ctx: Context, source: TokenSource, credential: Mapping[str, Any], former: Token | None
) -> Token:
    """What the system gives; nothing that goes wrong tells a secret."""
    own = cast("CallContext", ctx).for_tokens(time.monotonic() + FETCH_S)
    try:
        async with asyncio.timeout(FETCH_S):
            return await source.fetch(own, credential, former)
    except ConnectorError as error:
        raise _discreet(error, _secrets(credential, former)) from None
    except TimeoutError:
        raise TimedOut("The system did not give a token in time.", retryable=True) from None
    except (InputRequired, CapabilityMissing):
        raise
    except Exception as error:
        said = "".join(traceback.format_exception(error))
        logger.error("Getting a token failed\n%s", masked(said, _secrets(credential, former)))
        raise InternalError("Getting a token from the system failed inside Portico.") from None


def _secrets(credential: Mapping[str, Any], former: Token | None) -> tuple[str, ...]:
    # The method is a word such as "password", which the sentences about it must keep.
    own = [value for name, value in credential.items() if isinstance(value, str) and name != "method"]
    return (*own, *(former.secrets() if former else ()))


def _discreet(error: ConnectorError, secrets: tuple[str, ...]) -> ConnectorError:
    error.message, error.hint = masked(error.message, secrets), masked(error.hint, secrets)
    error.details = {
        name: masked(value, secrets) if isinstance(value, str) else value
        for name, value in error.details.items()
        if isinstance(value, str) or masked(repr(value), secrets) == repr(value)
    }
    error.args = (error.message,)
    if isinstance(error, AuthenticationFailed):
        error.hint = error.hint or RECONNECT
    return error.with_traceback(None)


async def _stored(place: TokenPlace, lease: Lease, token: Token) -> bool:
    """Store a new token, with patience: what the system has exchanged cannot be had again."""
    end = time.monotonic() + STORE_S
    while True:
        try:
            return await in_db(rows.token_store, place, lease, token)
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() > end:
                logger.error("A new token of connection %s could not be stored", place.connection_id)
                raise InternalError(
                    "Portico's database did not take the new token.", retryable=True
                ) from error
            await asyncio.sleep(0.2)


async def _given_back(place: TokenPlace, lease: Lease) -> None:
    with contextlib.suppress(OperationalError, InterfaceError):  # then it ends by itself
        await in_db(rows.token_release, place, lease)


@contextlib.asynccontextmanager
async def _locked(place: TokenPlace) -> AsyncIterator[None]:
    """Hold the lock in Redis while renewing; where Redis is away the row's lease is enough."""
    name = tenant_key(place.tenant_id, ROOM, place.connection_id.hex, place.identity)
    lock = async_client().lock(name, timeout=LEASE_S, sleep=0.05, blocking_timeout=LEASE_S)
    try:
        held = await lock.acquire()
    except (redis.RedisError, OSError):
        held = False
    try:
        yield
    finally:
        if held:
            with contextlib.suppress(redis.RedisError, OSError):
                await lock.release()
