"""Jira Cloud, as far as a connector uses it."""

from tests.doubles.jira.agile import Agile
from tests.doubles.jira.files import Files
from tests.doubles.jira.releases import Releases

__all__ = ["Jira"]


class Jira(Files, Releases, Agile):
    """Jira Cloud with two projects (PROJ, OPS), a board with sprints, and a few issues."""

    vendor = product = "jira"
    title = "Jira Cloud"
