"""The restaurant: sales, stock, menu, orders, reports and feedback in tables of its own."""

import asyncio
import hashlib
import logging
from typing import Annotated, Any

from django.db import Error as AnyDatabaseError
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _
from pydantic import BaseModel, Field

from common.db import in_db
from common.redis import async_client
from connectors.base import CheckResult, ConnectionRef, Context, tool
from connectors.providers.restaurant import feedback, selectors, services
from connectors.providers.restaurant.analytics import analytics
from connectors.providers.restaurant.dates import local, parse_day, parse_range
from connectors.providers.restaurant.lists import RestaurantLists
from connectors.providers.restaurant.models import MenuItem
from connectors.providers.restaurant.orders import OrderRefused, draft_of
from connectors.providers.restaurant.report_data import gather, new_report, question_of
from connectors.providers.restaurant.reports import FORMATS, file_name
from connectors.providers.restaurant.resources import compact
from connectors.providers.restaurant.sample import seed
from connectors.providers.restaurant.types import (
    Analytics,
    DateRange,
    Expensive,
    FeedbackAnalysis,
    FeedbackId,
    Health,
    InventoryUpdated,
    ItemId,
    LocationCode,
    MenuItemUpdated,
    MenuItemUpdates,
    OrderInput,
    OrderResult,
    ReportFilters,
    ReportFormat,
    ReportResult,
    ReportType,
    SalesData,
    day_argument,
)
from connectors.results import ResourceLink, Text, ToolResult

logger = logging.getLogger(__name__)

ERROR_TYPES = {
    "INVALID_ORDER": "validation",
    "INSUFFICIENT_INVENTORY": "conflict",
    "INTERNAL_ERROR": "internal",
}
ROUNDS, ROUND_SIZE = 10, 20_000  # of the expensive operation: about 0.1 s of one core


