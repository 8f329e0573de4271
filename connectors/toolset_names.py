"""The names by which clients and endpoints select: connections, connectors, and their toolsets."""

from collections.abc import Iterable

MAX_SHOWN = 40  # names that a refusal lists

# A connection's slug, its connector's, and whether it is that connector's first.
Known = tuple[str, str, bool]


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
