"""From a URI that a client subscribes to, to the resource behind it that it may read."""

from collections.abc import Iterable, Mapping

from connectors.catalogue import Catalogue
from connectors.snapshot import ConnectionView
from mcp_endpoint.open_stream import Target


def target_of(catalogue: Catalogue, uri: str) -> Target | None:
    """The subscribable resource that the caller reads under this URI, else None."""
    for view, spec in catalogue.resources:
        bare = _bare(view, uri)
        if bare is not None and spec.pattern.fullmatch(bare):
            return (view.ref.id, bare) if spec.subscribable else None
    return None


def readable(catalogue: Catalogue, uri: str) -> bool:
    """Whether the caller has a resource of this URI, subscribable or not."""
    bares = ((spec, _bare(view, uri)) for view, spec in catalogue.resources)
    return any(bare is not None and spec.pattern.fullmatch(bare) for spec, bare in bares)


def targets_of(catalogue: Catalogue, uris: Iterable[str]) -> Mapping[Target, str]:
    """Those of the URIs that the caller may subscribe to, by what is behind them."""
    found: dict[Target, str] = {}
    for uri in uris:
        target = target_of(catalogue, uri)
        if target is not None:
            found[target] = uri
    return found


def _bare(view: ConnectionView, uri: str) -> str | None:
    """The URI as the connector wrote it: a later connection's slug is no part of it."""
    if view.ref.is_primary:
        return uri
    scheme, separator, rest = uri.partition("://")
    slug, slash, rest = rest.partition("/")
    return f"{scheme}://{rest}" if separator and slash and slug == view.ref.slug else None
