"""The session of the handshake era: a signed text that the client carries, stored nowhere.

``initialize`` hands it out as ``Mcp-Session-Id``; every worker reads the negotiated version,
the client's name and what it can do from it. It is bound to tenant and principal, holds no
secret, stays under 1 KB and lasts 24 hours. A text that is foreign, altered or too old is an
unknown session: the client gets 404 and initializes again.
"""

import hashlib
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from common.signing import BadToken, seal, unseal
from common.text import clean_text
from tenants.principals import Caller, ClientInfo

MAX_AGE_S = 24 * 3600
MAX_CLIENT_TEXT = 64
_MAX_CLIENT_JSON = 160  # bytes of one escaped text: keeps the whole token below 1 KB
_FLAGS = ("elicitation", "elicitation.url", "sampling", "roots")
_KEPT = 4096

_named: dict[tuple[int, ClientInfo], tuple[Caller, Caller]] = {}
_known: "OrderedDict[tuple[str, str], Session]" = OrderedDict()


@dataclass(frozen=True, slots=True)
class Session:
    """What a client of the handshake era told at ``initialize``."""

    token: str
    version: str
    client: ClientInfo
    flags: frozenset[str]
    expires_at: float  # seconds since 1970


def client_info(raw: Any) -> ClientInfo:
    """A client's own words about itself, cleaned and cut to 64 characters each."""
    if not isinstance(raw, Mapping):
        return ClientInfo()
    return _client_info(_start(raw.get("name")), _start(raw.get("version")))


def _start(raw: Any) -> str:
    return raw[: MAX_CLIENT_TEXT + 1] if isinstance(raw, str) else ""


@lru_cache(maxsize=1024)
def _client_info(name: str, version: str) -> ClientInfo:
    return ClientInfo(clean_text(name, MAX_CLIENT_TEXT), clean_text(version, MAX_CLIENT_TEXT))


def named(caller: Caller, client: ClientInfo) -> Caller:
    """The caller with its client's name; remembered, since both come again with every call."""
    key = (id(caller), client)
    known = _named.get(key)
    if known is not None and known[0] is caller:
        return known[1]
    if len(_named) >= _KEPT:
        _named.clear()
    made = caller.using(client)
    _named[key] = (caller, made)
    return made


def capability_flags(capabilities: Any) -> frozenset[str]:
    """Which of the capabilities that we may use a client declared."""
    if not isinstance(capabilities, Mapping):
        return frozenset()
    flags = {
        name for name in ("elicitation", "sampling", "roots") if isinstance(capabilities.get(name), Mapping)
    }
    modes = capabilities["elicitation"] if "elicitation" in flags else ()
    if "url" in modes:
        flags.add("elicitation.url")
        if "form" not in modes:  # alone, ``{}`` means forms
            flags.discard("elicitation")
    return frozenset(flags)


def issue(caller: Caller, version: str, client: ClientInfo, flags: frozenset[str]) -> str:
    """A new session's id for this caller."""
    value = {
        "v": version,
        "n": _small(client.name),
        "w": _small(client.version),
        "f": sum(1 << bit for bit, flag in enumerate(_FLAGS) if flag in flags),
        "e": int(time.time()) + MAX_AGE_S,
        "i": secrets.token_hex(6),  # two sessions of one client are two
    }
    return seal("mcp-session", value, bind=bound_to(caller), max_age=MAX_AGE_S)


def open_session(token: str, caller: Caller) -> Session | None:
    """The session of an id, or None where it is unknown to this caller or over."""
    bind = bound_to(caller)
    session = _known.get((bind, token))
    if session is None:
        try:
            value = unseal("mcp-session", token, bind=bind)
            session = Session(
                token=token,
                version=value["v"],
                client=ClientInfo(value["n"], value["w"]),
                flags=frozenset(flag for bit, flag in enumerate(_FLAGS) if value["f"] >> bit & 1),
                expires_at=value["e"],
            )
        except (BadToken, KeyError, TypeError):
            return None
        _known[(bind, token)] = session
        while len(_known) > _KEPT:
            _known.popitem(last=False)
    return session if session.expires_at > time.time() else None


@lru_cache(maxsize=_KEPT)
def digest(token: str) -> str:
    """What stands for a session outside its worker: on the bus, never the id itself."""
    return hashlib.sha256(token.encode()).hexdigest()


def bound_to(caller: Caller) -> str:
    """What sessions and cursors are bound to: the tenant and the principal."""
    return f"{caller.tenant.id}:{caller.principal_id}"


def _small(text: str) -> str:
    while len(json.dumps(text)) > _MAX_CLIENT_JSON:
        text = text[: len(text) * 3 // 4]
    return text
