"""What a transport offers a running call: ways to say something to its client, and to ask it."""

from collections.abc import Mapping
from typing import Any

from connectors.asking import Ask, ElicitURL
from connectors.errors import NotPermitted


class Channel:
    """What the transport offers a running call; this base offers nothing and suits tasks and tests."""

    cancelled: bool = False

    async def progress(self, done: float, total: float | None, message: str) -> None:
        """Pass progress on to the client."""

    async def log(self, level: str, message: str) -> None:
        """Pass a log line on to the client."""

    async def ask(self, requests: Mapping[str, Ask], state: Any = None) -> dict[str, dict[str, Any]]:
        """The client's raw results by key; this base has nobody to ask.

        Raises InputRequired where the answers come with a second call, CapabilityMissing or
        NotPermitted where the client can be asked none of it.
        """
        raise nobody_to_ask()

    async def open_page(self, key: str, page: ElicitURL) -> dict[str, Any]:
        """Have the person open a page; the client's result, which does not say that they are done.

        Raises as :meth:`ask`.
        """
        raise nobody_to_ask()

    def kept(self) -> Any:
        """The state that an earlier round of the same call left; None where there was none."""
        return None


def nobody_to_ask() -> NotPermitted:
    """The error of a call that must ask where nobody can be asked."""
    return NotPermitted(
        "This client cannot ask its user.",
        code="elicitation_unavailable",
        hint="Use a client that supports elicitation.",
    )
