"""Questions that a running call puts to the person (or the model) behind its client.

A tool asks with ``await ctx.elicit(...)`` or ``await ctx.ask({...})``. In the handshake era
the call waits for the answer. In revision 2026-07-28 nothing waits: the call ends with
:class:`InputRequired`, the client asks its user and sends the same request again with the
answers, and the method runs **from the start**; this time ``ask`` returns at once. So a
method asks before it changes anything, and asks the same question each time it runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from connectors.errors import InvalidInput

Action = Literal["accept", "decline", "cancel"]
ACTIONS: tuple[Action, ...] = ("accept", "decline", "cancel")


@dataclass(frozen=True, slots=True)
class Elicit:
    """A form for the person: ``schema`` is an object of plain properties (text, number, choice).

    Never for passwords, keys or tokens: those are asked for by :class:`ElicitURL`. ``strict``
    takes no answer that came without the question having been put.
    """

    method: ClassVar[str] = "elicitation/create"

    message: str
    schema: dict[str, Any]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ElicitURL:
    """A page for the person to open, outside the client: sign-ins and credentials.

    ``id`` names this question; the URL carries no secret.
    """

    method: ClassVar[str] = "elicitation/create"

    message: str
    url: str
    id: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A completion by the client's model: the params of ``sampling/createMessage``."""

    method: ClassVar[str] = "sampling/createMessage"

    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Roots:
    """The folders that the client's user opened."""

    method: ClassVar[str] = "roots/list"


Ask = Elicit | ElicitURL | Sample | Roots


@dataclass(frozen=True, slots=True)
class Answer:
    """What the person did with a form: ``content`` is filled only where they accepted."""

    action: Action
    content: dict[str, Any] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether the person said yes."""
        return self.action == "accept"

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> "Answer":
        """The answer in a client's result of ``elicitation/create``. Raises InvalidInput."""
        action, content = raw.get("action"), raw.get("content")
        if action not in ACTIONS or not isinstance(content, dict | None):
            raise InvalidInput(
                "The client's answer is none of accept, decline and cancel.", code="bad_answer"
            )
        return cls(action, dict(content or {}) if action == "accept" else {})


class InputRequired(Exception):
    """The call ended with questions; the client answers them and calls again. No failure.

    ``state`` is what the method wants to find again as ``ctx.state`` in the next round.
    """

    def __init__(self, requests: Mapping[str, Ask], state: Any = None) -> None:
        super().__init__("The client is asked for input.")
        self.requests = dict(requests)
        self.state = state


class CapabilityMissing(Exception):
    """The client did not declare what the call cannot do without.

    ``required`` is a ClientCapabilities object, ``{"sampling": {}}`` for example.
    """

    def __init__(self, required: dict[str, Any]) -> None:
        super().__init__("The client lacks a capability that this call needs.")
        self.required = required


def capability_of(ask: Ask) -> dict[str, Any]:
    """The ClientCapabilities object that a client must declare to be asked this."""
    if isinstance(ask, ElicitURL):
        return {"elicitation": {"url": {}}}
    if isinstance(ask, Elicit):
        return {"elicitation": {}}
    return {"sampling": {}} if isinstance(ask, Sample) else {"roots": {}}
