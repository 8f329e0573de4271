"""``manage.py metrics``: the figures of this machine's processes, for where no web server answers."""

from typing import Any

from django.core.management.base import BaseCommand

from portico.metrics import exposed, kept_results


class Command(BaseCommand):
    """Print what ``/metrics`` would."""

    help = "Print the figures of all processes that share this folder, as Prometheus reads them."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the text."""
        self.stdout.write(exposed(kept=kept_results())[0].decode(), ending="")
