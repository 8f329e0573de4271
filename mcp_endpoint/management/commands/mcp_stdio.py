"""``manage.py mcp_stdio``: one tenant for a desktop client on this machine."""

import asyncio
import contextlib
import os
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, BinaryIO

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from mcp_endpoint import stdio
from mcp_endpoint.wire import ProtocolError
from tenants import access
from tenants.models import Principal, ServiceAccount, Tenant
from tenants.principals import Caller
from tenants.selectors import caller_of, membership_of

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
        if name:
            caller = _named(slug, name)
        elif key:
            caller = _of_key(slug, key)
        else:
            raise CommandError(f"Set {KEY} to an access key, or name who calls with --as.")
        connections.close_all()  # this thread asks the database nothing more
        try:
            asyncio.run(stdio.serve(caller, sys.stdin.buffer, sink, _tokens(os.environ)))
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


def _of_key(slug: str, key: str) -> Caller:
    try:
        return access.authenticate_blocking(slug, key.strip(), address=ADDRESS, via="stdio")
    except (access.AccessDenied, access.AccessUnavailable) as error:
        raise CommandError(
            f"This key does not open {slug}: it must be a valid access key of this tenant."
            if isinstance(error, access.AccessDenied)
            else str(error)
        ) from None


def _named(slug: str, name: str) -> Caller:
    """The principal that the operator chose, with all that its role may do."""
    tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None or tenant.status != Tenant.Status.ACTIVE:
        raise CommandError(f"There is no active tenant {slug!r}.")
    found = _principals(tenant, name)
    if len(found) != 1:
        raise CommandError(
            f"{slug} has no member and no service account {name!r}."
            if not found
            else f"{name!r} means several principals of {slug}; write a user name or mail address."
        )
    return caller_of(found[0], address=ADDRESS, via="stdio")


def _principals(tenant: Tenant, name: str) -> list[Principal]:
    users = get_user_model()._default_manager.filter(is_active=True)
    people = [*users.filter(username=name), *users.filter(email__iexact=name).exclude(username=name)]
    members = [row for user in people if (row := membership_of(user, tenant)) is not None]
    accounts = ServiceAccount.objects.for_tenant(tenant).filter(name=name).select_related("tenant")
    return [*members, *accounts]
