"""Which connectors there are: one table to read, plus entry points for third parties."""

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from connectors.base import Connector

BUILT_IN: dict[str, str] = {
    "restaurant": "connectors.providers.restaurant.connector:Restaurant",
    "goals": "connectors.providers.goals.connector:Goals",
    "memory": "connectors.providers.memory.connector:Memory",
}
ENTRY_POINTS = "portico.connectors"


class UnknownConnectorError(LookupError):
    """No connector has this slug."""


@cache
def connector_class(slug: str) -> type[Connector]:
    """The class behind a slug, imported at first use. Raises :class:`UnknownConnectorError`."""
    path = BUILT_IN.get(slug)
    if path is not None:
        module, _, name = path.partition(":")
        found: type[Connector] = getattr(import_module(module), name)
        return found
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name == slug:
            loaded: type[Connector] = entry.load()
            return loaded
    raise UnknownConnectorError(f"There is no connector {slug!r}.")


def connector_slugs() -> list[str]:
    """All known slugs, in alphabetical order."""
    return sorted({*BUILT_IN, *(entry.name for entry in entry_points(group=ENTRY_POINTS))})
