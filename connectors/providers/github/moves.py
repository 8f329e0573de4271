"""Where GitHub leads who asks for something under its former name.

Renamed and transferred repositories answer with a redirect to ``/repositories/ID``, transferred
issues with one to their new repository (docs.github.com, "Get an issue"). The name that a call
was allowed to use says nothing of the place where such an answer comes from.
"""

from urllib.parse import SplitResult, urlsplit

from connectors.errors import NotPermitted


def repository_of(path: str) -> str:
    """The repository that a path below the API's address names: owner/name, an id, or nothing."""
    first, _, rest = path.partition("?")[0].partition("/")
    parts = rest.split("/")
    if first == "repos" and len(parts) > 1:
        return "/".join(parts[:2]).lower()
    return parts[0] if first == "repositories" else ""


def landed_at(url: str, api: str) -> str | None:
    """The repository that an answer's address names (see :func:`repository_of`), None outside GitHub's own.

    Where the host is the API's the credential has gone along, however the address is written:
    what is not below the API's path is then no repository's.
    """
    there, own = urlsplit(url), urlsplit(api)
    if _origin(there) != _origin(own):
        return None
    start = f"{own.path.rstrip('/')}/"
    return repository_of(there.path.removeprefix(start)) if there.path.startswith(start) else ""


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def beyond(asked: str, now: str = "") -> NotPermitted:
    """What was asked for is where the connection does not reach."""
    where = f"{asked} is called {now} now" if now else f"This was moved out of {asked}"
    return NotPermitted(
        f"{where}, which this connection does not reach.",
        code="repository_moved",
        hint="An admin changes the connection's allowed repositories, if it shall.",
    )
