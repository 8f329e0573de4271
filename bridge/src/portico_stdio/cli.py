"""The command line: where to, with which secrets, and how it ends."""

import argparse
import asyncio
import contextlib
import os
import re
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

from portico_stdio import __version__
from portico_stdio.bridge import Bridge
from portico_stdio.patience import PATIENCE_S
from portico_stdio.pipes import Pipes
from portico_stdio.remote import Remote

KEY = "PORTICO_ACCESS_KEY"
TOKEN = "PORTICO_TOKEN_"  # noqa: S105  a prefix of names
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_VISIBLE = re.compile(r"[\x21-\x7e]+")


class Unusable(Exception):
    """What was given cannot work; the message says what to change."""


def main(arguments: list[str] | None = None) -> None:
    """Run until standard input ends."""
    parser = argparse.ArgumentParser(
        prog="portico-stdio",
        description="Connect an MCP client that speaks stdio to a tenant of a Portico server.",
        epilog=f"Secrets come from the environment alone: {KEY} is the access key; {TOKEN}JIRA, for example, "
        "is your own token for the connection jira.",
    )
    parser.add_argument("--url", required=True, help="the tenant's MCP URL, https://…/t/<tenant>/mcp")
    parser.add_argument(
        "--allow-http", action="store_true", help="send the key unencrypted, to a host on a trusted network"
    )
    parser.add_argument(
        "--patience", type=float, default=PATIENCE_S, metavar="SECONDS",
        help="how long to wait for a server that is away (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"portico-stdio {__version__}")
    options = parser.parse_args(arguments)
    try:
        url = checked_url(options.url, allow_http=options.allow_http)
        headers = secret_headers(os.environ)
    except Unusable as error:
        sys.exit(f"portico-stdio: {error}")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(url, headers, options.patience))
    sys.stderr.flush()
    os._exit(0)  # the thread that reads may wait for a line for ever


async def _run(url: str, headers: dict[str, str], patience_s: float) -> None:
    secrets = [value.removeprefix("Bearer ") for value in headers.values()]
    async with Remote(url, headers) as remote:
        pipes = Pipes(sys.stdin.buffer, sys.stdout.buffer, secrets)
        await Bridge(remote, pipes, patience_s).run()


def checked_url(url: str, *, allow_http: bool) -> str:
    """The URL, where a key may be sent to it. Raises Unusable."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise Unusable("--url is no URL.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise Unusable("--url must look like https://portico.example.com/t/<tenant>/mcp")
    if parts.username is not None or parts.password is not None:
        raise Unusable(f"Take the user name and password out of --url; the key comes from {KEY}.")
    if parts.scheme == "http" and host not in LOOPBACK and not allow_http:
        raise Unusable(
            "--url is not encrypted, so the key could be read on the way; use https "
            "(or --allow-http on a network that you trust)."
        )
    if parts.path.rstrip("/").endswith("/sse"):
        raise Unusable("--url names the old HTTP+SSE transport; write /mcp in place of /sse.")
    return url


def secret_headers(environment: Mapping[str, str]) -> dict[str, str]:
    """The headers that carry secrets. Raises Unusable."""
    key = environment.get(KEY, "").strip()
    if not key:
        raise Unusable(f"Set {KEY} to your access key; an admin of the tenant makes keys.")
    headers = {"Authorization": f"Bearer {_visible(KEY, key)}"}
    for name, value in environment.items():
        slug = name.upper().removeprefix(TOKEN) if name.upper().startswith(TOKEN) else ""
        if slug and value.strip():
            if not re.fullmatch(r"[A-Z][A-Z0-9_]*", slug):
                raise Unusable(f"{name}: a connection's name has letters and digits alone.")
            headers[f"X-{slug.title().replace('_', '-')}-Token"] = _visible(name, value.strip())
    return headers


def _visible(name: str, value: str) -> str:
    if not _VISIBLE.fullmatch(value):
        raise Unusable(f"{name} holds blanks or characters that no header can carry.")
    return value
