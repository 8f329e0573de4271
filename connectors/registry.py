"""Which connectors there are: one table to read, plus two ways for connectors from elsewhere.

A package offers its connectors as entry points of the group ``portico.connectors``; the
setting ``PORTICO_CONNECTORS`` (``slug=module:Class``) names classes without packaging them.
"""

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from django.conf import settings

from connectors.base import Connector

BUILT_IN: dict[str, str] = {
    "restaurant": "connectors.providers.restaurant.connector:Restaurant",
    "goals": "connectors.providers.goals.connector:Goals",
    "confluence": "connectors.providers.confluence.connector:Confluence",
    "memory": "connectors.providers.memory.connector:Memory",
    "jira": "connectors.providers.jira.connector:Jira",
    "github": "connectors.providers.github.connector:GitHub",
    "salesforce": "connectors.providers.salesforce.connector:Salesforce",
}
ENTRY_POINTS = "portico.connectors"


class UnknownConnectorError(LookupError):
    """No connector has this slug."""


@cache
def connector_class(slug: str) -> type[Connector]:
    """The class behind a slug, imported at first use. Raises :class:`UnknownConnectorError`."""
    path = _named().get(slug)
    if path is not None:
        module, _, name = path.partition(":")
        found: type[Connector] = getattr(import_module(module), name)
        return found
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name == slug:
            loaded: type[Connector] = entry.load()
            return loaded
    raise UnknownConnectorError(f"There is no connector {slug!r}.")


def _named() -> dict[str, str]:
    extra = dict(entry.split("=", 1) for entry in settings.PORTICO_CONNECTORS)
    return {**extra, **BUILT_IN}


def connector_slugs() -> list[str]:
    """All known slugs, in alphabetical order."""
    return sorted({*_named(), *(entry.name for entry in entry_points(group=ENTRY_POINTS))})
