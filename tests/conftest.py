"""Fixtures of the whole suite.

The tests share one migrated database without rolling back: each makes tenants of its own,
so that real threads, real commits and several connections behave as in production.
"""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import setup_databases, teardown_databases

# What these show may depend on the database behind it: they run on SQLite too. All run on PostgreSQL.
EVERY_DATABASE = (
    "tests/admin/",
    "tests/api/",
    "tests/audit/",
    "tests/common/",
    "tests/connectors/",
    "tests/mcp_endpoint/test_tasks",
    "tests/processes/test_background_work.py",
    "tests/processes/test_kill.py",
    "tests/providers/goals/",
    "tests/providers/restaurant/",
    "tests/tenants/",
    "tests/upgrade/",
    "tests/upstream/test_alerts.py",
    "tests/upstream/test_once.py",
    "tests/upstream/test_probes.py",
    "tests/upstream/test_usage.py",
    "tests/upstream/test_warming.py",
    "tests/walls/test_models.py",
    "tests/walls/test_rights.py",
    "tests/walls/test_two_tenants.py",
)
# They wait for processes for long: whoever starts with them is not alone with one of them at the end.
LONG = ("tests/e2e/", "tests/frame/", "tests/clients/", "tests/processes/", "tests/upgrade/", "tests/bridge/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(EVERY_DATABASE):
            item.add_marker("every_database")
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


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
