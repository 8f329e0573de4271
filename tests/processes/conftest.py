"""One Portico with two workers on the test database, shared by the tests of this folder."""

import os
from collections.abc import Iterator

import pytest
from django.conf import settings

from tests.live import Live

PLANTED = "planted=tests.processes.planted:Planted"
ASKER = "asker=tests.mcp_endpoint.asker:Asker"
for entry in (PLANTED, ASKER):
    if entry not in settings.PORTICO_CONNECTORS:
        settings.PORTICO_CONNECTORS.append(entry)


@pytest.fixture(scope="package")
def live(database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """It logs all that it can, since a test looks for secrets in what it wrote."""
    named = f"{os.environ['PORTICO_CONNECTORS']},{PLANTED},{ASKER}"
    server = Live(tmp_path_factory.mktemp("live"), LOG_LEVEL="DEBUG", PORTICO_CONNECTORS=named)
    yield server
    server.stop()
