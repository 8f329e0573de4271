"""login() of the SOAP API: for orgs without an app, until Salesforce retires it.

The envelope and the reading of its answer are simple-salesforce's. It works in a thread, and is
imported at first use: with zeep it takes most of a second and 40 MB. Its request goes through
the connection's own client, so that the guard against inner addresses, the timeouts and the
masking of secrets hold for it too.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from connectors.calling import Context
from connectors.errors import AuthenticationFailed, UpstreamError
from connectors.providers.salesforce.credentials import SOAP_ENDS, Settings
from connectors.upstream.answers import masked
from connectors.upstream.client import Client, Request
from connectors.upstream.retry import Kind
from connectors.upstream.token_values import Token

SOAP_VERSION: Final = "64.0"  # the last that has login()
MAX_ANSWER: Final = 100_000


@dataclass(frozen=True, slots=True)
class _Answered:
    """As much of a requests.Response as simple-salesforce reads."""

    status_code: int
    content: bytes


class _Bridge:
    """As much of a requests.Session as simple-salesforce calls, over the connection's client."""

    def __init__(self, ctx: Context, client: Client, secrets: tuple[str, ...]) -> None:
        self._ctx = ctx
        self._client = client
        self._secrets = secrets
        self._loop = asyncio.get_running_loop()

    def post(self, url: str, data: str, headers: Mapping[str, str], proxies: Any = None) -> _Answered:
        """Send from the thread, wait for the loop; the host is always the connection's."""
        sent = {**headers, "content-type": "text/xml; charset=UTF-8"}
        request = Request(
            "POST", urlsplit(url).path, Kind.READ, content=data.encode(), headers=sent,
            accept=frozenset({400, 401, 403, 500}), max_bytes=MAX_ANSWER, secrets=self._secrets,
        )  # fmt: skip
        answer = asyncio.run_coroutine_threadsafe(self._client.send(self._ctx, request), self._loop).result()
        return _Answered(answer.status, answer.body)


async def soap_session(
    ctx: Context, client: Client, settings: Settings, credential: Mapping[str, Any]
) -> Token:
    """A session from a user's name, password and security token. Raises AuthenticationFailed."""
    own = {name: credential.get(name) or "" for name in ("username", "password", "security_token")}
    bridge = _Bridge(ctx, client, (own["password"], own["security_token"]))
    value, host = await asyncio.to_thread(_log_in, bridge, own)
    return Token.of(value, extra={"instance_url": f"{urlsplit(settings.url).scheme}://{host}", "soap": "1"})


def _log_in(bridge: _Bridge, own: Mapping[str, str]) -> tuple[str, str]:
    from xml.parsers.expat import ExpatError

    from simple_salesforce.exceptions import SalesforceAuthenticationFailed
    from simple_salesforce.login import SalesforceLogin

    try:
        return SalesforceLogin(**own, session=bridge, sf_version=SOAP_VERSION)  # type: ignore[arg-type]
    except SalesforceAuthenticationFailed as error:
        code, said = str(error.code or "LOGIN_FAILED"), str(error.auth_message or "")
        words = masked(said, tuple(own.values()))[:200]
        raise AuthenticationFailed(
            f"Salesforce did not let the user in ({code[:60]}). {words}".strip(),
            code="token_refused",
            hint="Look at the user name, the password and the security token, and at the user's login history. "
            f"login() works until {SOAP_ENDS} and not with multi-factor authentication.",
        ) from None
    except ExpatError:
        raise UpstreamError(
            "Salesforce answered the login with something that is no XML.", code="invalid_xml"
        ) from None
