"""Fixtures of the whole suite.

The tests share one migrated database without rolling back: each makes tenants of its own,
so that real threads, real commits and several connections behave as in production.
"""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def database(django_db_setup: None, django_db_blocker: object) -> Iterator[None]:
    """Open the test database to every test, thread and connection."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        yield
        from common.db import shut_down_pool
        from common.writer import writer

        writer.stop()
        shut_down_pool()
