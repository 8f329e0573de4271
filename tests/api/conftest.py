"""A Portico over a real socket for what scripts do."""

from collections.abc import Iterator

import pytest

from tests.live import Live


@pytest.fixture
def one_worker(database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    server = Live(tmp_path_factory.mktemp("live"), workers=1)
    yield server
    server.stop()
