"""What Portico counts, for Prometheus and for people; labels are few and bounded, never a tenant's data."""


def called(connector: str, tool: str, outcome: str, error_type: str, seconds: float) -> None:
    """A tool call ended."""


def cached(connector: str, event: str) -> None:
    """Something happened to the result cache: hit, miss, stale, stored, evicted, refused or forgotten."""


def limited(scope: str) -> None:
    """A call was refused: by a limit of the tenant, key, tool, connection, by interval, quota or vendor."""


def breaker(connector: str, event: str) -> None:
    """A circuit breaker opened, closed, let a probe through, or was reset."""


def sent(connector: str, outcome: str, seconds: float) -> None:
    """A request to a system ended: 2xx, 3xx, 4xx, 5xx, timeout, connection or too_large."""


def repeated(connector: str) -> None:
    """A request to a system is sent again."""


def away(use: str, is_away: bool) -> None:
    """Whether Redis is away for a use (limits, cache, breaker), which then goes on per process."""


def probed(connector: str, ok: bool) -> None:
    """A connection was probed."""
