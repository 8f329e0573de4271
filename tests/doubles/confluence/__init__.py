"""Confluence Cloud, as far as a connector uses it."""

from tests.doubles.confluence.files import Files

__all__ = ["Confluence"]


class Confluence(Files):
    """Confluence Cloud with the spaces DOCS and TEAM and a few pages."""

    vendor = product = "confluence"
    title = "Confluence Cloud"
