"""What the tools take: argument types with their bounds."""

from typing import Annotated, Literal

from pydantic import Field

SPACE_KEY = r"^~?[A-Za-z0-9_.:-]{1,255}$"
MAX_CONTENT = 500_000

PageId = Annotated[str, Field(pattern=r"^[0-9]{1,19}$", description="A page's id.")]
SpaceKey = Annotated[str, Field(pattern=SPACE_KEY, description="A space's key.")]
Title = Annotated[str, Field(min_length=1, max_length=255)]
Content = Annotated[str, Field(max_length=MAX_CONTENT)]
ContentFormat = Annotated[
    Literal["markdown", "storage"], Field(description="What content is; storage is Confluence's XHTML.")
]
Limit = Annotated[int, Field(ge=1, le=100)]
Version = Annotated[
    int, Field(ge=1, description="The version you read; if there is a newer one, it is a conflict.")
]
Message = Annotated[str, Field(max_length=255, description="What changed, for the page's history.")]
PageUrl = Annotated[str, Field(max_length=2_000, description="Instead of the id: the page's address.")]
