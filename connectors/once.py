"""A call with a key of its client's own is run once: sent again, it gets the first one's answer.

The key is claimed in the database before the system is touched, so of two workers one runs
the call. What becomes of the claim follows from how the call ended: an answer is kept for ten
minutes; a failure that says that nothing was done gives the key back; any other one is kept
as well, since nobody knows what it did.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import orjson
from django.conf import settings
from django.db import DatabaseError

from common.db import in_db
from common.keyring import UnknownKeyError
from common.vault import VaultError, decrypt, encrypt
from connectors import errors
from connectors.asking import CapabilityMissing, InputRequired
from connectors.context import fingerprint
from connectors.errors import Conflict, ConnectorError, InvalidInput, TimedOut
from connectors.recording import ServiceUnavailable
from connectors.results import ToolResult
from connectors.services.idempotent_calls import Claim, Claimed, call_claim, call_fill, call_release
from connectors.snapshot import ToolEntry
from connectors.upstream.cache.sealing import packed, unpacked
from connectors.upstream.effects import Effects, watched
from tenants.principals import Caller

logger = logging.getLogger(__name__)

PURPOSE: Final = "idempotent-call"
MAX_KEY: Final = 200
MAX_ANSWER: Final = 256 * 1024  # bytes of an answer that is kept
GRACE_S: Final = 30.0  # beyond a tool's time limit, before a call counts as lost
REPLAYED: Final = {"idempotent": "replayed"}
LOOK_FIRST: Final = (
    "Nobody knows what it did. Look at the system; if nothing was done, call again with a new key."
)
# What says by itself that the system did nothing. Others say so by being retryable.
NOTHING_DONE: Final = frozenset(
    {"validation", "authentication", "permission", "not_found", "conflict", "rate_limit", "circuit_open", "read_only"}
)  # fmt: skip
# After these a retryable error does not say that nothing was done, only that asking again may help.
_VAGUE: Final = frozenset({"http_error"})
_KINDS: Final[dict[str, type[ConnectorError]]] = {
    kind.type: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ConnectorError) and kind is not errors.ServerStopping
}


def is_key(value: object) -> bool:
    """Whether this can be a client's key: 1 to 200 printable characters."""
    return isinstance(value, str) and 0 < len(value) <= MAX_KEY and value.isprintable()


BAD_KEY: Final = f"An idempotency key is a text of 1 to {MAX_KEY} printable characters."


async def once(
    caller: Caller,
    entry: ToolEntry,
    arguments: Mapping[str, Any],
    key: str,
    run: Callable[[], Awaitable[ToolResult]],
    *,
    brought: str = "",
) -> ToolResult:
    """The stored answer of the call that had this key, or what ``run`` gives, which is stored.

    ``brought`` tells the tokens apart that callers bring for one call, and holds none of them:
    several people may stand behind one principal then, and a key is of one of them.

    A stored answer's ``meta`` says ``{"idempotent": "replayed"}``. Raises what ``run`` raises,
    the stored error of a call whose outcome nobody knows, Conflict while the first call runs
    and InvalidInput where the key was used for another call.
    """
    if not is_key(key):
        raise InvalidInput(BAD_KEY, code="invalid_idempotency_key", hint="Use a UUID, for example.")
    digest = _digest(entry, arguments, brought)
    longest = timedelta(seconds=(entry.spec.timeout or settings.PORTICO_CALL_TIMEOUT_S) + GRACE_S)
    tenant_id = caller.tenant.id
    try:
        claim = await in_db(call_claim, tenant_id, caller.principal_id, key, digest, longest)
    except DatabaseError as error:
        raise ServiceUnavailable(executed=False) from error
    if isinstance(claim, Claimed):
        return _answer_of(claim, entry, digest)
    with watched() as effects:
        return await _Run(caller, entry, claim, effects).go(run)


