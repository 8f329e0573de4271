"""One Portico with two workers on the test database, shared by the tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.live import Live


@pytest.fixture(scope="package")
def live(database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    server = Live(tmp_path_factory.mktemp("live"))
    yield server
    server.stop()
