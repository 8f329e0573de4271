"""Selecting a part of a tenant's tools for one request: toolsets in the URL or in a header, named endpoints.

``?toolsets=jira,github:issues`` names connections by slug, connectors by theirs (which means
their first connection), and single toolsets of either. A selection only narrows; the
decision function (:mod:`connectors.permissions`) judges it with everything else.
"""

from urllib.parse import parse_qsl

from connectors.snapshot import TenantSnapshot
from connectors.toolset_names import canonical, said_known, unknown_names
from tenants.principals import Selection

PARAMETER = "toolsets"
MAX_TEXT = 4096  # characters of a query or a header that are read
MAX_KEPT = 256  # parsed selections of one tenant


class BadSelection(ValueError):
    """A selection that cannot be read, or names what this tenant does not have; the message says which."""


class UnknownEndpoint(LookupError):
    """No such named endpoint, or one that is switched off."""


def selection_of(
    snapshot: TenantSnapshot, endpoint: str, query: bytes, header: bytes | None
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


def _read(snapshot: TenantSnapshot, endpoint: str, query: bytes, header: bytes | None) -> Selection | None:
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


def _resolved(snapshot: TenantSnapshot, names: tuple[str, ...]) -> tuple[str, ...]:
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
