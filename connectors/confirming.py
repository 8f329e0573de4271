"""Having the person behind the client agree to a call before anything happens.

Demanded by the tool itself (``@tool(confirm=True)``) or by a role's patterns. The question
names the tool, the connection and the arguments, without their secrets; each argument is cut
on its own, so that a long one hides no other.
"""

import json
from typing import Any, Final

from common.redaction import redact
from connectors.asking import Answer, CapabilityMissing, Elicit
from connectors.channel import Channel
from connectors.deadlines import Deadline
from connectors.errors import NotPermitted, TimedOut
from connectors.snapshot import ToolEntry

KEY: Final = "portico_confirm"
DECLINED: Final = "declined"
REQUIRED: Final = "confirmation_required"
MAX_VALUE = 300  # characters shown of one argument
MAX_SHOWN = 30  # arguments
_FORM: Final[dict[str, Any]] = {"type": "object", "properties": {}}


async def confirm(entry: ToolEntry, arguments: dict[str, Any], channel: Channel, timeout: float) -> None:
    """Return once the person has agreed to this very call.

    Raises NotPermitted where they do not, or cannot be asked; TimedOut after ``timeout``
    seconds; InputRequired where the answer comes with a second call.
    """
    question = Elicit(question_of(entry, arguments), _FORM, strict=True)
    try:
        async with Deadline(timeout):
            answers = await channel.ask({KEY: question})
    except TimeoutError as error:
        raise TimedOut(
            f"Nobody confirmed within {timeout:g} seconds; nothing was executed.", retryable=True
        ) from error
    except CapabilityMissing:
        raise _required(entry) from None
    except NotPermitted as error:
        if error.code != "elicitation_unavailable":
            raise
        raise _required(entry) from None
    if not Answer.of(answers[KEY]).accepted:
        raise NotPermitted(
            f"The person did not agree to {entry.name}; nothing was executed.",
            code=DECLINED,
            hint="Do not call it again unless they ask for it.",
        )


def _required(entry: ToolEntry) -> NotPermitted:
    return NotPermitted(
        f"{entry.name} needs the agreement of the person behind the client, and this client cannot ask.",
        code=REQUIRED,
        hint="Use a client that supports elicitation; over the REST API send confirm: true, in the admin "
        "tick the box, after the person has agreed.",
    )


def question_of(entry: ToolEntry, arguments: dict[str, Any]) -> str:
    """What the person is asked; the same text for the same call."""
    view = entry.connection
    lines = [f"Run {entry.spec.title} ({entry.name}) on the connection {view.ref.name} ({view.ref.slug})?"]
    shown = redact(arguments, secret_paths=entry.spec.secret_arguments)
    names = sorted(shown) if isinstance(shown, dict) else []
    lines += [f"{name[:80]}: {_cut(shown[name])}" for name in names[:MAX_SHOWN]]
    if len(names) > MAX_SHOWN:
        lines.append(f"… and {len(names) - MAX_SHOWN} more arguments.")
    return "\n".join(lines)


def _cut(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}… ({len(text)} characters)"