class Restaurant(RestaurantLists):
    """The built-in sample system; it shows everything that a connector can offer."""

    slug = "restaurant"
    title = "Restaurant"
    description = (
        "A restaurant with three locations and a year of sales: menu, stock, orders, reports, feedback."
    )
    version = "1"
    icon = "restaurant"
    built_in = True
    instructions = (
        "list_menu_items gives the item ids. process_order takes an order and never sells more than there is; "
        "when it answers with status error, read error_code. get_sales_data is for one day, get_analytics for "
        "a range, generate_report for a file. Days are YYYY-MM-DD in the restaurant's time zone."
    )

    class Settings(BaseModel):
        """How the restaurant counts its money."""

        currency: Annotated[
            str, Field(pattern=r"^[A-Z]{3}$", description="ISO code of the currency of all prices.")
        ] = "EUR"

    @classmethod
    def on_created(cls, connection: ConnectionRef) -> None:
        """Give a new restaurant its menu, stock and generated year of sales."""
        seed(connection)

    async def check(self, ctx: Context) -> CheckResult:
        """Count the menu: the restaurant's own tables are all it needs."""
        items = await in_db(_menu_size, ctx.connection)
        return CheckResult(True, _("%d items on the menu.") % items, {"menu_items": items})

    @tool(title="Get the sales of a day", hint="R", required=True)
    async def get_sales_data(
        self,
        ctx: Context,
        date: Annotated[str, day_argument("The day, YYYY-MM-DD, in the restaurant's time zone.")],
        location: LocationCode = None,
    ) -> SalesData:
        """Total sales and number of orders of one day, in one location or in all; cancelled orders do not count."""
        day = parse_day(date)
        where, total, count = await in_db(selectors.sales_of_day, ctx.connection, day, location)
        return {
            "date": day.isoformat(),
            "location": where,
            "total_sales": selectors.money(total),
            "transactions": count,
            "currency": self.settings.currency,
        }

    @tool(title="Set an item's stock", hint="I", toolset="write", required=True)
    async def update_inventory(
        self,
        ctx: Context,
        item_id: ItemId,
        quantity: Annotated[int, Field(ge=0, le=1_000_000, description="Portions at hand from now on.")],
    ) -> InventoryUpdated:
        """Set how many portions of a menu item are at hand (the new count, not a difference)."""
        stored = await in_db(services.inventory_set, ctx.connection, item_id, quantity)
        return {"item_id": item_id, "new_quantity": stored, "status": "updated"}

    @tool(title="Change a menu item", hint="I", toolset="write", required=True)
    async def update_menu_item(
        self,
        ctx: Context,
        item_id: ItemId,
        updates: Annotated[MenuItemUpdates, Field(description="The fields to change; the others stay.")],
    ) -> MenuItemUpdated:
        """Change name, price, description or category of a menu item. Orders already placed keep their prices."""
        changes = updates.model_dump(exclude_unset=True)
        updated = await in_db(services.menu_item_update, ctx.connection, item_id, changes)
        return {"status": "success", "item_id": item_id, "updated": updated}

    @tool(title="Place an order", hint="W", toolset="write", required=True)
    async def process_order(
        self,
        ctx: Context,
        order_data: Annotated[OrderInput, Field(description="The new order.")],
    ) -> Annotated[ToolResult, OrderResult]:
        """Place an order: takes the items from the stock and answers with order_id and estimated_time.

        An order that cannot be accepted changes nothing and answers with status "error" and an error_code:
        INVALID_ORDER (see fields), INSUFFICIENT_INVENTORY (see available_items) or INTERNAL_ERROR.
        """
        try:
            placed = await in_db(services.order_process, ctx.connection, draft_of(order_data))
        except OrderRefused as refusal:
            return _refusal(refusal.code, refusal.message, **refusal.details)
        except AnyDatabaseError as error:
            logger.exception("process_order of tenant %s failed", ctx.connection.tenant_id, exc_info=error)
            return _refusal(
                "INTERNAL_ERROR", _("The order could not be stored; nothing was changed. Try again.")
            )
        order = placed.order
        return ToolResult(
            structured={
                "status": order.status,
                "order_id": order.code,
                "estimated_time": _("%d minutes") % placed.minutes,
                "ready_at": local(ctx.connection, order.ready_at).isoformat(),
                "total": selectors.money(order.total),
                "currency": self.settings.currency,
            },
            meta={"customer": order.customer, "total": selectors.money(order.total), "status": order.status},
        )

    @tool(title="Analyse sales", hint="R", cache="M", required=True)
    async def get_analytics(
        self,
        ctx: Context,
        date_range: Annotated[DateRange, Field(description="The days to look at, at most two years.")],
    ) -> Analytics:
        """Figures over a range of days: totals, growth, locations, categories, weekdays, months, best items."""
        first, last = parse_range(date_range.start_date, date_range.end_date)
        return await in_db(analytics, ctx.connection, first, last, self.settings.currency)

    @tool(title="Make a report", hint="R", long_running=True, timeout=120, required=True)
    async def generate_report(
        self,
        ctx: Context,
        report_type: Annotated[ReportType, Field(description="What it tells: sales, inventory or customer.")],
        start_date: Annotated[str, day_argument("First day, YYYY-MM-DD.")],
        end_date: Annotated[str, day_argument("Last day, YYYY-MM-DD; at most two years after the first.")],
        format: Annotated[ReportFormat, Field(description="pdf, excel (xlsx) or json.")] = "pdf",
        filters: Annotated[ReportFilters | None, Field(description="Narrow the report.")] = None,
    ) -> Annotated[ToolResult, ReportResult]:
        """Make a report as a file that can be downloaded for 24 hours; tells its progress month by month.

        The answer has the main figures (summary), the download_url (needs the access key) and a link to
        the file as a resource.
        """
        first, last = parse_range(start_date, end_date)
        narrow = filters or ReportFilters()
        question = await question_of(
            ctx.connection, report_type, first, last, self.settings.currency, narrow.location, narrow.category
        )
        report, done, steps = new_report(question), 0, question.steps + 2
        async for message in gather(question, report):
            done += 1
            await ctx.progress(done, steps, message)
            ctx.check_cancelled()
        extension, mime_type, render = FORMATS[format]
        made_at = local(ctx.connection, timezone.now())
        data = await asyncio.to_thread(render, report, made_at)
        await ctx.progress(done + 1, steps, _("Wrote the %s file") % format)
        saved = await ctx.save_file(file_name(report, extension), mime_type, data)
        await ctx.progress(steps, steps, _("Done"))
        answer: ReportResult = {
            "report_type": report_type,
            "period": {"start_date": first.isoformat(), "end_date": last.isoformat()},
            "format": format,
            "download_url": saved.url,
            "expires_at": saved.expires_at.replace(microsecond=0).isoformat(),
            "summary": report.summary,
        }
        link = ResourceLink(
            uri=saved.uri, name=saved.name, title=report.title, mime_type=mime_type, size=saved.size
        )
        return ToolResult(structured=answer, content=(Text(compact(answer)), link))

    @tool(title="Analyse a guest's feedback", hint="R", required=True)
    async def analyze_customer_feedback(
        self,
        ctx: Context,
        feedback_id: FeedbackId,
        include_suggestions: Annotated[bool, Field(description="Say what to do about it.")] = True,
    ) -> FeedbackAnalysis:
        """The sentiment of a feedback, what it speaks of (food, service, speed, price ...) and what to do."""
        row = await in_db(selectors.feedback_find, ctx.connection, feedback_id)
        reading = feedback.read(row.text, row.rating)
        answer: FeedbackAnalysis = {
            "feedback_id": row.code,
            "date": row.business_date.isoformat(),
            "location": row.location.code,
            "rating": row.rating,
            "text": row.text,
            "sentiment": reading.sentiment,
            "score": reading.score,
            "topics": [
                {"topic": topic, "sentiment": feedback.word_for(value), "words": reading.words[topic]}
                for topic, value in reading.topics.items()
            ],
        }
        if include_suggestions:
            answer["suggestions"] = feedback.suggestions(reading)
        return answer

    @tool(title="Check health", hint="R", required=True)
    async def health_check(self, ctx: Context) -> Health:
        """Whether the restaurant's server, its database and its cache answer."""
        checks = {"server": "ok", "database": "ok", "cache": "ok"}
        try:
            await in_db(_ask_database)
        except AnyDatabaseError:
            checks["database"] = "unreachable"
        try:
            await async_client().ping()
        except Exception:  # whatever the client raises: the answer is that it does not answer
            checks["cache"] = "unreachable"
        return {
            "status": "healthy" if set(checks.values()) == {"ok"} else "degraded",
            "checks": checks,
            "timestamp": local(ctx.connection, timezone.now()).isoformat(),
        }

    @tool(title="Run an expensive operation", hint="R", limit="5/300", required=True)
    async def expensive_operation(
        self,
        ctx: Context,
        data: Annotated[str, Field(min_length=1, max_length=10_000, description="Any text.")],
    ) -> Expensive:
        """A demonstration of a costly tool: stretches the text into a digest; five calls in five minutes."""
        digest = data.encode("utf-8", "replace")
        for number in range(1, ROUNDS + 1):
            digest = await asyncio.to_thread(hashlib.pbkdf2_hmac, "sha256", digest, b"restaurant", ROUND_SIZE)
            await ctx.progress(number, ROUNDS, _("Round %d") % number)
            ctx.check_cancelled()
        return {"result": digest.hex()}


def _refusal(code: str, message: str, **details: Any) -> ToolResult:
    return ToolResult(
        structured={"status": "error", "error_code": code, "message": message, **details},
        is_error=True,
        error_type=ERROR_TYPES[code],
    )


def _menu_size(ref: ConnectionRef) -> int:
    return selectors.owned(MenuItem, ref).count()


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
