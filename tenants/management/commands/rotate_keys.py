"""``manage.py rotate_keys``: wrap every tenant's data key with the first key of ``PORTICO_KEYS``."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common.keyring import ring
from tenants.principals import Actor
from tenants.services.rotation import data_keys_rewrap


class Command(BaseCommand):
    """Edge of :func:`tenants.services.rotation.data_keys_rewrap`."""

    help = (
        "Wraps every tenant's data key with the first key of PORTICO_KEYS. Works while Portico runs: "
        "put the new key in front of the old one, restart all processes, then run this."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate and report the counts."""
        done = data_keys_rewrap(actor=Actor.system("rotate_keys"))
        self.stdout.write(
            f"{done.rewrapped} data keys wrapped with {done.kid}, "
            f"{done.current} already were, {done.destroyed} destroyed."
        )
        if done.unreadable:
            lines = [f"{slug}: {reason}" for slug, reason in sorted(done.unreadable.items())]
            raise CommandError("\n".join([f"{len(lines)} data keys could not be read:", *lines]))
        if old := ring().kids[1:]:
            self.stdout.write(
                f"No stored secret needs {', '.join(old)} any more. Audit rows and archives signed with an "
                "old key are verified with it: keep it in the ring as long as you want to verify them."
            )
