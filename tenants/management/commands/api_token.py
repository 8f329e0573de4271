"""``manage.py api_token``: make, list and revoke tokens for the REST API."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from tenants.errors import TenantError
from tenants.models import ApiToken, Tenant
from tenants.principals import Actor
from tenants.services.tokens import api_token_create, api_token_revoke

ACTOR = Actor.system("api_token")


class Command(BaseCommand):
    """Tokens act in a user's name, perhaps in some tenants alone, perhaps only reading."""

    help = "Make, list or revoke API tokens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The three actions."""
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make a token and print its secret, once")
        create.add_argument("--user", required=True, help="in whose name it acts")
        create.add_argument("--name", required=True, help="what it is for")
        create.add_argument("--tenant", action="append", default=[], help="only this tenant (repeatable)")
        create.add_argument("--read-only", action="store_true")
        create.add_argument("--days", type=int, help="how long it lives; for ever without it")
        actions.add_parser("list", help="show all tokens, never their secrets")
        revoke = actions.add_parser("revoke", help="end a token")
        revoke.add_argument("id", help="the twelve characters after pta_")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        getattr(self, f"_{options['action']}")(options)

    def _create(self, options: dict[str, Any]) -> None:
        user = get_user_model()._default_manager.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['user']!r}.")
        tenants = list(Tenant.objects.filter(slug__in=options["tenant"]))
        if missing := set(options["tenant"]) - {tenant.slug for tenant in tenants}:
            raise CommandError(f"There is no tenant {', '.join(sorted(missing))}.")
        expires_at = timezone.now() + timedelta(days=options["days"]) if options["days"] else None
        try:
            _, secret = api_token_create(
                user=user,
                name=options["name"],
                tenants=tenants,
                read_only=options["read_only"],
                expires_at=expires_at,
                actor=ACTOR,
            )
        except TenantError as error:
            raise CommandError(error.message) from error
        self.stdout.write(secret)

    def _list(self, options: dict[str, Any]) -> None:
        for row in ApiToken.objects.select_related("user").prefetch_related("tenants"):
            scope = ", ".join(tenant.slug for tenant in row.tenants.all()) or "all tenants"
            state = "revoked" if row.revoked_at else "live"
            self.stdout.write(
                f"{row.pk}  {row.user.get_username()}  {row.name}  {scope}"
                f"{'  read-only' if row.read_only else ''}  {state}"
            )

    def _revoke(self, options: dict[str, Any]) -> None:
        row = ApiToken.objects.filter(pk=options["id"].removeprefix("pta_")[:12]).first()
        if row is None:
            raise CommandError("There is no such token.")
        api_token_revoke(token=row, actor=ACTOR)
        self.stdout.write(f"{row.pk} is revoked.")
