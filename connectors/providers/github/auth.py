"""Signing in at GitHub: personal access tokens, and a GitHub App's installation tokens."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import jwt

from connectors.calling import ConnectionRef, Context
from connectors.errors import AuthenticationFailed, UpstreamError
from connectors.providers.github.answers import HEADERS, explained
from connectors.providers.github.settings import GitHubSettings
from connectors.upstream.client import Request, client_of
from connectors.upstream.retry import Kind
from connectors.upstream.token_values import Token

ASSERTION_S: Final = 540  # GitHub takes ten minutes at most
CLOCK_S: Final = 60  # our clock may be ahead of GitHub's
# Installation tokens live an hour. Told as five minutes less, they are renewed at 50 minutes.
EARLY_S: Final = 300.0
LIVES_S: Final = 3600.0


class Bearer:
    """A token that cannot be renewed here."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def headers(self, *, renewed: bool) -> Mapping[str, str]:
        """The token as a header. Raises AuthenticationFailed after GitHub refused it."""
        if renewed:
            raise AuthenticationFailed(
                "GitHub refused the token: it has expired, was revoked, or is not whole.",
                code="token_refused",
                upstream_status=401,
                hint="An admin stores a new token on the connection's page.",
            )
        return {"authorization": f"Bearer {self._token}"}


class AppTokens:
    """Installation tokens of a GitHub App (docs.github.com, "Generating an installation access token")."""

    def __init__(self, connection: ConnectionRef, settings: GitHubSettings) -> None:
        self._connection = connection
        self._settings = settings

    async def fetch(self, ctx: Context, credential: Mapping[str, Any], former: Token | None) -> Token:
        """A new token, for the repositories of the allow-list alone where that names them."""
        signed = Bearer(assertion(credential))
        names = narrowed(self._settings.repositories)
        request = Request(
            "POST",
            f"app/installations/{credential['installation_id']}/access_tokens",
            Kind.READ,  # another token would only be one more
            json={"repositories": names} if names else None,
            headers={**HEADERS, "x-github-api-version": self._settings.api_version},
            accept=frozenset({401, 403, 404, 422}),
        )
        answer = await client_of(self._connection, self._settings.url).send(ctx, request, signed)
        if not answer.ok:
            raise AuthenticationFailed(
                f"GitHub gives no installation token: {explained(answer)}",
                code="token_refused",
                upstream_status=answer.status,
                hint=_HINTS.get(answer.status, ""),
            )
        said = answer.json()
        value = said.get("token") if isinstance(said, dict) else None
        if not isinstance(value, str) or not value:
            raise UpstreamError("GitHub answered without a token.", code="no_token")
        extra = {
            "permissions": json.dumps(said.get("permissions") or {}),
            "repository_selection": str(said.get("repository_selection") or ""),
            "expires_at": str(said.get("expires_at") or ""),
        }
        return Token.of(value, lives_s=max(60.0, _lives(extra["expires_at"]) - EARLY_S), extra=extra)


_HINTS: Final = {
    401: "An admin compares the app's id with the private key's app.",
    403: "The app's installation may be suspended.",
    404: "An admin checks the installation id: the app is installed under it.",
    422: "The app is not installed on all of the connection's repositories, or lacks a permission.",
}


def assertion(credential: Mapping[str, Any]) -> str:
    """The app's signed word for who it is, good for nine minutes. Raises AuthenticationFailed."""
    now = int(time.time())
    claims = {"iat": now - CLOCK_S, "exp": now + ASSERTION_S, "iss": str(credential["app_id"])}
    try:
        return jwt.encode(claims, pem(str(credential["private_key"])), algorithm="RS256")
    except (ValueError, TypeError, jwt.PyJWTError):
        raise AuthenticationFailed(
            "The app's private key is no RSA key in PEM form.",
            code="bad_private_key",
            hint="An admin stores the whole text of the .pem file.",
        ) from None


def pem(text: str) -> str:
    """A key as it was in its file: forms and environment files make its line breaks blanks or ``\\n``."""
    text = text.strip().replace("\\n", "\n").replace("\r\n", "\n")
    if "\n" not in text and text.startswith("-----BEGIN ") and text.endswith("-----"):
        head, _, rest = text.removeprefix("-----BEGIN ").partition("-----")
        body, _, _ = rest.partition("-----END")
        text = f"-----BEGIN {head}-----\n" + "\n".join(body.split()) + f"\n-----END {head}-----"
    return text + "\n"


def narrowed(repositories: list[str]) -> list[str]:
    """The names that a token can be narrowed to; none where the allow-list has a whole owner, or several."""
    owners = {name.partition("/")[0].lower() for name in repositories}
    names = [name.partition("/")[2] for name in repositories]
    return names if len(owners) == 1 and "*" not in names else []


def _lives(expires_at: str) -> float:
    try:
        return (datetime.fromisoformat(expires_at) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return LIVES_S
