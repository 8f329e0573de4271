"""``manage.py doctor``: what is well, what is not, and what to do about it."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from common.db import shut_down_pool
from portico import doctor


class Command(BaseCommand):
    """Prints one line per part; the exit code is 1 where something fails."""

    help = "Check settings, services, migrations, keys, files, disk and every connection."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Examine everything and report."""
        styles = {
            doctor.OK: self.style.SUCCESS,
            doctor.WARN: self.style.WARNING,
            doctor.FAIL: self.style.ERROR,
        }
        counts = dict.fromkeys(styles, 0)
        for finding in doctor.examine():
            counts[finding.level] += 1
            self.stdout.write(
                f"{styles[finding.level](finding.level.ljust(4))}  {finding.part}: {finding.text}"
            )
            if finding.level != doctor.OK and finding.advice:
                self.stdout.write(f"      -> {finding.advice}")
        self.stdout.write(
            f"{counts[doctor.OK]} ok, {counts[doctor.WARN]} warnings, {counts[doctor.FAIL]} failures"
        )
        shut_down_pool()
        if counts[doctor.FAIL]:
            sys.exit(1)
