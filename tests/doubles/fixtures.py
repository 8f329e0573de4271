"""Fixtures for tests of connectors: a running double, which fails the test that broke a document.

In a test module (or a conftest): ``jira = double_fixture(Jira)``; the test gets the running
double, plans faults, looks at ``double.operations`` and ``double.requests``. Where something else
than the test's own loop calls (a view, a worker's process), ``double_fixture(Jira, thread=True)``.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from common.db import in_db
from tests.doubles.documents import missing, vendor_document
from tests.doubles.double import Double
from tests.doubles.examples import DOCUMENTS, example_of
from tests.doubles.exercised import keep, wanted
from tests.doubles.running import serving, serving_in_thread

__all__ = ["double_fixture", "example_of", "needs_document"]


def double_fixture(kind: type[Double], *, thread: bool = False, **options: Any) -> Any:
    """A fixture that serves a fresh double and, at the end, holds its violations against the test."""
    if thread:

        @pytest.fixture
        def running_in_thread() -> Iterator[Double]:
            with serving_in_thread(kind(**options)) as double:
                yield double
            keep(double)
            double.verify()

        return running_in_thread

    @pytest.fixture
    async def running() -> AsyncIterator[Double]:
        async with serving(kind(**options)) as double:
            yield double
        if wanted():
            await in_db(keep, double)
        double.verify()

    return running


def needs_document(name: str) -> pytest.MarkDecorator:
    """Skip where the vendor's own document is not at hand; ``name`` is a file or a vendor."""
    file = DOCUMENTS[name][0].file if name in DOCUMENTS else name
    return pytest.mark.skipif(vendor_document(file) is None, reason=missing(file))
