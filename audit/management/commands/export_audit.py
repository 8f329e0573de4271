"""``manage.py export_audit``: a tenant's events as JSONL or CSV, to standard output or a file."""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError

from audit.events import Event
from audit.export import FORMATS, export_rows
from audit.services import record_blocking


def moment(text: str) -> datetime:
    """A date or time in ISO 8601; UTC where no zone is written."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no date or time; write 2026-11-21 or 2026-11-21T08:00."
        ) from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


class Command(BaseCommand):
    """Export one tenant's audit, streamed; the export is an event of that audit itself."""

    help = "Export a tenant's audit events as JSONL or CSV (streamed, any size)."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Which tenant, which format, from when to when, where to."""
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--format", choices=FORMATS, default="jsonl")
        parser.add_argument("--since", type=moment, help="from this moment on, e.g. 2026-11-01")
        parser.add_argument("--until", type=moment, help="before this moment")
        parser.add_argument("--output", type=Path, help="a file instead of standard output (mode 0600)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the export."""
        tenant = apps.get_model("tenants", "Tenant").objects.filter(slug=options["tenant"]).first()
        if tenant is None:
            raise CommandError(f"There is no tenant {options['tenant']!r}.")
        filters = {"since": options["since"], "until": options["until"]}
        record_blocking(
            Event(
                tenant.pk, "system", name="audit.export", principal_name="manage.py export_audit", via="system",
                arguments={"format": options["format"], **{k: v and v.isoformat() for k, v in filters.items()}},
            )
        )  # fmt: skip
        pieces = export_rows(tenant, options["format"], filters)
        if options["output"]:
            descriptor = os.open(options["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(pieces)
            return
        out = getattr(self.stdout._out, "buffer", None) or sys.stdout.buffer
        for piece in pieces:
            out.write(piece)
        out.flush()
