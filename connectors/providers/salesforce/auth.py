"""Signing in to Salesforce: five ways to a session, each with the address where it is good.

Sessions have no announced end: one is used until Salesforce answers 401 INVALID_SESSION_ID, then
the next is got. (OAuth flows: help.salesforce.com, "OAuth Authorization Flows".)
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from connectors.calling import ConnectionRef, Context
from connectors.errors import AuthenticationFailed, InvalidInput, UpstreamError
from connectors.providers.salesforce.credentials import LOGIN, Settings
from connectors.providers.salesforce.soap import soap_session
from connectors.upstream.client import client_of
from connectors.upstream.oauth import oauth_token
from connectors.upstream.retry import Kind
from connectors.upstream.token_values import Token, TokenSource
from connectors.upstream.tokens import TokenAuth

GRANTS: Final = "services/oauth2/token"
INSTANCE: Final = "instance_url"
JWT_LIVES_S: Final = 180  # Salesforce takes at most five minutes
JWT_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Session(Protocol):
    """Who calls, and where."""

    async def headers(self, *, renewed: bool) -> Mapping[str, str]:
        """The header of a request."""
        ...

    async def instance(self) -> str:
        """The address of the org's REST API."""
        ...


class Pasted:
    """A session that somebody pasted, or that the caller brought: nothing renews it."""

    def __init__(self, settings: Settings, token: str) -> None:
        self._settings = settings
        self._token = token

    async def headers(self, *, renewed: bool) -> Mapping[str, str]:
        """The session as a header. Raises AuthenticationFailed once it has ended."""
        if renewed:
            raise AuthenticationFailed(
                "Salesforce has ended this session (INVALID_SESSION_ID).",
                code="INVALID_SESSION_ID",
                upstream_status=401,
                hint="A pasted access token lasts about two hours: store a new one, or let the connection sign in "
                "with client_credentials.",
            )
        return {"authorization": f"Bearer {self._token}"}

    async def instance(self) -> str:
        """The connection's own address, which must be the org's."""
        if self._settings.is_login_host:
            raise InvalidInput(
                "An access token does not say which org it is for.",
                code="my_domain_needed",
                hint="An admin sets the connection's url to the org's My Domain (Setup > My Domain).",
            )
        return self._settings.url


class SignedIn:
    """A session that Portico got, keeps and renews."""

    def __init__(self, ctx: Context, source: TokenSource, settings: Settings) -> None:
        self._auth = TokenAuth(ctx, source)
        self._settings = settings

    async def headers(self, *, renewed: bool) -> Mapping[str, str]:
        """The session as a header; a new one where the former had ended."""
        return await self._auth.headers(renewed=renewed)

    async def instance(self) -> str:
        """Where the session is good, as Salesforce said when it gave it."""
        told = (await self._auth.token()).extra.get(INSTANCE, "")
        parts, own = urlsplit(told), urlsplit(self._settings.url)
        if parts.scheme not in ("https", own.scheme) or not parts.netloc or parts.username:
            raise UpstreamError(
                "Salesforce gave a session without an address to use it at.", code="no_instance"
            )
        return f"{parts.scheme}://{parts.netloc}"


class Sessions:
    """Gets sessions with the stored credential: a :class:`connectors.upstream.token_values.TokenSource`."""

    def __init__(self, connection: ConnectionRef, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings

    async def fetch(self, ctx: Context, credential: Mapping[str, Any], former: Token | None) -> Token:
        """A new session. Raises AuthenticationFailed where Salesforce refuses the credential."""
        method = credential.get("method")
        if method == "access_token":
            raise AuthenticationFailed("A pasted access token cannot be renewed.", code="INVALID_SESSION_ID")
        client = client_of(self._connection, self._settings.url)
        if method == "password" and not credential.get("client_id"):
            return await soap_session(ctx, client, self._settings, credential)
        fields, kind = await self._grant(credential, former)
        try:
            token = await oauth_token(
                ctx, client, GRANTS, fields, former=former, extra=(INSTANCE,), kind=kind
            )
        except (
            InvalidInput
        ) as error:  # Salesforce has many words for "no": invalid_client_id, inactive_user, ...
            raise AuthenticationFailed(
                error.message,
                code="token_refused",
                upstream_status=error.upstream_status,
                hint=_hint(str(method)),
            ) from None
        except AuthenticationFailed as error:
            error.hint = error.hint or _hint(str(method))
            raise
        if token.refresh is not None and method != "refresh_token":
            return Token(token.value, token.expires_at, None, token.extra, token.made_at)
        return token

    async def _grant(
        self, credential: Mapping[str, Any], former: Token | None
    ) -> tuple[dict[str, str], Kind]:
        """The form for the token endpoint, and whether it may be sent twice."""
        method = credential["method"]
        client = {name: credential[name] for name in ("client_id", "client_secret") if credential.get(name)}
        if method == "client_credentials":
            if self._settings.is_login_host:
                raise AuthenticationFailed(
                    f"{self._settings.url} does not know client credentials.",
                    code="my_domain_needed",
                    hint="An admin sets the connection's url to the org's My Domain (Setup > My Domain).",
                )
            return {"grant_type": "client_credentials", **client}, Kind.READ
        if method == "jwt_bearer":
            assertion = await asyncio.to_thread(signed, credential, self._settings.audience)
            return {"grant_type": JWT_GRANT, "assertion": assertion}, Kind.READ
        if method == "password":
            whole = f"{credential['password']}{credential.get('security_token') or ''}"
            return {
                "grant_type": "password", "username": credential["username"], "password": whole, **client,
            }, Kind.READ  # fmt: skip
        kept = former.refresh.get_secret_value() if former and former.refresh else credential["refresh_token"]
        # With rotation the former one is worth nothing once Salesforce has answered.
        return {"grant_type": "refresh_token", "refresh_token": kept, **client}, Kind.ONCE


def signed(credential: Mapping[str, Any], audience: str = LOGIN) -> str:
    """The assertion of the JWT bearer flow (RFC 7523). Raises AuthenticationFailed for a key that is none."""
    import jwt  # with its algorithms it is a quarter of a second that most processes never need

    claims = {
        "iss": credential["client_id"],
        "sub": credential["username"],
        "aud": audience,
        "exp": int(time.time()) + JWT_LIVES_S,
    }
    try:
        return jwt.encode(claims, credential["private_key"].replace("\\n", "\n"), algorithm="RS256")
    except (ValueError, TypeError, jwt.PyJWTError):  # what it says may quote the key
        raise AuthenticationFailed(
            "The stored private key is no RSA key in PEM.",
            code="bad_private_key",
            hint="It begins with -----BEGIN PRIVATE KEY----- and has no password.",
        ) from None


def _hint(method: str) -> str:
    """What an admin looks at when Salesforce gives no session."""
    return {
        "client_credentials": "Look at the app's Client Credentials Flow: it is on, and has a user to run as.",
        "jwt_bearer": "Look at the app's certificate, and whether the user is pre-authorized (Permitted Users).",
        "refresh_token": "Sign in again for a new refresh token, and store it on the connection's page.",
        "password": "Look at the password and the security token; the password flow may be blocked in OAuth Settings, "
        "and does not work with multi-factor authentication.",
    }.get(method, "")
