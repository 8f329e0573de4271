"""Tokens that callers bring for one request: they stand in for a connection's stored credential.

A token lives as long as its request. It is never stored, logged, audited or shown: values are
:class:`pydantic.SecretStr`, and :func:`without` takes a token out of what a connector says.
"""

import logging
import traceback
from collections.abc import Awaitable, Iterable, Mapping
from typing import Final, Protocol, TypeVar

from pydantic import BaseModel, SecretStr

from common.writer import QueueFullError, WriterUnavailableError
from connectors.asking import CapabilityMissing, InputRequired
from connectors.errors import ConnectorError, InternalError

logger = logging.getLogger(__name__)
T = TypeVar("T")
Tokens = Mapping[str, SecretStr]

ATLASSIAN: Final = "atlassian"
ATLASSIAN_CONNECTORS: Final = frozenset({"jira", "confluence"})
TOKEN_FIELDS: Final = ("token", "api_token", "access_token", "key")
HIDDEN: Final = "[token]"


class TakesTokens(Protocol):
    """A connection, as far as tokens go: the names under which a caller's token is for it."""

    @property
    def token_names(self) -> tuple[str, ...]:
        """The most precise name first; none where callers bring none."""
        ...


def named(name: str) -> str:
    """A connection's or connector's slug as headers spell it: they know no underscore everywhere."""
    return name.lower().replace("_", "-")


def token_names(slug: str, connector: str, is_primary: bool, slugs: Iterable[str]) -> tuple[str, ...]:
    """Under which names a caller's token is for this connection, the most precise first.

    A connector's name means its first connection, unless another connection has it for a
    slug: no token ever reaches a connection that it was not meant for.
    """
    names = [named(slug)]
    if is_primary:
        taken = {named(other) for other in slugs}
        wider = [named(connector)] + [ATLASSIAN] * (connector in ATLASSIAN_CONNECTORS)
        names += [name for name in wider if name not in taken]
    return tuple(dict.fromkeys(names))


def token_for(view: TakesTokens, tokens: Tokens | None) -> SecretStr | None:
    """The token that a request brought for this connection; None where it brought none or may not."""
    if not tokens:
        return None
    return next((tokens[name] for name in view.token_names if name in tokens), None)


def token_field(credentials: type[BaseModel] | None) -> str:
    """The field of a connector's Credentials that a bare token fills."""
    fields = credentials.model_fields if credentials is not None else {}
    return next((name for name in TOKEN_FIELDS if name in fields), TOKEN_FIELDS[0])


def header_of(slug: str) -> str:
    """The header in which this connection takes a caller's token, as a person writes it."""
    return f"X-{slug.title()}-Token"


def without(text: str, token: SecretStr | None) -> str:
    """A text that does not have the token in it."""
    secret = token.get_secret_value() if token is not None else ""
    return text.replace(secret, HIDDEN) if secret else text


async def discreet(work: Awaitable[T], token: SecretStr | None, what: str) -> T:
    """Run a connector's method that has a caller's token; what it raises and logs does not tell it.

    ``what`` names it in the log.
    """
    try:
        return await work
    except ConnectorError as error:
        error.message, error.hint = without(error.message, token), without(error.hint, token)
        error.details = {
            name: without(value, token) if isinstance(value, str) else value
            for name, value in error.details.items()
            if token is None or token.get_secret_value() not in repr(value) or isinstance(value, str)
        }
        error.args = (error.message,)
        raise
    except (TimeoutError, InputRequired, CapabilityMissing, QueueFullError, WriterUnavailableError):
        raise
    except Exception as error:
        logger.error("%s failed\n%s", what, without("".join(traceback.format_exception(error)), token))
        raise InternalError(f"{what} failed inside Portico.") from None
