"""Selecting a part of a tenant's tools for one request: toolsets in the URL or in a header, named endpoints.

``?toolsets=jira,github:issues`` names connections by slug, connectors by theirs (which means
their first connection), and single toolsets of either. A selection only narrows; the
decision function (:mod:`connectors.permissions`) judges it with everything else.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from tenants.principals import Selection

if TYPE_CHECKING:
    from connectors.snapshot import TenantSnapshot

PARAMETER = "toolsets"
MAX_TEXT = 4096  # characters of a query or a header that are read
MAX_KEPT = 256  # parsed selections of one tenant
MAX_SHOWN = 40  # names that a refusal lists

# A connection's slug, its connector's, and whether it is that connector's first.
Known = tuple[str, str, bool]


class BadSelection(ValueError):
    """A selection that cannot be read, or names what this tenant does not have; the message says which."""


class UnknownEndpoint(LookupError):
    """No such named endpoint, or one that is switched off."""


def selection_of(
    snapshot: "TenantSnapshot", endpoint: str, query: bytes, header: bytes | None
) -> Selection | None:
    """What a request asks for; None for everything. Read once for all requests that ask the same.

    ``query`` is the raw query string, ``header`` the value of ``X-MCP-Toolsets``. Raises
    :class:`BadSelection` and :class:`UnknownEndpoint`.
    """
    key = (endpoint, query, header)
    if key in snapshot.selections:
        found: Selection | None = snapshot.selections[key]
        return found
    made = _read(snapshot, endpoint, query, header)
    snapshot.selections[key] = made
    if len(snapshot.selections) > MAX_KEPT:
        snapshot.selections.popitem(last=False)
    return made


def _read(snapshot: "TenantSnapshot", endpoint: str, query: bytes, header: bytes | None) -> Selection | None:
    if endpoint:
        rules = snapshot.endpoints.get(endpoint)
        if rules is None or not rules.enabled:
            raise UnknownEndpoint(endpoint)
    if len(query) > MAX_TEXT or len(header or b"") > MAX_TEXT:
        raise BadSelection(f"A selection of toolsets has at most {MAX_TEXT:,} characters.")
    texts = [
        value for name, value in parse_qsl(query.decode("latin-1"), max_num_fields=100) if name == PARAMETER
    ]
    if header is not None:
        texts.append(header.decode("latin-1"))
    lists = (tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip())) for text in texts)
    chosen = tuple(_resolved(snapshot, names) for names in lists if names)
    return Selection(endpoint, chosen) if endpoint or chosen else None


def _resolved(snapshot: "TenantSnapshot", names: tuple[str, ...]) -> tuple[str, ...]:
    """The names with the slugs of their connections. Raises BadSelection naming those that mean nothing."""
    known = [(view.ref.slug, view.connector_slug, view.ref.is_primary) for view in snapshot.connections]
    toolsets = {
        view.ref.slug: {spec.toolset for spec in view.connector.tools.values()}
        for view in snapshot.connections
    }
    wrong = unknown_names(names, known, toolsets)
    if wrong:
        raise BadSelection(
            f"Unknown toolsets: {', '.join(name[:60] for name in wrong[:10])}. Known here: "
            f"{said_known(known, toolsets)}."
        )
    return tuple(dict.fromkeys(canonical(name, known) for name in names))


def canonical(name: str, known: Iterable[Known]) -> str:
    """A name with its connection's slug in front; what is not known stays as it is and matches nothing."""
    first, colon, toolset = name.partition(":")
    rows = list(known)
    if any(slug == first for slug, _, _ in rows):
        return name
    primary = next((slug for slug, connector, is_first in rows if connector == first and is_first), first)
    return f"{primary}{colon}{toolset}"


def unknown_names(names: Iterable[str], known: list[Known], toolsets: dict[str, set[str]]) -> list[str]:
    """The names that mean no connection and no toolset; ``toolsets`` are those of each connection."""
    wrong = []
    for name in names:
        slug, colon, toolset = canonical(name, known).partition(":")
        if slug not in toolsets or (colon and toolset not in toolsets[slug]):
            wrong.append(name)
    return wrong


def said_known(known: list[Known], toolsets: dict[str, set[str]]) -> str:
    """The names that can be used, for a sentence."""
    names: list[str] = []
    for slug, connector, is_first in sorted(known):
        names.append(slug)
        if is_first and connector != slug and all(connector != other for other, _, _ in known):
            names.append(connector)
        names += (
            [f"{slug}:{toolset}" for toolset in sorted(toolsets[slug])] if len(toolsets[slug]) > 1 else []
        )
    more = ", …" if len(names) > MAX_SHOWN else ""
    return (", ".join(names[:MAX_SHOWN]) + more) or "no connections yet"
