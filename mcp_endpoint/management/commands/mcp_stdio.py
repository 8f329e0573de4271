"""``manage.py mcp_stdio``: one tenant for a desktop client on this machine."""

import asyncio
import contextlib
import os
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError

from common.db import in_db
from mcp_endpoint import stdio
from mcp_endpoint.wire import ProtocolError
from tenants import access
from tenants.principals import Caller
from tenants.selectors import callers_named

KEY = "PORTICO_ACCESS_KEY"
TOKEN = "PORTICO_TOKEN_"  # noqa: S105  a prefix of names
ADDRESS = "127.0.0.1"  # whoever starts this is on this machine


class Command(BaseCommand):
    """Standard output belongs to the protocol; everything else goes to standard error."""

    help = "Serve a tenant over standard input and output, for an MCP client that starts programs."
    requires_system_checks: list[str] = []  # the client waits for its first answer

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which tenant, and as whom."""
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        who = parser.add_mutually_exclusive_group()
        who.add_argument(
            "--key", help=f"an access key; better in the environment as {KEY}, where ps does not show it"
        )
        who.add_argument(
            "--as",
            dest="principal",
            help="instead of a key: a member's mail address or user name, or a service account's name",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until standard input ends."""
        sink = _claim_stdout()
        slug, name = options["tenant"], options["principal"]
        key = options["key"] or os.environ.pop(KEY, "")
        if not name and not key:
            raise CommandError(f"Set {KEY} to an access key, or name who calls with --as.")
        try:
            asyncio.run(_serve(slug, name, key, sink))
        except ProtocolError as error:
            raise CommandError(error.message) from None
        finally:
            with contextlib.suppress(OSError):
                sink.close()
        # The thread that reads may hang in a read for ever; all else is closed and written.
        sys.stderr.flush()
        os._exit(0)


def _tokens(environment: Mapping[str, str]) -> dict[bytes, bytes]:
    """The caller's own tokens, as the headers in which an HTTP client would bring them."""
    found = {
        name.removeprefix(TOKEN).lower().replace("_", "-"): value.strip()
        for name, value in environment.items()
        if name.startswith(TOKEN) and value.strip()
    }
    return {f"x-{name}-token".encode(): value.encode() for name, value in found.items()}


def _claim_stdout() -> BinaryIO:
    """Standard output for the protocol alone: whatever else prints there comes out on standard error."""
    sys.stdout.flush()
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sink


async def _serve(slug: str, name: str, key: str, sink: BinaryIO) -> None:
    caller = await _caller(slug, name, key)
    await stdio.serve(caller, sys.stdin.buffer, sink, _tokens(os.environ))


async def _caller(slug: str, name: str, key: str) -> Caller:
    """Who calls: the principal that the operator chose, or the key's. Raises CommandError."""
    if not name:
        try:
            return await access.authenticate(slug, key.strip(), address=ADDRESS, via="stdio")
        except access.AccessDenied:
            text = f"This key does not open {slug}: it must be a valid access key of this tenant."
            raise CommandError(text) from None
        except access.AccessUnavailable as error:
            raise CommandError(str(error)) from None
    found = await in_db(callers_named, slug, name, address=ADDRESS, via="stdio")
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError(f"{name!r} means several principals of {slug}; write a user name or mail address.")
    raise CommandError(f"There is no active tenant {slug} with a member or a service account {name!r}.")
