"""``manage.py verify_audit``: does the audit still say what was written?"""

import argparse
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError

from audit.archive import verify_archive
from audit.checkpoints import read_log
from audit.events import chain_of
from audit.verification import KnownHead, VerificationReport, all_chains, verify


class Command(BaseCommand):
    """Verify one chain, all of them, or an archived one; exit code 1 names the first bad event."""

    help = "Verify the audit chains. Exits with 1 and names the first bad event when one is broken."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """``--tenant``, ``--platform``, ``--all`` (the default), ``--archive``; ``--against`` a log."""
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--tenant", metavar="SLUG", help="the chain of this tenant")
        which.add_argument("--platform", action="store_true", help="the chain of the platform")
        which.add_argument("--all", action="store_true", help="every chain (the default)")
        which.add_argument(
            "--archive", metavar="FILE", type=Path, help="the archived chain of a deleted tenant"
        )
        parser.add_argument(
            "--against",
            metavar="LOG",
            type=Path,
            help="a log with checkpoint lines, kept outside the database",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify and print one line per chain."""
        if options["archive"]:
            self._finish([verify_archive(options["archive"])])
            return
        known: tuple[KnownHead, ...] = ()
        if options["against"]:
            with options["against"].open(encoding="utf-8", errors="replace") as log:
                known = tuple(read_log(log))
            self.stdout.write(f"{len(known)} signed checkpoints were read from {options['against'].name}.")
        chains = sorted({*all_chains(), *(head.chain for head in known)})
        if options["tenant"]:
            tenant = apps.get_model("tenants", "Tenant").objects.filter(slug=options["tenant"]).first()
            if tenant is None:
                raise CommandError(f"There is no tenant {options['tenant']!r}.")
            chains = [chain_of(tenant.pk)]
        elif options["platform"]:
            chains = [chain_of(None)]
        self._finish([verify(chain, known) for chain in chains])

    def _finish(self, reports: list[VerificationReport]) -> None:
        for report in reports:
            if report.ok:
                erased = f", the arguments of {report.erased} erased" if report.erased else ""
                self.stdout.write(
                    f"Chain {report.chain}: {report.rows} events are whole"
                    f" ({report.first_seq} to {report.last_seq}, {report.checkpoints} checkpoints{erased})."
                )
        bad = [report for report in reports if not report.ok]
        if bad:
            raise CommandError(" ".join(report.problem for report in bad), returncode=1)
