"""GitHub, as far as a connector uses it."""

from tests.doubles.github.double import SecondaryLimit
from tests.doubles.github.pulls import Pulls

__all__ = ["GitHub", "SecondaryLimit"]


class GitHub(Pulls):
    """GitHub with two repositories of octo: ``hello-world``, and ``secrets.io``, which is private."""
