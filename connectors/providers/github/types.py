"""The arguments that tools of GitHub share.

Each costs a model tokens in every list of tools: what :mod:`~connectors.providers.github.scope`
or GitHub itself bounds (names, paths, times) is not bounded here once more.
"""

from typing import Annotated, Literal

from pydantic import Field

Repo = Annotated[str, Field(description="owner/name")]
Limit = Annotated[int, Field(ge=1, le=100)]
Number = Annotated[int, Field(ge=1, le=2_000_000_000)]
Branch = Annotated[str | None, Field(description="Empty: the default branch.")]
Body = Annotated[str | None, Field(description="Markdown")]
Comment = Annotated[str, Field(min_length=1, description="Markdown")]
Text = Annotated[str, Field(min_length=1)]
Names = Annotated[list[str] | None, Field(max_length=100)]
Since = Annotated[str | None, Field(description="ISO 8601")]
Sha = Annotated[str | None, Field(pattern="^[0-9a-f]{40}$")]
OpenState = Literal["open", "closed", "all"]
