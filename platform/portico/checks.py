"""System checks of Portico's own settings: ``manage.py check`` and ``check --database default``."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError
from redis import RedisError

from connectors.search import has_full_text_search
from portico import invariants, telemetry


@register("portico")
def check_configuration(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Warnings about doubtful combinations; mistakes stop every start before the checks run."""
    found: list[CheckMessage] = []
    if settings.USES_SQLITE and settings.WEB_CONCURRENCY > 1:
        found.append(
            Warning(
                f"{settings.WEB_CONCURRENCY} web processes share one SQLite file: writes wait for each other. "
                "Use PostgreSQL, or set WEB_CONCURRENCY to 1.",
                id="portico.W001",
            )
        )
    if settings.IN_PRODUCTION and not settings.IS_HTTPS:
        found.append(
            Warning(
                "PORTICO_PUBLIC_URL is not https: access keys cross the network in the clear. "
                "Put a TLS proxy in front and write its https address.",
                id="portico.W002",
            )
        )
    if found_problem := telemetry.problem():
        found.append(Warning(found_problem, id="portico.W004"))
    if not has_full_text_search():
        found.append(
            Warning(
                "This Python's SQLite has no FTS5: tools cannot be searched where a tenant or an endpoint "
                "has that switched on.",
                id="portico.W005",
            )
        )
    return found


@register(Tags.database)
def check_services(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Durable commits, keys for every stored secret, a Redis server that does not evict."""
    if not databases or settings.CONFIGURATION_PROBLEMS:
        return []
    found: list[CheckMessage] = []
    try:
        found += [Error(problem, id="portico.E002") for problem in invariants.database_problems()]
        found += [Error(problem, id="portico.E003") for problem in invariants.key_problems()]
    except DatabaseError as error:
        found.append(Error(f"The database does not answer ({type(error).__name__}).", id="portico.E004"))
    try:
        found += [Error(problem, id="portico.E005") for problem in invariants.redis_problems()]
    except RedisError:
        found.append(Warning("Redis does not answer; see REDIS_URL.", id="portico.W003"))
    return found
