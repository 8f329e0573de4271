"""``manage.py quickstart``: try Portico on this machine with one command (``make run``)."""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, connections

from common.redis_server import NoRedisServerError
from common.writer import writer
from portico import access, health, invariants, provision, supervisor
from portico.client_config import client_configurations
from portico.first_start import private_folder

LINE = "-" * 78


class Command(BaseCommand):
    """Migrates, fills an empty database, prints how to connect and runs all parts."""

    help = "Run Portico on this machine: database, Redis, web server and worker; Ctrl-C stops all."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """The two ways to use it."""
        parser.add_argument(
            "--reset-access", action="store_true", help="Make a new login and new access keys, then end."
        )
        parser.add_argument(
            "--reload", action="store_true", help="Restart the web server when code changes (make dev)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped, or reset the access and end."""
        if settings.PORTICO_ENV == "production":
            raise CommandError(
                "This is a production configuration; the quick start is for trying out. "
                "See docs/operations.md, or unset PORTICO_ENV."
            )
        os.umask(0o077)  # whatever is made under var/ is its owner's alone
        private_folder(settings.VAR)
        supervisor.stop_on_signals()
        try:
            code = self._reset() if options["reset_access"] else self._run(reload=options["reload"])
        except (supervisor.CannotStartError, NoRedisServerError) as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            code = 0
        sys.exit(code)

    def _reset(self) -> int:
        """New login and keys; works while Portico runs and while it does not."""
        self._prepare_database()
        kept, _ = provision.provision(reset=True)
        self._show(kept)
        self.stdout.write("The old login and the old keys do not work any more.")
        return 0

    def _run(self, *, reload: bool) -> int:
        with supervisor.only_one(settings.VAR):
            supervisor.demand_free_port(settings.HOST, settings.PORT)
            with supervisor.redis_server() as redis:
                self._prepare_database()
                kept, is_new = provision.provision()
                access.mark_prepared()
                self._show(kept) if is_new else supervisor.show_urls(kept)
                self.stdout.flush()
                writer.stop()
                connections.close_all()
                return supervisor.run(redis, reload=reload)

    def _prepare_database(self) -> None:
        """Migrate if anything is to migrate, and refuse a database that would lose data or secrets."""
        if health.pending_migrations():
            self.stdout.write("Preparing the database …")
            call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
        problems = [*invariants.database_problems(), *invariants.key_problems()]
        if problems:
            raise CommandError(" ".join(problems))
        if connection.vendor == "sqlite":
            os.chmod(connection.settings_dict["NAME"], 0o600)  # noqa: PTH101

    def _show(self, kept: access.Access) -> None:
        """Everything somebody needs to connect, secrets too: shown this once."""
        write = self.stdout.write
        write(f"{LINE}\nAdmin:    {kept.admin_url}")
        write(f"Login:    {kept.username}  {kept.password}\n")
        for tenant in kept.tenants:
            write(f"Tenant {tenant.slug}\n  MCP URL:    {tenant.mcp_url}\n  Access key: {tenant.access_key}")
        if kept.tenants:
            first = kept.tenants[0]
            write(f"\nTo connect a client to {first.slug}, paste one of these:")
            for client, text in client_configurations(first.slug, first.mcp_url, first.access_key):
                write(f"\n{client}:\n{text}")
        write(f"\nThe same facts are in {access.access_file()} (readable by you alone).\n{LINE}")
