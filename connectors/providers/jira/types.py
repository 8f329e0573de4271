"""What Jira's tools take and give: shared, so that the list of tools stays short."""

from typing import Annotated, Any, Literal, NotRequired, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from typing_extensions import TypedDict

from connectors.atlassian.site import site_url
from connectors.providers.jira.queries import ISSUE_KEY, PROJECT_KEY

IssueKey = Annotated[str, Field(pattern=ISSUE_KEY, description="Such as PROJ-12.")]
ProjectKey = Annotated[
    str | None, Field(pattern=PROJECT_KEY, description="Default: the connection's project.")
]
Limit = Annotated[int, Field(ge=1, le=100)]
FieldNames = Annotated[
    list[str] | None, Field(max_length=60, description="Field ids or names; default: the usual ones.")
]
Only = Annotated[list[str] | None, Field(max_length=60, description="Only these of each.")]
Markdown = Annotated[str, Field(max_length=60_000, description="Markdown.")]
Raw = Annotated[bool, Field(description="Texts as Jira has them.")]
Who = Annotated[str, Field(min_length=1, max_length=254, description="Account id, e-mail or 'me'.")]
Id = Annotated[str, Field(pattern=r"^[0-9]{1,18}$")]
Number = Annotated[int, Field(ge=1)]
Include = Literal["comments", "transitions", "links", "watchers", "changelog", "attachments", "worklogs"]


class JiraSettings(BaseModel):
    """What a connection to Jira is set to."""

    model_config = ConfigDict(extra="forbid")

    site: str = Field(
        title="Site",
        max_length=300,
        description="Cloud: such as https://your-company.atlassian.net. Data Center: its address with the path before "
        "/browse, such as https://jira.example.com/jira; in a private network the operator opens it.",
    )
    projects: list[Annotated[str, Field(pattern=PROJECT_KEY)]] = Field(
        default_factory=list,
        max_length=50,
        title="Allowed projects",
        description="Keys of the projects that may be reached, one per line; empty: all that the account sees.",
    )
    default_project: Annotated[str, Field(pattern=PROJECT_KEY)] | None = Field(
        None, title="Default project", description="Its key; used where a call names no project."
    )

    @field_validator("site")
    @classmethod
    def _address(cls, value: str) -> str:
        return site_url(value)

    @field_validator("projects", "default_project", mode="before")
    @classmethod
    def _capitals(cls, value: Any) -> Any:
        """Keys are written in capitals; people write them as they come."""
        if isinstance(value, str):
            return value.strip().upper() or None
        if isinstance(value, list):
            return [one.strip().upper() if isinstance(one, str) else one for one in value]
        return value

    @field_validator("projects")
    @classmethod
    def _once(cls, value: list[str]) -> list[str]:
        return list(dict.fromkeys(value))

    @model_validator(mode="after")
    def _default_is_allowed(self) -> Self:
        if self.default_project and self.projects and self.default_project not in self.projects:
            raise ValueError("The default project is not among the allowed ones.")
        return self


class Record(TypedDict):
    """An issue by its name."""

    key: str
    url: str


class Saved(TypedDict):
    """What a write changed."""

    key: str
    url: NotRequired[str]


Values = dict[str, Any]
