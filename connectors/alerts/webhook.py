"""Alerts by webhook, signed as the Standard Webhooks specification says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md:
the headers ``webhook-id`` (the same at every try), ``webhook-timestamp`` (seconds, of this
try) and ``webhook-signature`` (``v1,`` and the base64 of an HMAC-SHA256 over
``id.timestamp.body``). Secrets are written ``whsec_`` and the base64 of the key.
"""

import base64
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import httpcore2
import orjson
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from connectors.alerts.messages import Alert
from connectors.alerts.tries import ARRIVED, Tried
from connectors.base import ConnectionRef
from connectors.connection_settings import NetworkSettings
from connectors.errors import ConnectorError
from connectors.upstream.client import Client, Request
from connectors.upstream.network import current_policy, resolve
from connectors.upstream.retry import Kind

PREFIX: Final = "whsec_"
KEY_BYTES: Final = 32  # the specification asks for 24 to 64
TIMEOUT_S: Final = 10.0
MAX_ANSWER: Final = 10_000  # bytes; nobody reads them
GONE: Final = 410
IN_THE_CLEAR: Final = gettext_lazy("plain http is for hosts in private networks that the operator opened")
_ANY_STATUS: Final = frozenset(range(200, 600))


def new_secret() -> str:
    """A signing secret in the form that receivers' libraries take."""
    return PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


@dataclass(slots=True)
class _Sending:
    """As much of a call's context as the client needs for a request that no call makes."""

    connection: ConnectionRef
    deadline: float
    identity: str = ""
    request_id: str = ""
    caller: Any = None
    sent: bool = False

    def trace_headers(self) -> Mapping[str, str]:
        return {}


async def send_webhook(tenant_id: UUID, target_id: UUID, url: str, secret: str, alert: Alert) -> Tried:
    """POST an alert once, over the guarded network: forbidden addresses and redirects are errors."""
    body = orjson.dumps(alert.body())
    timestamp = int(time.time())
    headers = {
        "content-type": "application/json",
        "webhook-id": alert.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, alert.id, timestamp, body),
    }
    parts = urlsplit(url)
    if parts.scheme == "http" and (problem := await _in_the_clear(parts.hostname or "", parts.port or 80)):
        return Tried(problem, final=True)
    # "./" keeps a path such as /a:b from being read as another address.
    path = "./" + parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
    network = NetworkSettings(connect_s=TIMEOUT_S, read_s=TIMEOUT_S, write_s=TIMEOUT_S, retries=0)  # type: ignore[call-arg]
    target = ConnectionRef(target_id, tenant_id, "alerts", "alerts", False, 1, connector="", network=network)
    client = Client(target, f"{parts.scheme}://{parts.netloc}")
    request = Request(
        "POST", path, Kind.ONCE, content=body, headers=headers, max_bytes=MAX_ANSWER, accept=_ANY_STATUS
    )
    try:
        answer = await client.send(_Sending(target, time.monotonic() + TIMEOUT_S), request)  # type: ignore[arg-type]
    except ConnectorError as error:
        # A body that is too large came with a status, which alone counts.
        if error.code == "too_large" and 200 <= error.upstream_status < 300:
            return ARRIVED
        return Tried(
            error.message[:300], final=error.code == "forbidden_address", retry_after=error.retry_after
        )
    finally:
        await client.aclose()
    if answer.ok:
        return ARRIVED
    if answer.status == GONE:
        return Tried(_("The receiver wants no more alerts (HTTP 410)."), final=True, gone=True)
    if 300 <= answer.status < 400:
        said = _("The receiver redirects (HTTP %(status)d), which alerts do not follow.")
    else:
        said = _("The receiver answered with HTTP %(status)d.")
    return Tried(said % {"status": answer.status}, retry_after=answer.retry_after)


async def _in_the_clear(host: str, port: int) -> str:
    """Why an alert must not go to this host without TLS; empty where it may, or cannot be reached at all."""
    try:
        addresses = await resolve(host, port, current_policy(ask=False))
    except httpcore2.ConnectError:
        return ""  # the sending itself says why
    return str(IN_THE_CLEAR) if any(ip_address(each).is_global for each in addresses) else ""
