"""The arguments that tools of GitHub share."""

from typing import Annotated, Literal

from pydantic import Field

Repo = Annotated[str, Field(description="owner/name", max_length=201)]
Limit = Annotated[int, Field(ge=1, le=100)]
Number = Annotated[int, Field(ge=1, le=2_000_000_000)]
FilePath = Annotated[str, Field(max_length=4096)]
Branch = Annotated[str | None, Field(max_length=255, description="Empty: the default branch.")]
Message = Annotated[str, Field(min_length=1, max_length=10_000)]
Title = Annotated[str, Field(min_length=1, max_length=256)]
Body = Annotated[str | None, Field(max_length=65_536, description="Markdown")]
Comment = Annotated[str, Field(min_length=1, max_length=65_536, description="Markdown")]
Name = Annotated[str, Field(min_length=1, max_length=255)]
Names = Annotated[list[Name] | None, Field(max_length=100)]
Since = Annotated[str | None, Field(max_length=40, description="ISO 8601")]
Sha = Annotated[str | None, Field(pattern="^[0-9a-f]{40}$")]
OpenState = Literal["open", "closed", "all"]
