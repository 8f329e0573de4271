"""Asking in revision 2026-07-28: the call ends with questions and comes again with the answers.

Nothing is kept here between the rounds (SEP-2322): what the call must know again travels with
the client as ``requestState``. It is encrypted and bound to the tenant, the principal, the
method, the tool (prompt, resource) and its arguments, and good for ten minutes. An answer
counts only for the very question that was put under its key.

Whoever holds a state may use it again within its time: a client that wanted to could as well
say yes without asking anybody. What protects a system from a client is permissions, not this.
"""

import hashlib
import json
import os
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import jsonschema_rs
import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.keyring import UnknownKeyError, ring
from connectors.asking import (
    ACTIONS,
    Ask,
    CapabilityMissing,
    Elicit,
    ElicitURL,
    InputRequired,
    Roots,
    Sample,
    capability_of,
)
from connectors.errors import InvalidInput
from mcp_endpoint.turn import Turn
from mcp_endpoint.wire import INVALID_PARAMS, ProtocolError, dumps

METHODS: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
MAX_AGE_S = 600
MAX_ROUNDS = 16
MAX_STATE = 8_192  # bytes of JSON that a method may keep
MAX_SEALED = 262_144  # bytes of all answers together
_PURPOSE = "request-state"

Results = dict[str, dict[str, Any]]


@dataclass(slots=True)
class Rounds:
    """What is known of the rounds before: ``asked`` has the digest of each open question."""

    number: int = 0
    asked: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Results] = field(default_factory=dict)  # by key and by the question's digest
    state: Any = None
    given: dict[str, Any] = field(default_factory=dict)  # this request's answers, not yet taken

    def take(self, key: str, ask: Ask) -> dict[str, Any] | None:
        """The answer to this very question, if there is one."""
        about = digest_of(ask)
        known = self.answers.setdefault(key, {})
        if about in known:
            return known[about]
        if self.number and self.asked.get(key) != about:
            return None
        # Without a state nothing was put before: plain questions take such an answer all the same.
        if not self.number and isinstance(ask, Elicit) and ask.strict:
            return None
        answer = self.given.pop(key, None)
        if not fits(ask, answer):
            return None
        known[about] = answer
        return answer


def restore(turn: Turn) -> Rounds:
    """The rounds before this request. Raises ProtocolError for a state that is not this request's."""
    given = turn.params.get("inputResponses")
    rounds = Rounds()
    token = turn.params.get("requestState")
    if token is not None:
        rounds.number, rounds.asked, rounds.answers, rounds.state = _unseal(turn, token)
    if isinstance(given, dict):
        rounds.given = dict(given)
    return rounds


def ask(turn: Turn, rounds: Rounds, requests: Mapping[str, Ask], state: Any) -> Results:
    """The answers by key. Raises InputRequired for what is still open, and CapabilityMissing."""
    possible = {key: one for key, one in requests.items() if declared(turn.capabilities, one)}
    if requests and not possible:
        raise CapabilityMissing(_all_of(requests))
    found: Results = {}
    missing: dict[str, Ask] = {}
    for key, one in possible.items():
        answer = rounds.take(key, one)
        if answer is None:
            missing[key] = one
        else:
            found[key] = answer
    if missing:
        if rounds.number >= MAX_ROUNDS:
            raise InvalidInput("This call asked too often without an end.", code="too_many_questions")
        if state is not None and len(dumps(state)) > MAX_STATE:
            raise InvalidInput("This call wants to remember too much.", code="state_too_large")
        raise InputRequired(missing, state)
    if state is not None:
        rounds.state = state
    return found


def result_of(turn: Turn, rounds: Rounds, asked: InputRequired) -> dict[str, Any]:
    """The ``input_required`` result."""
    state = asked.state if asked.state is not None else rounds.state
    open_ones = {key: digest_of(one) for key, one in asked.requests.items()}
    return {
        "resultType": "input_required",
        "inputRequests": {key: wire_request(one) for key, one in asked.requests.items()},
        "requestState": _seal(turn, [rounds.number + 1, open_ones, rounds.answers, state]),
    }


