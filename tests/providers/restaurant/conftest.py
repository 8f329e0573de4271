"""Restaurants for the tests: real tenants, real connections, a generated sample."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from connectors.models import Connection
from connectors.providers.restaurant.sample import seed
from tenants.models import Tenant
from tests.providers.context import FakeContext, ref_of


def open_restaurant(
    *, days: int = 20, time_zone: str = "Europe/Berlin", tenant: Tenant | None = None
) -> FakeContext:
    """A new tenant's (or a given one's) restaurant with ``days`` days of sales, ready for calls."""
    mark = uuid.uuid4().hex[:10]
    primary = tenant is None
    tenant = tenant or Tenant.objects.create(slug=f"r-{mark}", name=f"Inn {mark}", time_zone=time_zone)
    connection = Connection.objects.create(
        tenant=tenant, connector="restaurant", slug=f"r{mark}", name="Restaurant", is_primary=primary
    )
    seed(ref_of(connection), days=days)
    return FakeContext(connection)


@pytest.fixture(scope="session")
def bistro(database: None) -> FakeContext:
    """A restaurant with a whole year, for tests that only read."""
    return open_restaurant(days=365)


@pytest.fixture
def fresh() -> Callable[..., FakeContext]:
    """Make a restaurant that a test may change; works inside and outside of an event loop."""

    def make(**options: Any) -> FakeContext:
        with ThreadPoolExecutor(1) as pool:
            try:
                return pool.submit(open_restaurant, **options).result()
            finally:
                pool.submit(connections.close_all).result()

    return make
