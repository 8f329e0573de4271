"""Fixtures of the whole suite.

The tests share one migrated database without rolling back: each makes tenants of its own,
so that real threads, real commits and several connections behave as in production.
"""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import setup_databases, teardown_databases

# What these show does not depend on the database: `make test` runs them on SQLite, which costs them less.
ANY_DATABASE = (
    "tests/atlassian/",
    "tests/bridge/",
    "tests/clients/",
    "tests/docs/",
    "tests/doubles/",
    "tests/e2e/",
    "tests/frame/test_configuration.py",
    "tests/frame/test_containers.py",
    "tests/frame/test_logging_",
    "tests/frame/test_platform_folder.py",
    "tests/frame/test_quickstart.py",
    "tests/frame/test_write_a_connector.py",
    "tests/mcp_endpoint/test_conformance.py",
    "tests/mcp_endpoint/test_inspector.py",
    "tests/mcp_endpoint/test_stdio.py",
    "tests/mcp_endpoint/test_strict_json.py",
    "tests/mcp_endpoint/test_tracing.py",
    "tests/providers/confluence/",
    "tests/providers/github/",
    "tests/providers/jira/",
    "tests/providers/salesforce/",
    "tests/providers/test_four.py",
    "tests/upstream/test_breaker.py",
    "tests/upstream/test_cache",
    "tests/upstream/test_client.py",
    "tests/upstream/test_network.py",
    "tests/upstream/test_once.py",
    "tests/upstream/test_options.py",
    "tests/upstream/test_pauses.py",
    "tests/upstream/test_rules.py",
    "tests/upstream/test_tokens",
    "tests/upstream/test_written_requests.py",
    "tests/walls/test_connectors.py",
)
# What these show may be another thing on each: they run on both. All others run on PostgreSQL.
EVERY_DATABASE = (
    "tests/audit/",
    "tests/common/",
    "tests/providers/goals/",
    "tests/tenants/",
    "tests/upgrade/",
)
# They wait for processes for long: whoever starts with them is not alone with one of them at the end.
LONG = ("tests/e2e/", "tests/frame/", "tests/clients/", "tests/processes/", "tests/upgrade/", "tests/bridge/")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--share", action="store_true", help="only what this database has of `make test`")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if not config.getoption("--share") or not collection_path.name.startswith("test_"):
        return None
    name = collection_path.relative_to(config.rootpath).as_posix()
    if os.environ.get("PORTICO_TEST_DB") == "postgres":
        return name.startswith(ANY_DATABASE) or None
    return not name.startswith(ANY_DATABASE + EVERY_DATABASE) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, not among themselves."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: object) -> Iterator[None]:
    """Make and migrate the test database.

    In place of pytest-django's fixture, which sets up only what ``django_db`` marks ask for:
    here no test is marked, since a mark would wrap it in a transaction.
    """
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        made = setup_databases(verbosity=0, interactive=False, aliases={"default"}, serialized_aliases=set())
    yield
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        if connection.vendor == "postgresql":
            # Threads that a test left behind may hold sessions, and a database in use is not dropped.
            with connection.cursor() as cursor:
                cursor.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where datname = current_database() and pid <> pg_backend_pid()"
                )
        teardown_databases(made, verbosity=0)


@pytest.fixture(scope="session", autouse=True)
def database(django_db_setup: None, django_db_blocker: object) -> Iterator[None]:
    """Open the test database to every test, thread and connection."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        yield
        from common.db import shut_down_pool
        from common.writer import writer
        from connectors.upstream.cache.keeper import keeper
        from tenants.changes import watcher

        keeper.stop()
        watcher.stop()
        writer.stop()
        shut_down_pool()
