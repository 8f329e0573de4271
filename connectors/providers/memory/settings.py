"""The settings of a memory connection: how much it may hold, and for how long."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

YEAR = 366 * 24 * 3600


class MemorySettings(BaseModel):
    """Limits of one connection; the platform's limits per tenant hold beside them."""

    model_config = ConfigDict(extra="forbid")

    max_keys: int = Field(
        100_000, ge=1, le=10_000_000, title="Most keys", description="How many keys this connection may hold."
    )
    max_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1024,
        le=64 * 1024**3,
        title="Most bytes",
        description="How many bytes its keys and values may take together, counted as JSON text.",
    )
    # An answer holds 60,000 characters: what fits in here can be read back whole.
    max_value_bytes: int = Field(
        50_000,
        ge=16,
        le=16 * 1024 * 1024,
        title="Largest value",
        description="How many bytes one value may take as JSON text. An answer holds 60,000 characters: of more, "
        "only lists can be read, in parts.",
    )
    default_ttl: int | None = Field(
        None,
        ge=1,
        le=YEAR,
        title="Default time to live",
        description="Seconds after which a key disappears when the caller names no ttl; empty keeps it.",
    )
    max_ttl: int | None = Field(
        None,
        ge=1,
        le=YEAR,
        title="Longest time to live",
        description="No key lives longer than this many seconds; empty sets no cap.",
    )

    @model_validator(mode="after")
    def _default_within_cap(self) -> Self:
        if self.default_ttl is not None and self.max_ttl is not None and self.default_ttl > self.max_ttl:
            raise ValueError("The default time to live is longer than the longest; lower default_ttl.")
        return self
