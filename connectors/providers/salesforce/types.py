"""What the tools of Salesforce take and give: argument types with their bounds, and result shapes."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field
from typing_extensions import TypedDict

from common.signing import MAX_TOKEN

MAX_ROWS: Final = 2000  # of one answer; Salesforce sends at most so many in a batch
MAX_OFFSET: Final = 2000  # what OFFSET takes at most
MAX_BULK: Final = 200  # records of one request about a collection
MAX_SOQL: Final = 20_000  # Salesforce takes 100,000 characters in all, and 16,384 in an address

# Names in Salesforce are ASCII, and so is what is put into a path or a query.
NAME: Final = r"^[A-Za-z][A-Za-z0-9_]{0,79}$"
PATH: Final = r"^[A-Za-z][A-Za-z0-9_]{0,79}(\.[A-Za-z][A-Za-z0-9_]{0,79}){0,5}$"
ID: Final = r"^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$"

ObjectName = Annotated[str, Field(pattern=NAME, description="API name: Account, Invoice__c")]
FieldName = Annotated[str, Field(pattern=NAME)]
RecordId = Annotated[str, Field(pattern=ID)]
# What may be left out is an empty text, which costs a model half of what "text or null" does.
OptionalId = Annotated[str, Field(max_length=18)]
Paths = Annotated[Sequence[Annotated[str, Field(max_length=300)]], Field(max_length=100)]
Names = Annotated[Sequence[Annotated[str, Field(max_length=80)]], Field(max_length=200)]
Where = Annotated[str, Field(max_length=4000, description="SOQL condition")]
OrderBy = Annotated[str, Field(max_length=300)]
Word = Annotated[str, Field(max_length=255)]
Day = Annotated[str, Field(max_length=10, description="YYYY-MM-DD")]
Next = Annotated[str, Field(max_length=MAX_TOKEN, description="next_cursor")]
Few = Annotated[int, Field(ge=1, le=200)]
Soql = Annotated[str, Field(min_length=1, max_length=MAX_SOQL)]
Values = Annotated[dict[str, Any], Field(description="API field names and values.", min_length=1)]

ActivityKind = Literal["task", "event", "both"]


class Made(TypedDict):
    """A record that was made or changed."""

    id: str
    object: str
    url: str


class Upserted(Made):
    """A record, and whether it is new."""

    created: bool


class Deleted(TypedDict):
    """A record that is gone: in the recycle bin."""

    id: str
    object: str
    deleted: bool
