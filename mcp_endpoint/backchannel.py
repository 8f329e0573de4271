"""Asking in the handshake era: a request to the client on the call's stream, answered by a POST.

The answer may enter another worker than the one that waits: it goes over the bus, under the
digest of the session and the question's unguessable id, so an answer reaches only a question
that was put to the same session. Answers are news: one that is lost ends with the deadline
of its call.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from common.bus import MessageTooLargeError, bus
from common.text import clean_text
from connectors.asking import Ask, Elicit, ElicitURL, Roots, Sample
from connectors.channel import nobody_to_ask
from connectors.errors import InvalidInput, NotPermitted
from mcp_endpoint.asking import Results, fits, wire_request
from mcp_endpoint.sessions import Session
from mcp_endpoint.turn import Turn
from mcp_endpoint.wire import INVALID_REQUEST, ProtocolError, dumps, notification_frame

KIND = "answer"
PREFIX = "ptcq-"
# URL elicitation came with this revision; clients of older ones do not know the word.
URL_VERSION: Final = "2025-11-25"
FORM_VERSIONS: Final = frozenset({"2025-06-18", URL_VERSION})

Send = Callable[[bytes], Awaitable[None]]
_Waiting = tuple[UUID, asyncio.AbstractEventLoop, "asyncio.Future[dict[str, Any]]"]
_waiting: dict[tuple[str, str], _Waiting] = {}


def can_ask(session: Session | None, ask: Ask) -> bool:
    """Whether a session's client declared, in a revision that has it, that it can be asked this."""
    if session is None:
        return False
    if isinstance(ask, ElicitURL):
        return session.version == URL_VERSION and "elicitation.url" in session.flags
    if isinstance(ask, Elicit):
        return session.version in FORM_VERSIONS and "elicitation" in session.flags
    return ("sampling" if isinstance(ask, Sample) else "roots") in session.flags


async def ask(turn: Turn, send: Send, requests: Mapping[str, Ask]) -> Results:
    """Put the questions one after the other and wait for each answer, until the call's deadline.

    Raises NotPermitted where the client can be asked none of them or refuses one, and
    InvalidInput for an answer that does not fit.
    """
    session = turn.session
    possible = {key: one for key, one in requests.items() if can_ask(session, one)}
    if session is None or (requests and not possible):
        raise nobody_to_ask()
    return {key: await _ask(turn, session, send, one) for key, one in possible.items()}


async def _ask(turn: Turn, session: Session, send: Send, one: Ask) -> dict[str, Any]:
    bus.start()  # an answer from another worker comes by it
    loop = asyncio.get_running_loop()
    future: asyncio.Future[dict[str, Any]] = loop.create_future()
    question = f"{PREFIX}{secrets.token_urlsafe(18)}"
    place = (_digest(session.token), question)
    _waiting[place] = (turn.caller.tenant.id, loop, future)
    try:
        await send(dumps({"jsonrpc": "2.0", "id": question, **wire_request(one, legacy=True)}))
        message = await future
    except asyncio.CancelledError:
        with suppress(Exception):  # a kindness to the client, whose form is open
            await send(
                notification_frame(
                    "notifications/cancelled", {"requestId": question, "reason": "The call has ended."}
                )
            )
        raise
    finally:
        _waiting.pop(place, None)
    return _result(one, message)


def _result(one: Ask, message: dict[str, Any]) -> dict[str, Any]:
    error = message.get("error")
    if error is not None:
        said = error.get("message") if isinstance(error, dict) else ""
        said = clean_text(said, 200) if isinstance(said, str) else ""
        raise NotPermitted(
            f"The client refused to ask: {said or 'no reason given'}",
            code="elicitation_failed" if one.method == Elicit.method else "asking_failed",
        )
    result = message.get("result")
    if not isinstance(result, dict) or not fits(one, result):
        what = "roots" if isinstance(one, Roots) else "answer"
        raise InvalidInput(f"The client's {what} does not fit the question.", code="bad_answer")
    return result


async def answer(session: Session, tenant_id: UUID, message: dict[str, Any]) -> None:
    """Take a session's answer to whichever worker waits for it; others are dropped.

    Raises ProtocolError for one that is too large to travel.
    """
    question = message.get("id")
    if not isinstance(question, str) or not question.startswith(PREFIX) or len(question) > 64:
        return
    said = {name: message[name] for name in ("result", "error") if name in message}
    body = {"s": _digest(session.token), "i": question, "m": said}
    if (body["s"], question) in _waiting:
        _deliver(tenant_id, body)
        return
    try:
        await bus.publish_async(tenant_id, KIND, body)
    except MessageTooLargeError:
        raise ProtocolError(INVALID_REQUEST, "This answer is too large.", status=413) from None


def _deliver(tenant_id: UUID, body: dict[str, Any]) -> None:
    """Wake whoever waits for this answer in this process; called in any thread."""
    found = _waiting.get((body["s"], body["i"]))
    if found is None or found[0] != tenant_id:
        return
    _, loop, future = found
    with suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(_wake, future, body["m"])


def _wake(future: "asyncio.Future[dict[str, Any]]", message: dict[str, Any]) -> None:
    if not future.done():
        future.set_result(message)


@lru_cache(maxsize=4096)
def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


bus.subscribe(KIND, _deliver)
