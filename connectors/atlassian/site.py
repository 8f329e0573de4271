"""Atlassian's addresses: a site's own, and the gateway at which scoped tokens work.

https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/
"""

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from connectors.base import ConnectionRef, Context
from connectors.errors import ConnectionFailed
from connectors.upstream.client import Request, client_of
from connectors.upstream.retry import Kind

GATEWAY: Final = "https://api.atlassian.com"
Product = Literal["jira", "confluence"]
_CLOUDS: Final = (".atlassian.net", ".jira.com", ".atlassian-us-gov-mod.net")


@dataclass(frozen=True, slots=True)
class Site:
    """Where an installation is. ``url`` has no slash at its end and no path of a product."""

    url: str
    cloud: bool

    @property
    def at_atlassian(self) -> bool:
        """Whether the address is one of Atlassian's own, so that it is Cloud for certain."""
        return (urlsplit(self.url).hostname or "").endswith(_CLOUDS)

    @property
    def gateway(self) -> str:
        """Where the site is reached with scoped tokens.

        A site that is not at Atlassian's (a proxy, a sandbox) answers for the gateway itself, so
        that its credential is not sent elsewhere.
        """
        return GATEWAY if self.at_atlassian else self.url


def site_url(text: str) -> str:
    """The site's address from what people paste: a host, a page's address, with or without a slash.

    Raises ValueError, with a sentence for the form.
    """
    text = text.strip()
    parts = urlsplit(text if "://" in text else f"https://{text}")
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.password:
        raise ValueError("Give the site's address, such as https://your-company.atlassian.net.")
    if parts.hostname == urlsplit(GATEWAY).hostname:
        raise ValueError("Give your own site's address; the gateway's is found by itself.")
    path = "" if parts.hostname.endswith(_CLOUDS) else _own_path(parts.path)
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def _own_path(path: str) -> str:
    """The context path of a Data Center (``/jira``), without what belongs to a page."""
    kept: list[str] = []
    for part in path.strip("/").split("/"):
        if part in ("", "wiki", "browse", "rest", "projects", "secure", "plugins", "display", "spaces"):
            break
        kept.append(part)
    return "".join(f"/{part}" for part in kept[:2])


async def cloud_id(ctx: Context, connection: ConnectionRef, site: Site) -> str:
    """The id under which the gateway knows a Cloud site; asked from the site, without a credential."""
    request = Request("GET", "_edge/tenant_info", Kind.READ, max_bytes=10_000)
    told = (await client_of(connection, site.url).send(ctx, request)).json()
    found = str(told.get("cloudId") or "") if isinstance(told, dict) else ""
    if not found.replace("-", "").isalnum():
        raise ConnectionFailed(
            f"{site.url} did not tell its cloud id.",
            hint="An admin checks the site's address; Data Center has no cloud id.",
        )
    return found


def gateway_url(site: Site, product: Product, cloud: str) -> str:
    """The base address of a product behind the gateway."""
    return f"{site.gateway}/ex/{product}/{cloud}"
