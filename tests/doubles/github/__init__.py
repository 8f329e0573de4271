"""GitHub, as far as a connector uses it."""

from tests.doubles.github.actions import Actions
from tests.doubles.github.double import SecondaryLimit

__all__ = ["GitHub", "SecondaryLimit"]


class GitHub(Actions):
    """GitHub with two repositories of octo: ``hello-world``, and ``secrets.io``, which is private."""
