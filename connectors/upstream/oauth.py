"""Asking an OAuth 2.0 token endpoint (RFC 6749): the request and its answer, for token sources."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from connectors.calling import Context
from connectors.errors import AuthenticationFailed, UpstreamError
from connectors.upstream.answers import Answer, error_of, masked
from connectors.upstream.client import Client, Request
from connectors.upstream.retry import Kind
from connectors.upstream.token_values import Token

_LIVES: Final = re.compile(r"\d{1,9}(\.\d+)?")  # seconds; some systems send them as text
# Section 5.2: what says that the credential or the refresh token is of no use any more.
_REFUSED: Final = frozenset({"invalid_grant", "invalid_client", "unauthorized_client", "access_denied"})


async def oauth_token(
    ctx: Context,
    client: Client,
    path: str,
    fields: Mapping[str, str],
    *,
    former: Token | None = None,
    extra: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    kind: Kind = Kind.ONCE,
) -> Token:
    """Send a grant's ``fields`` as a form to the token endpoint, and take the token of its answer.

    ``former`` keeps its refresh token where the answer has no new one (section 6); ``extra``
    names further members of the answer to keep, none of them secret. ``kind`` is ONCE where a
    refresh token is exchanged (it may be gone when the answer is lost), READ where a grant can
    be sent again. Raises AuthenticationFailed where the system says no.
    """
    sent = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
    content = urlencode(fields).encode()
    secrets = (*fields.values(), *(headers or {}).values())
    request = Request(
        "POST", path, kind, content=content, headers=sent, accept=frozenset({400, 401, 403}), secrets=secrets
    )
    answer = await client.send(ctx, request)
    if not answer.ok:
        raise _refusal(answer, secrets)
    said = _object(answer)
    value, lives = said.get("access_token"), said.get("expires_in")
    if not isinstance(value, str) or not value:
        raise UpstreamError("The system's token endpoint answered without a token.", code="no_token")
    refresh = said.get("refresh_token")
    if not isinstance(refresh, str) or not refresh:
        refresh = former.refresh.get_secret_value() if former and former.refresh else None
    return Token.of(
        value,
        lives_s=float(lives) if lives is not None and _LIVES.fullmatch(str(lives)) else None,
        refresh=refresh,
        extra={name: str(said[name]) for name in extra if said.get(name) is not None},
    )


def _object(answer: Answer) -> dict[str, Any]:
    said = answer.json()
    return said if isinstance(said, dict) else {}


def _refusal(answer: Answer, secrets: Sequence[str]) -> Exception:
    try:
        said = _object(answer)
    except UpstreamError:
        said = {}
    code = str(said.get("error", ""))[:60]
    if answer.status != 401 and code not in _REFUSED:
        return error_of(answer)
    words = masked(str(said.get("error_description", ""))[:2_000], secrets)[:200]
    return AuthenticationFailed(
        f"The system gives no token for this credential ({code or 'refused'}). {words}".strip(),
        code="token_refused",
        upstream_status=answer.status,
    )
