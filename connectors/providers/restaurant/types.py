"""What the tools take and give. Amounts in results are numbers in the connection's currency."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

DAY = r"^\d{4}-\d{2}-\d{2}$"

ItemId = Annotated[
    str,
    Field(pattern=r"^[A-Z0-9]{8}$", description="Id of a menu item, 8 capital letters and digits: MARGHE01."),
]
OrderId = Annotated[
    str,
    Field(
        pattern=r"^ORD-[A-Z0-9]{8}$", description="Id of an order, as process_order gave it: ORD-7KQ2M9XA."
    ),
]
FeedbackId = Annotated[
    str, Field(pattern=r"^[A-Z0-9]{8}$", description="Id of a guest's feedback, as list_feedback shows it.")
]
LocationCode = Annotated[
    str | None,
    Field(max_length=60, description="A location's code or name, such as old-town; all when left out."),
]
Fields = Annotated[
    list[str] | None,
    Field(max_length=20, description="Return only these fields of each record; all when left out."),
]
Limit = Annotated[int, Field(ge=1, le=100, description="How many records at most.")]
Cursor = Annotated[str | None, Field(max_length=4096, description="next_cursor of the page before.")]
Format = Annotated[
    Literal["json", "csv", "markdown"], Field(description="How the text of the answer is written.")
]
OrderStatus = Literal["received", "preparing", "ready", "completed", "cancelled"]
Sentiment = Literal["positive", "neutral", "mixed", "negative"]
ReportType = Literal["sales", "inventory", "customer"]
ReportFormat = Literal["pdf", "excel", "json"]


def day_argument(description: str) -> Any:
    """The annotation of a calendar day; what the calendar does not know is refused by the tool."""
    return Field(pattern=DAY, description=description, json_schema_extra={"format": "date"})


def _no_defaults(schema: dict[str, Any]) -> None:
    """Leaving a field out means "as it is"; a default in the schema would invite clients to send it."""
    for field in schema.get("properties", {}).values():
        field.pop("default", None)


def _at_least_one(schema: dict[str, Any]) -> None:
    _no_defaults(schema)
    schema["minProperties"] = 1


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DateRange(_Input):
    """Two calendar days, both included."""

    start_date: Annotated[str, day_argument("First day, YYYY-MM-DD.")]
    end_date: Annotated[str, day_argument("Last day, YYYY-MM-DD; not before the first.")]


class MenuItemUpdates(BaseModel):
    """What to change; at least one."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_at_least_one)

    name: Annotated[str, Field(min_length=1, max_length=80, description="New name.")] = ""
    price: Annotated[
        float, Field(ge=0, le=99_999.99, allow_inf_nan=False, description="New price, at most two decimals.")
    ] = 0
    description: Annotated[str, Field(max_length=500, description="New description.")] = ""
    category: Annotated[
        str, Field(min_length=1, max_length=40, description="New category, such as mains or desserts.")
    ] = ""


class OrderItemInput(BaseModel):
    """A line of a new order. Rules beyond the types are answered as INVALID_ORDER, with the field's name."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_no_defaults)

    item_id: Annotated[str, Field(description="Required: id of a menu item, from list_menu_items.")] = ""
    quantity: Annotated[int, Field(description="How many, 1 to 100; 1 when left out.")] = 1


class OrderInput(BaseModel):
    """A new order. Rules beyond the types are answered as INVALID_ORDER, with the field's name."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_no_defaults)

    customer: Annotated[str, Field(description="The customer's name; Guest when left out.")] = ""
    items: Annotated[
        list[OrderItemInput], Field(description="What is ordered, required: 1 to 50 lines.")
    ] = []
    location: Annotated[str, Field(description="Location code or name; the main one when left out.")] = ""
    order_type: Annotated[str, Field(description="dine_in (the default), takeaway or delivery.")] = "dine_in"
    notes: Annotated[str, Field(description="Wishes for the kitchen.")] = ""


class ReportFilters(_Input):
    """Narrow a report."""

    location: Annotated[str | None, Field(max_length=60, description="Only this location.")] = None
    category: Annotated[
        str | None, Field(max_length=40, description="Only this menu category (sales and inventory).")
    ] = None


class SalesData(TypedDict):
    """The sales of one day."""

    date: str
    location: str
    total_sales: float
    transactions: int
    currency: str


class InventoryUpdated(TypedDict):
    """The stock after an update."""

    item_id: str
    new_quantity: int
    status: Literal["updated"]


class MenuItemUpdated(TypedDict):
    """The menu item's changed fields with their new values."""

    status: Literal["success"]
    item_id: str
    updated: dict[str, Any]


class ShortItem(TypedDict):
    """What is left of an item that was asked for."""

    item_id: str
    name: str
    requested: int
    available: int


class FieldProblem(TypedDict):
    """A field of the order that breaks a rule."""

    field: str
    message: str


class OrderResult(TypedDict, total=False):
    """An accepted order, or why it was not: status "error" with error_code and message."""

    status: str
    order_id: str
    estimated_time: str
    ready_at: str
    total: float
    currency: str
    error_code: Literal["INVALID_ORDER", "INSUFFICIENT_INVENTORY", "INTERNAL_ERROR"]
    message: str
    fields: list[FieldProblem]
    available_items: list[ShortItem]


class Period(TypedDict):
    """Two days, both included."""

    start_date: str
    end_date: str


class ReportResult(TypedDict):
    """Where the report is, and its main figures."""

    report_type: str
    period: Period
    format: str
    download_url: str
    expires_at: str
    summary: dict[str, Any]


class Analytics(TypedDict):
    """Figures over a range of days; ``growth_percent`` compares with as many days before, where known."""

    period: Period
    currency: str
    total_sales: float
    transactions: int
    average_order: float
    cancelled_orders: int
    growth_percent: float | None
    by_location: list[dict[str, Any]]
    by_category: list[dict[str, Any]]
    by_weekday: list[dict[str, Any]]
    by_month: list[dict[str, Any]]
    top_items: list[dict[str, Any]]
    best_day: dict[str, Any] | None


class Topic(TypedDict):
    """What a feedback speaks of, and how."""

    topic: str
    sentiment: str
    words: list[str]


class FeedbackAnalysis(TypedDict, total=False):
    """The reading of one feedback. ``score`` runs from -1 to 1."""

    feedback_id: str
    date: str
    location: str
    rating: int
    text: str
    sentiment: Sentiment
    score: float
    topics: list[Topic]
    suggestions: list[str]


class Health(TypedDict):
    """Each check is ok or says what is wrong."""

    status: Literal["healthy", "degraded"]
    checks: dict[str, str]
    timestamp: str


class Expensive(TypedDict):
    """The result of the expensive operation."""

    result: str


class Page(TypedDict, total=False):
    """A page of records; next_cursor is there while more follow."""

    items: list[dict[str, Any]]
    count: int
    total: int
    next_cursor: str


class OrderRecord(TypedDict, total=False):
    """An order with its lines."""

    order_id: str
    status: str
    customer: str
    location: str
    order_type: str
    date: str
    placed_at: str
    ready_at: str
    total: float
    currency: str
    notes: str
    items: list[dict[str, Any]]
