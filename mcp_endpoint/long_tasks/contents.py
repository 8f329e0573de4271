"""What a task's row holds encrypted: the call's arguments and answers, its questions, its outcome."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from common.vault import KeyHolder, decrypt, encrypt
from mcp_endpoint.asking import Rounds
from mcp_endpoint.models import Task
from mcp_endpoint.wire import dumps
from tenants.principals import Selection

_ROUNDS = 5  # so many parts of a payload are of the rounds
_PAYLOAD, _QUESTIONS, _OUTCOME = "task-payload", "task-questions", "task-outcome"


@dataclass(slots=True)
class Payload:
    """What a run needs: the arguments, what is known of earlier rounds, the part of the tools that was asked for.

    ``idempotency_key`` is the client's own for this call, empty where it gave none.
    """

    arguments: dict[str, Any] = field(repr=False)
    rounds: Rounds = field(default_factory=Rounds, repr=False)
    selection: Selection | None = None
    idempotency_key: str = ""


@dataclass(slots=True)
class Question:
    """One open question: the method's own key for it, the request, and the answer once it came."""

    key: str
    request: dict[str, Any]
    answer: Any = field(default=None, repr=False)


Questions = dict[str, Question]  # by the id that the client sees, unique over the task's life


def seal_payload(key: KeyHolder, row: Task, payload: Payload) -> bytes:
    """Encrypt a payload for its row."""
    known = payload.rounds
    chosen = payload.selection and [payload.selection.endpoint, payload.selection.chosen]
    parts = [payload.arguments, chosen, known.number, known.asked, known.answers, known.state, known.given]
    if payload.idempotency_key:
        parts.append(payload.idempotency_key)
    return encrypt(key, row.pk, _PAYLOAD, dumps(parts))


def open_payload(row: Task) -> Payload:
    """A row's payload, with the answers to its questions put in. Raises VaultError."""
    arguments, chosen, *known = orjson.loads(decrypt(row.tenant, row.pk, _PAYLOAD, row.payload))
    rounds = Rounds(*known[:_ROUNDS])
    for question in open_questions(row).values():
        if question.answer is not None:
            rounds.given[question.key] = question.answer
    selection = chosen and Selection(chosen[0], tuple(map(tuple, chosen[1])))
    return Payload(arguments, rounds, selection, *known[_ROUNDS:])


def seal_questions(row: Task, questions: Questions) -> bytes:
    """Encrypt questions for their row."""
    parts = {name: [one.key, one.request, one.answer] for name, one in questions.items()}
    return encrypt(row.tenant, row.pk, _QUESTIONS, dumps(parts))


def open_questions(row: Task) -> Questions:
    """A row's questions, none where it has none. Raises VaultError."""
    if not row.questions:
        return {}
    parts = orjson.loads(decrypt(row.tenant, row.pk, _QUESTIONS, row.questions))
    return {name: Question(*one) for name, one in parts.items()}


def seal_outcome(row: Task, outcome: bytes) -> bytes:
    """Encrypt a result, or a JSON-RPC error, that is JSON already."""
    return encrypt(row.tenant, row.pk, _OUTCOME, outcome)


def open_outcome(row: Task) -> bytes:
    """A row's result or error as JSON. Raises VaultError."""
    return decrypt(row.tenant, row.pk, _OUTCOME, row.outcome)