@dataclass(frozen=True, slots=True)
class _Run:
    """The one run of a call, and what becomes of its claim."""

    caller: Caller
    entry: ToolEntry
    claim: Claim
    effects: Effects

    async def go(self, run: Callable[[], Awaitable[ToolResult]]) -> ToolResult:
        try:
            result = await run()
        except (InputRequired, CapabilityMissing):
            await self._release()
            raise
        except ServiceUnavailable as error:
            await (self._fill(_lost("could not be recorded")) if error.executed else self._release())
            raise
        except ConnectorError as error:
            without_effect = is_without_effect(error) and not self.effects.happened
            await (self._release() if without_effect else self._fill(error))
            raise
        except asyncio.CancelledError:
            await asyncio.shield(self._fill(_lost("was given up before it ended")))
            raise
        except BaseException:
            await self._fill(_lost("failed inside Portico"))
            raise
        if result.is_error and result.error_type in NOTHING_DONE and not self.effects.happened:
            await self._release()
        else:
            await self._fill(result)
        return result

    async def _release(self) -> None:
        await self._settle(call_release, self.caller.tenant.id, self.claim)

    async def _fill(self, ending: ToolResult | ConnectorError) -> None:
        try:
            kept = encrypt(self.entry.connection.key, self.claim.row_id, PURPOSE, _stored(ending))
        except (VaultError, UnknownKeyError):
            logger.error("The answer of a call with a key cannot be stored: the tenant's data key is gone")
            return
        await self._settle(call_fill, self.caller.tenant.id, self.claim, kept)

    async def _settle(self, function: Callable[..., None], *arguments: Any) -> None:
        """Write what becomes of the claim; where that fails it is overdue in a while, which says the truth."""
        try:
            await in_db(function, *arguments)
        except DatabaseError as error:
            logger.error("What became of a call with a key is not stored: %s", type(error).__name__)


def is_without_effect(error: ConnectorError) -> bool:
    """Whether an error says that nothing was done, or that repeating does no harm."""
    return error.type in NOTHING_DONE or (error.retryable and error.type not in _VAGUE)


def _lost(how: str) -> TimedOut:
    return TimedOut(
        f"The first call with this idempotency key {how}.", code="outcome_unknown", hint=LOOK_FIRST
    )


def _digest(entry: ToolEntry, arguments: Mapping[str, Any], brought: str) -> str:
    """Which call this is. Keyed: arguments may be secrets that a plain digest would let one guess."""
    call = [entry.connection.ref.id.hex, entry.spec.name, arguments, *filter(None, (brought,))]
    return fingerprint(json.dumps(call, sort_keys=True, separators=(",", ":")))


def _answer_of(claimed: Claimed, entry: ToolEntry, digest: str) -> ToolResult:
    """What a call gets whose key was used before."""
    if claimed.digest != digest:
        raise InvalidInput(
            "This idempotency key was used for another call: another tool, other arguments or another token.",
            code="idempotency_key_reused",
            hint="Use a new key for a new call.",
        )
    if not claimed.ciphertext:
        if claimed.overdue:
            raise _lost("did not end, and its process did not say how")
        raise Conflict(
            "The first call with this idempotency key is still running.",
            code="idempotency_running",
            retryable=True,
            retry_after=2,
            hint="Send it again with the same key to get its answer.",
        )
    try:
        plain = decrypt(entry.connection.key, claimed.row_id, PURPOSE, claimed.ciphertext)
        return _opened(orjson.loads(plain))
    except (VaultError, UnknownKeyError, ValueError):
        raise _unkept("cannot be read any more") from None


def _stored(ending: ToolResult | ConnectorError) -> bytes:
    """How a call ended, as JSON; no more than that it did where its answer is too large."""
    if isinstance(ending, ConnectorError):
        said = ending.as_dict()
        fixed = ("error", "status_code", "request_id", *_FIELDS)
        return orjson.dumps(
            {
                "error": said["error"],
                "details": {name: value for name, value in said.items() if name not in fixed},
                "upstream_status": ending.upstream_status,
                **{name: said[name] for name in _FIELDS},
            },
            default=str,
        )
    answer = packed(ending)
    if answer is None or len(answer) > MAX_ANSWER:
        return b"{}"
    return orjson.dumps(
        {"answer": orjson.Fragment(answer), "is_error": ending.is_error, "error_type": ending.error_type}
    )


_FIELDS: Final = ("type", "code", "retryable", "retry_after", "hint")


def _opened(said: dict[str, Any]) -> ToolResult:
    """The answer again. Raises the error where the call ended with one."""
    if "error" in said:
        kind = _KINDS.get(said.pop("type"), errors.InternalError)
        # The same key gives the same error again, whatever the first one said of trying again.
        again = {**said, "retryable": False, "retry_after": None, "hint": said["hint"] or LOOK_FIRST}
        raise kind(again.pop("error"), **again)
    if "answer" not in said:
        raise _unkept("was too large to be kept")
    result = unpacked(orjson.dumps(said["answer"]))
    return replace(
        result, meta={**result.meta, **REPLAYED}, is_error=said["is_error"], error_type=said["error_type"]
    )


def _unkept(why: str) -> Conflict:
    return Conflict(
        f"The call with this idempotency key was done; its answer {why}.",
        code="idempotency_done",
        hint="Do not send it again: read what it did from the system.",
    )
