"""Is what the audit calls durable really durable? Asked at start and by ``check --database``."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections


def durability_problem(alias: str = "default") -> str | None:
    """A sentence when commits of this database may be lost in a crash, else None."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous")
            if cursor.fetchone()[0] < 2:
                return (
                    "SQLite runs without synchronous=FULL: audit events can be lost when the machine stops."
                )
        elif connection.vendor == "postgresql":
            cursor.execute("SELECT current_setting('synchronous_commit'), current_setting('fsync')")
            commit, fsync = cursor.fetchone()
            if commit == "off" or fsync == "off":
                return (
                    f"PostgreSQL runs with synchronous_commit={commit} and fsync={fsync}: "
                    "set both to on, or audit events can be lost when the machine stops."
                )
    return None


@register(Tags.database)
def check_durability(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """An error where the audit's promise would not hold."""
    found = [problem for alias in databases or () if (problem := durability_problem(alias))]
    return [Error(problem, id="audit.E001") for problem in found]
