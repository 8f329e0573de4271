"""Jira Cloud, as far as a connector uses it."""

from tests.doubles.jira.agile import Agile
from tests.doubles.jira.around import Around

__all__ = ["Jira"]


class Jira(Around, Agile):
    """Jira Cloud with two projects (PROJ, OPS), a board with sprints, and a few issues."""

    vendor = product = "jira"
    title = "Jira Cloud"
