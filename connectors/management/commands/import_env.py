"""``manage.py import_env``: connections out of an environment file that somebody has for other servers."""

import sys
from argparse import ArgumentParser
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from connectors.env_file import MAX_BYTES, EnvFile, read_env
from connectors.env_import import apply, plan
from connectors.env_reading import Planned
from tenants.models import Tenant
from tenants.principals import Actor

ACTOR = Actor.system("import_env")
_DONE = {"create": "created", "update": "updated", "unchanged": "as it was", "refused": "refused"}
_WOULD = {"create": "would be created", "update": "would be updated"}


class Command(BaseCommand):
    """Says what it took and what it left, by name; never a value. Run again, it updates what it made."""

    help = "Make or update a tenant's connections (Jira, Confluence, Salesforce, GitHub) from an environment file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The tenant, the file, and which connections are meant."""
        parser.add_argument("file", help="the file, or - for standard input")
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        parser.add_argument(
            "--slug",
            action="append",
            default=[],
            metavar="CONNECTOR=SLUG",
            help="which connection of a connector is meant (repeatable)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, plan, say, and do it unless it is a rehearsal."""
        tenant = Tenant.objects.filter(slug=options["tenant"]).first()
        if tenant is None:
            raise CommandError(f"There is no tenant {options['tenant']!r}.")
        file = _file(options["file"])
        report = plan(tenant, file, _slugs(options["slug"]))
        with transaction.atomic():  # a rehearsal does it all, and takes it back
            apply(tenant, report, file, actor=ACTOR)
            transaction.set_rollback(options["dry_run"])
        for made in report.planned:
            self._say(made, rehearsal=options["dry_run"])
        if not report.planned:
            self.stdout.write("The file names none of: jira, confluence, salesforce, github.")
        if report.left:
            self.stdout.write("Left:")
            self._pairs(report.left)
        if report.twice:
            self.stdout.write(f"Twice in the file, the last one counts: {', '.join(report.twice)}")
        if report.odd_lines:
            self.stdout.write(f"No assignments: line {', '.join(map(str, report.odd_lines))}")
        if any(made.action == "refused" for made in report.planned):
            sys.exit(1)

    def _say(self, made: Planned, *, rehearsal: bool) -> None:
        done = (_WOULD if rehearsal else {}).get(made.action) or _DONE[made.action]
        style = self.style.ERROR if made.action == "refused" else self.style.SUCCESS
        slug = f" {made.slug}" if made.slug not in ("", made.connector) else ""
        self.stdout.write(
            style(f"{made.connector}{slug}: {done}{': ' if made.problem else ''}{made.problem}")
        )
        read = "read" if made.action == "refused" else "took"
        for name, field in made.took:
            self.stdout.write(f"  {read} {name} as {field}")
        for warning in made.warnings:
            self.stdout.write(self.style.WARNING(f"  warning: {warning}"))
        self._pairs(made.left, "  left ")

    def _pairs(self, pairs: list[tuple[str, str]], before: str = "  ") -> None:
        for name, reason in pairs:
            self.stdout.write(f"{before}{name}: {reason}")


def _file(path: str) -> EnvFile:
    """The file, read and parsed. Raises CommandError."""
    try:
        data = sys.stdin.buffer.read(MAX_BYTES + 1) if path == "-" else _head(Path(path))
        text = data.decode("utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise CommandError(f"{path} is no text in UTF-8 or UTF-16.") from None
    if len(data) > MAX_BYTES:
        raise CommandError(f"{path} is longer than {MAX_BYTES:,} bytes.")
    return read_env(text)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _slugs(pairs: list[str]) -> dict[str, str]:
    made = dict(pair.partition("=")[::2] for pair in pairs)
    if not all(made.values()):
        raise CommandError("Write --slug as CONNECTOR=SLUG, such as --slug jira=teamjira.")
    return made
