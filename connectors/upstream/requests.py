"""What a connector asks of its system: one request, and who asks."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import unquote

from connectors.errors import InvalidInput
from connectors.upstream.answers import Answer
from connectors.upstream.retry import Kind

MAX_BYTES: Final = 10_000_000


class Auth(Protocol):
    """What identifies the caller to the system."""

    async def headers(self, *, renewed: bool) -> Mapping[str, str]:
        """The headers of one request; ``renewed`` after the system refused the former ones.

        Raises AuthenticationFailed where there is nothing to renew.
        """
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``path`` is below the connection's base URL, its parts already quoted.

    ``kind`` says what a repetition would do; ``max_bytes`` bounds the decoded body;
    ``before_commit`` and ``explain`` know the system's own codes and words. ``bucket`` names
    the vendor's limit that the request counts against, in the vendor's word for it (GitHub's
    ``search``); empty where there is one limit for all. ``wish`` reads from an answer for how many
    seconds the system wants to be left alone, where it says so in words instead of headers
    (GitHub's secondary limits, which without ``Retry-After`` mean a minute at least); else 0.0.
    ``look_first`` says how to find out whether a write took effect whose answer was lost ("Check
    with ..."). ``secrets`` are masked in errors, beside those of the :class:`Auth`: a key that
    must stand in the query.
    """

    method: str
    path: str
    kind: Kind
    params: Mapping[str, Any] | None = None
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] | None = None
    max_bytes: int = MAX_BYTES
    before_commit: Callable[[Answer], bool] | None = None
    explain: Callable[[Answer], str] | None = None
    accept: frozenset[int] = frozenset()  # statuses beside 2xx that the connector deals with itself
    bucket: str = ""
    wish: Callable[[Answer], float] | None = None
    look_first: str = ""
    secrets: tuple[str, ...] = ()


_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_CLIMBS: Final = re.compile(r"(?:^|[/\\])\.{1,2}(?:$|[/\\])")


def url_below(base_url: str, path: str) -> str:
    """The address of a path below ``base_url``, which ends with a slash.

    The two are put together as texts: what an argument made of the path may name another
    address or climb up, and none of it leads the credential away. Raises InvalidInput.
    """
    path = path.removeprefix("./").lstrip("/")
    if _CONTROL.search(path) or _CLIMBS.search(unquote(path.partition("?")[0].partition("#")[0])):
        raise InvalidInput(
            "A value of this call would lead to another address of the system.",
            code="bad_path",
            hint="Names and ids are neither '.' nor '..' and have no control characters.",
        )
    return base_url + path
