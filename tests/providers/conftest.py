"""For ``make report``: of the connectors' tests only those in which a double answers."""

import pytest

from tests.doubles.catalogue import DOUBLES
from tests.doubles.exercised import wanted


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not wanted():
        return
    names, others = set(DOUBLES), []
    for item in items[:]:
        if names.isdisjoint(getattr(item, "fixturenames", ())):
            items.remove(item)
            others.append(item)
    config.hook.pytest_deselected(items=others)
