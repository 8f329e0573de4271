"""What every connection can be told beside its connector's own settings: network and cache.

From these models come the admin's form, the API's checks and what the client and the cache do.
"""

import logging
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

logger = logging.getLogger(__name__)
M = TypeVar("M", bound=BaseModel)

Seconds = Annotated[float, Field(gt=0, le=600)]
TTL = Annotated[int, Field(ge=0, le=86_400)]


class NetworkSettings(BaseModel):
    """How a connection's system is reached; times in seconds. ``ca`` is PEM text of a private authority."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connect_s: Seconds = Field(5.0, title="Connect within", description="Seconds to open a connection.")
    read_s: Seconds = Field(
        30.0, title="Answer within", description="Seconds between two parts of an answer."
    )
    write_s: Seconds = Field(30.0, title="Send within", description="Seconds between two parts of a request.")
    pool_s: Seconds = Field(5.0, title="Wait for a connection", description="Seconds until one is free.")
    retries: int = Field(
        2,
        ge=0,
        le=2,
        title="Repetitions",
        description="How often a request is sent again where that is safe.",
    )
    connections: int = Field(20, ge=1, le=200, title="Connections", description="At most, per process.")
    kept_alive: int = Field(
        10, ge=0, le=200, title="Kept open", description="Idle connections that stay open."
    )
    min_interval_ms: int = Field(
        0,
        ge=0,
        le=60_000,
        title="Rest between calls",
        description="Least milliseconds between two calls of this connection, over all processes.",
    )
    ca: str = Field(
        "", max_length=100_000, title="Certificate authority", description="PEM text of a private authority."
    )
    verify: bool = Field(
        True,
        title="Check certificates",
        description="Never switch it off where others can reach the network.",
    )


class CacheSettings(BaseModel):
    """Whether and how long a connection's results are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(
        True, title="Keep results", description="Answer equal reading calls from the cache."
    )
    ttl_s: TTL | None = Field(
        None, title="Seconds", description="How long results are kept; empty: each tool's own time."
    )
    tools: dict[str, TTL] = Field(
        default_factory=dict,
        title="Seconds per tool",
        description='Such as {"jira_get_issue": 60}; 0 keeps none.',
    )


NETWORK_DEFAULTS = NetworkSettings()  # type: ignore[call-arg]
CACHE_DEFAULTS = CacheSettings()  # type: ignore[call-arg]


def read_settings(model: type[M], stored: Mapping[str, Any]) -> M:
    """Stored settings; where they are not understood (any more), the defaults, and a line in the log."""
    try:
        return model.model_validate(stored)
    except ValidationError:
        logger.warning("Stored %s were not understood: the defaults hold", model.__name__)
        return model()