def wire_request(ask: Ask, *, legacy: bool = False) -> dict[str, Any]:
    """A question as the protocol writes it: ``method`` and ``params``."""
    params: dict[str, Any]
    if isinstance(ask, Elicit):
        params = {"message": ask.message, "requestedSchema": ask.schema}
    elif isinstance(ask, ElicitURL):
        params = {"mode": "url", "message": ask.message, "url": ask.url}
        if legacy:  # the member was removed in 2026-07-28
            params["elicitationId"] = ask.id
    else:
        params = dict(ask.params) if isinstance(ask, Sample) else {}
    return {"method": ask.method, "params": params}


def declared(capabilities: Mapping[str, Any], ask: Ask) -> bool:
    """Whether a client with these ClientCapabilities can be asked this; ``{}`` there means forms."""
    if isinstance(ask, Elicit | ElicitURL):
        modes = capabilities.get("elicitation")
        if not isinstance(modes, Mapping):
            return False
        return "url" in modes if isinstance(ask, ElicitURL) else not modes or "form" in modes
    return isinstance(capabilities.get("sampling" if isinstance(ask, Sample) else "roots"), Mapping)


def fits(ask: Ask, answer: Any) -> bool:
    """Whether a client's result can be an answer to this question."""
    if not isinstance(answer, dict):
        return False
    if isinstance(ask, Roots):
        return isinstance(answer.get("roots"), list)
    if isinstance(ask, Sample):
        return "content" in answer
    if answer.get("action") not in ACTIONS:
        return False
    if isinstance(ask, ElicitURL) or answer["action"] != "accept":
        return True
    content = answer.get("content")
    return isinstance(content, dict | None) and bool(_validator(dumps(ask.schema)).is_valid(content or {}))


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Any:
    return jsonschema_rs.Draft202012Validator(orjson.loads(schema), retriever=_refuse_remote)


def _refuse_remote(uri: str) -> Any:
    raise ValueError(f"Schemas must not refer to {uri}.")


def digest_of(ask: Ask) -> str:
    """Which question this is, to tell it from another one under the same key."""
    return hashlib.sha256(_canonical(wire_request(ask))).hexdigest()[:24]


def _all_of(requests: Mapping[str, Ask]) -> dict[str, Any]:
    required: dict[str, Any] = {}
    for one in requests.values():
        for name, modes in capability_of(one).items():
            required.setdefault(name, {}).update(modes)
    return required


def _seal(turn: Turn, value: Any) -> str:
    keys, nonce = ring(), os.urandom(12)
    text = dumps([int(time.time()) + MAX_AGE_S, *value])
    if len(text) > MAX_SEALED:
        raise ProtocolError(INVALID_PARAMS, "The answers to this request are too large.")
    cipher = AESGCM(keys.derive(keys.current, _PURPOSE)).encrypt(nonce, text, _bound(turn))
    return f"{keys.current}~{urlsafe_b64encode(nonce + cipher).decode()}"


def _unseal(turn: Turn, token: Any) -> Any:
    try:
        if len(token) > MAX_SEALED * 2:
            raise ValueError
        kid, _, text = token.partition("~")
        sealed = b64decode(text, altchars=b"-_", validate=True)
        plain = AESGCM(ring().derive(kid, _PURPOSE)).decrypt(sealed[:12], sealed[12:], _bound(turn))
        until, *value = orjson.loads(plain)
    except (InvalidTag, UnknownKeyError, ValueError, TypeError, AttributeError):
        raise ProtocolError(
            INVALID_PARAMS, "This requestState is not valid for this request; call again without it."
        ) from None
    if until < time.time():
        raise ProtocolError(INVALID_PARAMS, "This requestState has expired; call again without it.")
    return value


def _bound(turn: Turn) -> bytes:
    """What a state belongs to; no part can be read as another one, for it is one JSON list."""
    what = turn.params.get("uri" if turn.method == "resources/read" else "name")
    arguments = hashlib.sha256(_canonical(turn.params.get("arguments") or {})).hexdigest()
    return dumps([_PURPOSE, turn.bind, turn.method, what, arguments])


def _canonical(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, sort_keys=True).encode("utf-8", "surrogatepass")
