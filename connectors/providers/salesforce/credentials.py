"""What an admin enters for a connection to Salesforce: where the org is, and how to sign in."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connectors.providers.salesforce.types import NAME

Method = Literal["client_credentials", "jwt_bearer", "refresh_token", "access_token", "password"]
LOGIN: Final = "https://login.salesforce.com"
TEST: Final = "https://test.salesforce.com"
# Salesforce retires login() of its SOAP API: release notes of Summer '25.
SOAP_ENDS: Final = "Summer '27 (June 2027)"

_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "client_credentials": ("client_id", "client_secret"),
    "jwt_bearer": ("client_id", "username", "private_key"),
    "refresh_token": ("client_id", "refresh_token"),
    "access_token": ("access_token",),
    "password": ("username", "password"),
}


class Settings(BaseModel):
    """Where the org is, and which of its objects this connection is for."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        LOGIN,
        max_length=300,
        description="The org's My Domain: Setup > My Domain, such as https://acme.my.salesforce.com. "
        "login.salesforce.com (test. for sandboxes) works for signing in with a password, a JWT or a refresh token.",
    )
    api_version: str = Field("66.0", pattern=r"^[1-9][0-9]\.0$", description="Of the REST API.")
    objects: list[Annotated[str, Field(pattern=NAME)]] = Field(
        [],
        max_length=500,
        description="API names of the only objects that may be read or changed; empty for all that the user may.",
    )

    @field_validator("url")
    @classmethod
    def _origin(cls, url: str) -> str:
        """An address without a path: what follows the host belongs to the connector."""
        url = url.strip()
        if "://" not in url:
            url = f"https://{url}"
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ValueError("An address such as https://acme.my.salesforce.com is wanted.")
        host = re.sub(r"\.lightning\.force\.com$", ".my.salesforce.com", parts.netloc.lower())
        return f"{parts.scheme}://{host}"

    @property
    def is_login_host(self) -> bool:
        """Whether the address is one for signing in that all orgs share."""
        return urlsplit(self.url).hostname in ("login.salesforce.com", "test.salesforce.com")

    @property
    def audience(self) -> str:
        """Who a JWT is for (OAuth 2.0 JWT Bearer Flow): the login server of the org's kind."""
        host = urlsplit(self.url).hostname or ""
        return TEST if host == "test.salesforce.com" or ".sandbox." in f"{host}." or "--" in host else LOGIN


class Credentials(BaseModel):
    """How to sign in; of the fields below only those of the method are needed."""

    model_config = ConfigDict(extra="forbid")

    method: Method = Field(
        "client_credentials",
        description="client_credentials (recommended): Setup > External Client App Manager > New; enable OAuth, the "
        "scope api, the Client Credentials Flow, and choose the user it runs as. jwt_bearer: the same app with a "
        "certificate. password is for orgs without an app: login() of the SOAP API ends with "
        f"{SOAP_ENDS}, and neither way works for users with multi-factor authentication.",
    )
    client_id: str | None = Field(
        None, max_length=500, description="Consumer key: the app's page > Settings > Consumer Key and Secret."
    )
    client_secret: SecretStr | None = Field(None, description="Consumer secret, on the same page.")
    username: str | None = Field(
        None, max_length=200, description="For jwt_bearer and password: who signs in, such as ada@acme.com."
    )
    private_key: SecretStr | None = Field(
        None,
        max_length=10_000,
        description="For jwt_bearer: the RSA key in PEM of the certificate that the app has under Use digital "
        "signatures. The user must be pre-authorized: the app's Policies > Permitted Users.",
    )
    refresh_token: SecretStr | None = Field(
        None, description="For refresh_token: from a web server flow with the scopes api and refresh_token."
    )
    access_token: SecretStr | None = Field(
        None, description="For access_token: a session for trying things out; it ends after about two hours."
    )
    password: SecretStr | None = Field(
        None,
        description=f"For password, with or without a client id. Without one this way ends with {SOAP_ENDS}.",
    )
    security_token: SecretStr | None = Field(
        None, description="For password: avatar > Settings > Reset My Security Token; it comes by e-mail."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Name the field that the method lacks."""
        missing = [name for name in _NEEDED[self.method] if not _text(getattr(self, name))]
        if self.method == "password" and bool(self.client_id) != bool(_text(self.client_secret)):
            missing.append("client_secret" if self.client_id else "client_id")
        if missing:
            raise ValueError(f"The method {self.method} needs {' and '.join(missing)}.")
        return self


def _text(value: str | SecretStr | None) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else (value or "")


_FORMS = {
    "client_id": (r"3MVG9.{20,}", "consumer key", "begins with 3MVG9"),
    "access_token": (
        r"00D\w{12}(\w{3})?!.{20,}",
        "access token",
        "begins with 00D and has an exclamation mark",
    ),
    "refresh_token": (r"5Aep.{20,}", "refresh token", "begins with 5Aep"),
}


def oddities(credential: Mapping[str, Any]) -> list[str]:
    """What does not look like a value of Salesforce's, or ends: told, never refused, since forms change."""
    method = str(credential.get("method"))
    told = [
        f"The {title} does not look like one of Salesforce's, which {rule}."
        for name, (form, title, rule) in _FORMS.items()
        if name in (*_NEEDED.get(method, ()), "client_id")
        and (value := str(credential.get(name) or ""))
        and not re.fullmatch(form, value)
    ]
    if method == "password" and not credential.get("client_id"):
        told.append(f"This way of signing in ends with {SOAP_ENDS}: use client_credentials.")
    return told
