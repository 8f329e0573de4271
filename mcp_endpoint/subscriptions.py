"""Subscriptions in both eras: ``subscriptions/listen``, and ``resources/subscribe`` of a session.

What a client hears is decided by its own catalogue: a resource that it may not read, or that
never tells of its changes, is not honoured.
"""

from typing import Any, Final

from redis import RedisError

from common.db import in_db
from connectors import pipeline
from mcp_endpoint import session_uris, streams
from mcp_endpoint.long_tasks import EXTENSION
from mcp_endpoint.long_tasks.tending import task_find
from mcp_endpoint.open_stream import LISTS, SUBSCRIPTION_KEY
from mcp_endpoint.session_uris import MAX_URI, MAX_URIS
from mcp_endpoint.sessions import Session
from mcp_endpoint.targets import readable, target_of
from mcp_endpoint.turn import Turn
from mcp_endpoint.wire import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    LEGACY_RESOURCE_NOT_FOUND,
    ProtocolError,
    dumps,
    notification_frame,
    unavailable,
)

Json = dict[str, Any]
LISTEN: Final = "subscriptions/listen"
ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
MAX_TASKS: Final = 100  # one looks each of them up
GOODBYE_S: Final = 1.5  # what a client gets to take what was queued, before it is cut off


async def listen(turn: Turn) -> Json:
    """Serve one ``subscriptions/listen``: acknowledged first, then what it asked for, until it ends.

    The result is the graceful end (specification of 2026-07-28, "Subscriptions"); its params are
    checked before. Raises ProtocolError before anything was sent, and CancelledError once the
    client cancels or has gone.
    """
    outlet = turn.outlet
    if outlet is None:
        raise ProtocolError(INTERNAL_ERROR, "This transport cannot hold a stream open.", status=501)
    asked: Json = turn.params["notifications"]
    honoured: Json = {f"{name}ListChanged": True for name in LISTS if asked.get(f"{name}ListChanged") is True}
    catalogue = await pipeline.catalogue(turn.caller)
    wanted = dict.fromkeys(uri for uri in asked.get("resourceSubscriptions") or () if len(uri) <= MAX_URI)
    uris = [uri for uri in wanted if target_of(catalogue, uri) is not None][:MAX_URIS]
    if uris:
        honoured["resourceSubscriptions"] = uris
    tasks = await _tasks(turn, asked.get("taskIds"))
    if tasks:
        honoured["taskIds"] = tasks
    meta = {SUBSCRIPTION_KEY: turn.id}
    stream = await streams.open(
        turn.caller,
        None,
        outlet.send,
        ping=outlet.ping,
        abort=outlet.abort,
        wants=frozenset(name for name in LISTS if f"{name}ListChanged" in honoured),
        uris=tuple(uris),
        tasks=frozenset(tasks),
        head=b'"_meta":' + dumps(meta),
        first=notification_frame(ACKNOWLEDGED, {"notifications": honoured, "_meta": meta}),
    )
    try:
        ended = await stream.wait(outlet.gone)
        if not ended or not await stream.drained(GOODBYE_S):
            stream.fail()  # nobody is there to hear a goodbye
    finally:
        stream.leave()
    return {"resultType": "complete", "_meta": meta}


async def _tasks(turn: Turn, asked: Any) -> list[str]:
    """Those of the asked tasks that are the caller's own (SEP-2663: a client must declare the extension)."""
    if not isinstance(asked, list) or EXTENSION not in turn.extensions:
        return []
    caller = turn.caller
    named = list(dict.fromkeys(task for task in asked if isinstance(task, str)))[:MAX_TASKS]
    return await in_db(
        lambda: [task for task in named if task_find(caller.tenant.id, caller.principal_id, task)]
    )


async def subscribe(turn: Turn) -> Json:
    """``resources/subscribe`` of the handshake era: the session's stream hears of the resource."""
    session, uri = _session(turn), turn.params["uri"]
    catalogue = await pipeline.catalogue(turn.caller)
    if len(uri) > MAX_URI or not readable(catalogue, uri):
        raise ProtocolError(
            LEGACY_RESOURCE_NOT_FOUND,
            "Resource not found. resources/list shows what this key may read.",
            {"uri": uri[:MAX_URI]},
        )
    if target_of(catalogue, uri) is None:
        raise ProtocolError(
            INVALID_PARAMS, "This resource does not tell of its changes; read it again instead."
        )
    try:
        await session_uris.add(turn.caller.tenant.id, session, uri)
    except session_uris.TooManyError:
        raise ProtocolError(
            INVALID_PARAMS, f"A session has at most {MAX_URIS} subscriptions; unsubscribe from some."
        ) from None
    except RedisError:
        raise _away() from None
    return {}


async def unsubscribe(turn: Turn) -> Json:
    """``resources/unsubscribe``: harmless where there is no subscription."""
    session = _session(turn)
    try:
        await session_uris.remove(turn.caller.tenant.id, session, turn.params["uri"][:MAX_URI])
    except RedisError:
        raise _away() from None
    return {}


def _session(turn: Turn) -> Session:
    if turn.session is None:
        raise ProtocolError(
            INVALID_REQUEST,
            "Subscriptions belong to a session: initialize, then send the Mcp-Session-Id that it answered.",
        )
    return turn.session


def _away() -> ProtocolError:
    return unavailable("Subscriptions cannot be kept right now; try again in a moment.")
