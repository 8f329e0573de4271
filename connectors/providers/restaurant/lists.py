"""The tools that look things up: menu, orders, stock and feedback."""

from datetime import date as Date
from typing import Annotated, Any

from pydantic import Field

from common.db import in_db
from connectors.base import ConnectionRef, Context, tool
from connectors.providers.restaurant import selectors, services
from connectors.providers.restaurant.dates import parse_day
from connectors.providers.restaurant.listing import only, page, table
from connectors.providers.restaurant.models import Feedback, MenuItem, Order
from connectors.providers.restaurant.resources import RestaurantResources
from connectors.providers.restaurant.types import (
    Cursor,
    Fields,
    Format,
    Limit,
    LocationCode,
    OrderId,
    OrderRecord,
    OrderStatus,
    Page,
    day_argument,
)
from connectors.results import ToolResult

Category = Annotated[str | None, Field(max_length=40, description="Only this category, such as mains.")]


class RestaurantLists(RestaurantResources):
    """Looking up and moving on."""

    @tool(title="List the menu", hint="R")
    async def list_menu_items(
        self,
        ctx: Context,
        category: Category = None,
        search: Annotated[
            str | None, Field(max_length=80, description="Part of a name, or of an id.")
        ] = None,
        limit: Limit = 25,
        cursor: Cursor = None,
        fields: Fields = None,
        format: Format = "json",
    ) -> Annotated[ToolResult, Page]:
        """The menu with ids, prices, categories and portions in stock.

        Use it to find the item_id that process_order, update_menu_item and update_inventory need.
        """
        answer = await in_db(
            _menu_page, ctx.connection, self.settings.currency, category, search, limit, cursor
        )
        return table(answer, fields, format)

    @tool(title="List the orders of a day", hint="R")
    async def list_orders(
        self,
        ctx: Context,
        date: Annotated[str, day_argument("The day, YYYY-MM-DD, in the restaurant's time zone.")],
        location: LocationCode = None,
        status: Annotated[OrderStatus | None, Field(description="Only orders with this status.")] = None,
        limit: Limit = 25,
        cursor: Cursor = None,
        fields: Fields = None,
        format: Format = "json",
    ) -> Annotated[ToolResult, Page]:
        """The orders of a day in the order of their arrival, each with its lines."""
        day = parse_day(date)
        answer = await in_db(
            _orders_page, ctx.connection, self.settings.currency, day, location, status, limit, cursor
        )
        return table(answer, fields, format)

    @tool(title="Get an order", hint="R")
    async def get_order(
        self, ctx: Context, order_id: OrderId, fields: Fields = None
    ) -> Annotated[ToolResult, OrderRecord]:
        """One order with its lines; customer, total and status are in ``_meta`` as well."""
        order = await in_db(_one_order, ctx.connection, order_id, self.settings.currency)
        meta = {name: order[name] for name in ("customer", "total", "status")}
        return ToolResult(structured=only(order, fields), meta=meta)

    @tool(title="Update an order's status", hint="I", toolset="write")
    async def update_order_status(
        self,
        ctx: Context,
        order_id: OrderId,
        status: Annotated[OrderStatus, Field(description="The new status.")],
    ) -> dict[str, Any]:
        """Move an order on: received, preparing, ready, completed; or cancel it before it is completed.

        Cancelling gives the portions back to the stock. Setting the same status again changes nothing.
        """
        order, before = await in_db(services.order_status_set, ctx.connection, order_id, status)
        return {
            "order_id": order.code,
            "status": order.status,
            "previous_status": before,
            "changed": before != order.status,
        }

    @tool(title="List the stock", hint="R")
    async def list_inventory(
        self,
        ctx: Context,
        category: Category = None,
        needs_reorder: Annotated[bool, Field(description="Only items below their reorder level.")] = False,
        limit: Limit = 25,
        cursor: Cursor = None,
        fields: Fields = None,
        format: Format = "json",
    ) -> Annotated[ToolResult, Page]:
        """Portions at hand of each menu item, and whether it is time to reorder."""
        answer = await in_db(_stock_page, ctx.connection, category, needs_reorder, limit, cursor)
        return table(answer, fields, format)

    @tool(title="List guests' feedback", hint="R")
    async def list_feedback(
        self,
        ctx: Context,
        since: Annotated[str | None, day_argument("Only feedback of this day or later, YYYY-MM-DD.")] = None,
        max_rating: Annotated[
            int, Field(ge=1, le=5, description="Only feedback with at most these stars.")
        ] = 5,
        location: LocationCode = None,
        limit: Limit = 25,
        cursor: Cursor = None,
        fields: Fields = None,
        format: Format = "json",
    ) -> Annotated[ToolResult, Page]:
        """What guests wrote, newest first. analyze_customer_feedback reads one of them closely."""
        first = parse_day(since, "since") if since else None
        answer = await in_db(_feedback_page, ctx.connection, first, max_rating, location, limit, cursor)
        return table(answer, fields, format)


def _menu_page(
    connection: ConnectionRef,
    currency: str,
    category: str | None,
    search: str | None,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    rows = selectors.menu_matching(connection, search) if search else selectors.owned(MenuItem, connection)
    if category:
        rows = rows.filter(category__iexact=selectors.searchable("category", category))
    return page(
        connection,
        "list_menu_items",
        {"category": category, "search": search},
        rows.select_related("stock").order_by("category", "name", "code"),
        lambda found: [selectors.menu_record(item, currency) for item in found],
        limit=limit,
        cursor=cursor,
    )


def _orders_page(
    connection: ConnectionRef,
    currency: str,
    day: Date,
    location: str | None,
    status: str | None,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    rows = selectors.owned(Order, connection).filter(business_date=day)
    if location:
        rows = rows.filter(location=selectors.location_find(connection, location))
    if status:
        rows = rows.filter(status=status)
    return page(
        connection,
        "list_orders",
        {"date": day.isoformat(), "location": location, "status": status},
        rows.order_by("placed_at", "code"),
        lambda found: selectors.orders_with_lines(
            connection,
            selectors.owned(Order, connection).filter(pk__in=[order.pk for order in found]),
            currency,
        ),
        limit=limit,
        cursor=cursor,
    )


def _one_order(connection: ConnectionRef, code: str, currency: str) -> dict[str, Any]:
    order = selectors.order_find(connection, code)
    rows = selectors.owned(Order, connection).filter(pk=order.pk)
    return selectors.orders_with_lines(connection, rows, currency)[0]


def _stock_page(
    connection: ConnectionRef, category: str | None, needs_reorder: bool, limit: int, cursor: str | None
) -> dict[str, Any]:
    rows = selectors.stock_rows(connection, category, needs_reorder)
    return page(
        connection,
        "list_inventory",
        {"category": category, "needs_reorder": needs_reorder},
        rows,
        lambda found: [selectors.stock_record(row) for row in found],
        limit=limit,
        cursor=cursor,
    )


def _feedback_page(
    connection: ConnectionRef,
    first: Date | None,
    max_rating: int,
    location: str | None,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    rows = selectors.owned(Feedback, connection).filter(rating__lte=max_rating)
    if first:
        rows = rows.filter(business_date__gte=first)
    if location:
        rows = rows.filter(location=selectors.location_find(connection, location))
    return page(
        connection,
        "list_feedback",
        {"since": first.isoformat() if first else None, "max_rating": max_rating, "location": location},
        rows.select_related("location").order_by("-business_date", "code"),
        lambda found: [selectors.feedback_record(row) for row in found],
        limit=limit,
        cursor=cursor,
    )
