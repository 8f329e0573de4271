"""``manage.py connector_docs``: write connectors' pages of the documentation from the connectors."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from connectors.base import Connector
from connectors.doc_pages import page_of, written_parts
from connectors.registry import BUILT_IN, UnknownConnectorError, connector_class


class Command(BaseCommand):
    """Writes ``docs/connectors/<slug>.md`` around the introduction in the provider's folder."""

    help = "Write the documentation's pages of connectors that have an introduction (docs/intro.md)."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which pages, and whether only to look."""
        parser.add_argument("slug", nargs="*", help="connectors")
        parser.add_argument("--all", action="store_true", help="every connector with an introduction")
        parser.add_argument(
            "--check", action="store_true", help="write nothing; 1 where a page is out of date"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write, or compare."""
        if not options["slug"] and not options["all"]:
            raise CommandError("Name connectors, or say --all.")
        old = False
        for cls in _classes(options["slug"]):
            page = settings.ROOT / "docs" / "connectors" / f"{cls.slug}.md"
            text = page_of(cls)
            if page.is_file() and page.read_text(encoding="utf-8") == text:
                self.stdout.write(f"{cls.slug}: as it was")
            elif options["check"]:
                self.stdout.write(f"{cls.slug}: out of date")
                old = True
            else:
                page.write_text(text, encoding="utf-8")
                self.stdout.write(f"{cls.slug}: written")
        if old:
            sys.exit(1)


def _classes(slugs: list[str]) -> list[type[Connector]]:
    """The connectors named, or all that have an introduction. Raises CommandError."""
    if not slugs:
        own = [slug for slug, path in BUILT_IN.items() if path.startswith("connectors.")]
        return [cls for cls in map(connector_class, own) if written_parts(cls)[0].is_file()]
    try:
        found = [connector_class(slug) for slug in slugs]
    except UnknownConnectorError as error:
        raise CommandError(str(error)) from None
    for cls in found:
        if not (intro := written_parts(cls)[0]).is_file():
            raise CommandError(f"Write {intro.relative_to(settings.ROOT)} first.")
    return found
