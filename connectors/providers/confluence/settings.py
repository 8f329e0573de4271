"""The settings of a Confluence connection."""

import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from connectors.atlassian.site import site_url
from connectors.providers.confluence.types import SPACE_KEY


class ConfluenceSettings(BaseModel):
    """Where the site is, and which of its spaces are reached through this connection."""

    model_config = ConfigDict(extra="forbid")

    site: str = Field(
        title="Site",
        max_length=500,
        description="Its address: https://your-company.atlassian.net, or your Data Center's with its path.",
    )
    deployment: Literal["auto", "cloud", "data_center"] = Field(
        default="auto",
        title="Kind",
        description="auto: Data Center where the connection signs in with a personal access token or a password, "
        "else Cloud. Callers' own tokens to a Data Center need data_center.",
    )
    spaces: list[str] = Field(
        default=[],
        max_length=200,
        title="Only these spaces",
        description="Keys of the spaces that may be read and written; empty: all that the account sees.",
    )
    default_space: str = Field(
        "",
        max_length=255,
        title="Default space",
        description="The key of the space of new pages where a call names none.",
    )

    @field_validator("site")
    @classmethod
    def _site(cls, value: str) -> str:
        return site_url(value)

    @field_validator("spaces")
    @classmethod
    def _spaces(cls, value: list[str]) -> list[str]:
        for key in value:
            if not re.fullmatch(SPACE_KEY.strip("^$"), key):
                raise ValueError(f"{key!r} is no space key; it stands in a space's address after /spaces/.")
        return value

    @model_validator(mode="after")
    def _default_is_allowed(self) -> Self:
        if self.default_space and not re.fullmatch(SPACE_KEY.strip("^$"), self.default_space):
            raise ValueError(f"{self.default_space!r} is no space key.")
        allowed = {key.casefold() for key in self.spaces}
        if self.default_space and allowed and self.default_space.casefold() not in allowed:
            raise ValueError("The default space is not among the allowed ones.")
        return self
