"""Credentials for Atlassian's products, and the place at which one of them works.

Basic with e-mail and token works at the site for classic tokens, and behind the gateway for
those with scopes; nothing in a token says which it is, so both are tried once:
https://developer.atlassian.com/cloud/jira/platform/basic-auth-for-rest-apis/
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from connectors.errors import AuthenticationFailed

Method = Literal["api_token", "bearer", "personal_access_token", "password"]
_NEEDS: dict[str, tuple[tuple[str, str], ...]] = {
    "api_token": (("email", "the account's e-mail address"), ("token", "the API token")),
    "bearer": (("token", "the token"),),
    "personal_access_token": (("token", "the personal access token"),),
    "password": (("email", "the user's name"), ("token", "the password")),
}
CLOUD: frozenset[str] = frozenset({"api_token", "bearer"})
SOON_DAYS = 14  # an admin is told so many days before a token ends


class AtlassianCredentials(BaseModel):
    """How a connection signs in; the fields depend on the method."""

    model_config = ConfigDict(extra="forbid")

    method: Annotated[
        Method,
        Field(
            title="Sign in with",
            description="api_token: e-mail and API token, with scopes (recommended) or without. bearer: token of a "
            "service account. Data Center only: personal_access_token (recommended there), or password (user name "
            "and password).",
        ),
    ] = "api_token"
    email: Annotated[
        str | None,
        Field(
            title="E-mail or user name",
            max_length=254,
            description="Of the account that the token belongs to. Data Center: the user name, for password alone.",
        ),
    ] = None
    token: Annotated[
        SecretStr | None,
        Field(
            title="Token or password",
            description="Cloud: id.atlassian.com > Security > API tokens > Create API token with scopes. Service "
            "account: admin.atlassian.com > Directory > Service accounts > Create credentials. Data Center: your "
            "picture > Profile > Personal access tokens > Create token, or the password.",
        ),
    ] = None
    expires_at: Annotated[
        date | None,
        Field(title="Token ends on", description="As shown when it was made (a year at most). Warns before."),
    ] = None

    @model_validator(mode="after")
    def complete(self) -> Self:
        """Name the first field that the method needs and that is empty."""
        for name, words in _NEEDS[self.method]:
            value = getattr(self, name)
            if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
                raise ValueError(f"{self.method} needs {words} (field {name}).")
        return self


@dataclass(frozen=True, slots=True)
class Signed:
    """A credential as a client sends it. It cannot be renewed."""

    _header: str = field(repr=False)

    async def headers(self, *, renewed: bool) -> Mapping[str, str]:
        """The credential as a header."""
        if renewed:
            raise AuthenticationFailed("Atlassian refused the credential.", code="token_refused")
        return {"authorization": self._header}


def signed(credential: Mapping[str, Any]) -> Signed:
    """What signs a request in, from the fields of :class:`AtlassianCredentials`."""
    token = str(credential.get("token") or "")
    if not token:
        raise AuthenticationFailed(
            "The connection has no token.",
            code="no_credential",
            hint="An admin adds it on the connection's page.",
        )
    if credential.get("method", "api_token") in ("api_token", "password"):
        pair = f"{credential.get('email') or ''}:{token}".encode()
        return Signed(f"Basic {base64.b64encode(pair).decode()}")
    return Signed(f"Bearer {token}")


def warnings_of(credential: Mapping[str, Any]) -> list[str]:
    """What an admin should know of a credential: its form, its end. Never a refusal."""
    told: list[str] = []
    method, token = credential.get("method", "api_token"), str(credential.get("token") or "")
    if method == "api_token" and not token.startswith("ATATT"):
        told.append("The token does not look like an API token of Atlassian's (they begin with ATATT).")
    if token != token.strip():
        told.append("The token begins or ends with a blank.")
    if (days := days_left(credential)) is not None and days <= SOON_DAYS:
        told.append(f"The token ends in {days} days." if days > 0 else "The token's end has passed.")
    return told


def days_left(credential: Mapping[str, Any]) -> int | None:
    """Days until the token's end, as an admin entered it; None where nobody did."""
    try:
        ends = date.fromisoformat(str(credential.get("expires_at") or ""))
    except ValueError:
        return None
    return (ends - datetime.now(UTC).date()).days
