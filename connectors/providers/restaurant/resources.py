"""What can be read of a restaurant without calling a tool: schema, menu, orders of a day, open orders."""

import json
from typing import Annotated, Any

from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from pydantic import Field

from common.db import in_db
from connectors.base import ConnectionRef, Connector, Context, prompt, resource
from connectors.errors import NotFound
from connectors.providers.restaurant import selectors
from connectors.providers.restaurant.dates import local, parse_day, today
from connectors.providers.restaurant.models import MenuItem, Order
from connectors.providers.restaurant.schema_doc import database_schema
from connectors.results import ResourceContents, ResourceEntry

SHOWN_ORDERS = 200
SHOWN_OPEN = 50
JSON = "application/json"


class RestaurantResources(Connector):
    """The resources and the prompt of the restaurant."""

    @resource(
        "restaurant://config/database_schema",
        name="database_schema",
        title="Database schema",
        mime_type="text/markdown",
    )
    async def read_schema(self, ctx: Context) -> str:
        """The restaurant's tables with columns, types and rules, as Markdown."""
        return database_schema()

    @resource("restaurant://menu_items", name="menu_items", title="Menu")
    async def read_menu(self, ctx: Context) -> dict[str, Any]:
        """All menu items with price, category and portions in stock."""
        items = await in_db(_menu, ctx.connection, self.settings.currency)
        return {"items": items, "count": len(items)}

    async def list_menu_entries(self, ctx: Context) -> list[ResourceEntry]:
        """A row of resources/list per menu item."""
        return [
            ResourceEntry(
                uri=f"restaurant://menu_items/{item['item_id']}",
                name=item["name"],
                title=item["name"],
                description=item["description"],
                mime_type=JSON,
                meta={"price": item["price"], "category": item["category"]},
            )
            for item in await in_db(_menu, ctx.connection, self.settings.currency)
        ]

    async def complete_item(self, ctx: Context, value: str, arguments: dict[str, str]) -> list[str]:
        """Ids of menu items that begin with the text, or whose name contains it."""
        return await in_db(_item_codes, ctx.connection, value)

    @resource(
        "restaurant://menu_items/{id}",
        name="menu_item",
        title="Menu item",
        lister="list_menu_entries",
        complete={"id": "complete_item"},
    )
    async def read_menu_item(self, ctx: Context, id: str) -> ResourceContents:
        """One menu item; its price and category are in ``_meta`` as well."""
        item = await in_db(_menu_item, ctx.connection, id, self.settings.currency)
        return ResourceContents(
            _exposed(ctx, f"restaurant://menu_items/{item['item_id']}"),
            JSON,
            text=compact(item),
            meta={"price": item["price"], "category": item["category"]},
        )

    async def complete_date(self, ctx: Context, value: str, arguments: dict[str, str]) -> list[str]:
        """Days with orders that begin as the text does, newest first."""
        days = await in_db(selectors.order_days, ctx.connection, value, 100)
        return [day.isoformat() for day in days]

    @resource(
        "restaurant://orders/{date}",
        name="orders_of_a_day",
        title="Orders of a day",
        complete={"date": "complete_date"},
    )
    async def read_orders(self, ctx: Context, date: str) -> list[ResourceContents]:
        """The orders of a day (YYYY-MM-DD): first an overview, then one document per order.

        Each order's customer, total and status are in its ``_meta``.
        """
        overview, orders = await in_db(
            _orders_of, ctx.connection, parse_day(date).isoformat(), self.settings.currency
        )
        head = ResourceContents(_exposed(ctx, f"restaurant://orders/{date}"), JSON, text=compact(overview))
        return [head, *(_order_document(ctx, order) for order in orders)]

    @resource("restaurant://orders/{date}/{order_id}", name="order", title="An order")
    async def read_order(self, ctx: Context, date: str, order_id: str) -> ResourceContents:
        """One order of a day; its customer, total and status are in ``_meta``."""
        order = await in_db(_order, ctx.connection, order_id, self.settings.currency)
        if order["date"] != date:
            raise NotFound(_("There is no such order on this day."))
        return _order_document(ctx, order)

    @resource("restaurant://live_orders", name="live_orders", title="Open orders", subscribable=True)
    async def read_live_orders(self, ctx: Context) -> list[ResourceContents]:
        """The orders that are received, in preparation or ready, newest first.

        First an overview, then each order as ``{id, name, content}``.
        """
        overview, orders = await in_db(_open, ctx.connection, self.settings.currency)
        head = ResourceContents(_exposed(ctx, "restaurant://live_orders"), JSON, text=compact(overview))
        return [head, *(_order_document(ctx, order) for order in orders)]

    @prompt("daily_briefing", title="Daily briefing", complete={"date": "complete_date"})
    async def daily_briefing(
        self,
        ctx: Context,
        date: Annotated[str, Field(description="The day, YYYY-MM-DD; today when left out.")] = "",
    ) -> str:
        """A short briefing for the team on one day: sales, stock to reorder, feedback to answer."""
        day = parse_day(date).isoformat() if date else today(ctx.connection).isoformat()
        return _(
            "Write a briefing of at most 200 words for the team of %(name)s on %(day)s. "
            "Use get_sales_data for the day and for the same weekday a week before, list_inventory with "
            "needs_reorder=true, and list_feedback since a week before; read the worst feedback with "
            "analyze_customer_feedback. End with the three most important things to do."
        ) % {"name": ctx.connection.name, "day": day}


def _exposed(ctx: Context, uri: str) -> str:
    """The URI as this tenant's clients know it: further connections carry their slug first."""
    if ctx.connection.is_primary:
        return uri
    scheme, _separator, rest = uri.partition("://")
    return f"{scheme}://{ctx.connection.slug}/{rest}"


def compact(value: Any) -> str:
    """JSON without spaces, for a resource's text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _order_document(ctx: Context, order: dict[str, Any]) -> ResourceContents:
    name = _("Order %(id)s, %(customer)s") % {"id": order["order_id"], "customer": order["customer"]}
    return ResourceContents(
        _exposed(ctx, f"restaurant://orders/{order['date']}/{order['order_id']}"),
        JSON,
        text=compact({"id": order["order_id"], "name": name, "content": order}),
        meta={"customer": order["customer"], "total": order["total"], "status": order["status"]},
    )


def _menu(connection: ConnectionRef, currency: str) -> list[dict[str, Any]]:
    items = selectors.owned(MenuItem, connection).select_related("stock")
    return [selectors.menu_record(item, currency) for item in items]


def _menu_item(connection: ConnectionRef, code: str, currency: str) -> dict[str, Any]:
    return selectors.menu_record(selectors.menu_item_find(connection, code), currency)


def _item_codes(connection: ConnectionRef, text: str) -> list[str]:
    return list(
        selectors.menu_matching(connection, text).order_by("code").values_list("code", flat=True)[:100]
    )


def _order(connection: ConnectionRef, code: str, currency: str) -> dict[str, Any]:
    selectors.order_find(connection, code)
    rows = selectors.owned(Order, connection).filter(code=code)
    return selectors.orders_with_lines(connection, rows, currency)[0]


def _orders_of(
    connection: ConnectionRef, day: str, currency: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    rows = selectors.owned(Order, connection).filter(business_date=day)
    total = rows.exclude(status=Order.Status.CANCELLED).aggregate(total=Sum("total"))["total"]
    count = rows.count()
    overview = {"date": day, "orders": count, "total_sales": selectors.money(total), "currency": currency}
    if count > SHOWN_ORDERS:
        overview["truncated"] = _("The first %d orders are shown; list_orders has them all.") % SHOWN_ORDERS
    return overview, selectors.orders_with_lines(connection, rows[:SHOWN_ORDERS], currency)


def _open(connection: ConnectionRef, currency: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    rows = selectors.open_orders(connection)
    overview = {"open_orders": rows.count(), "as_of": local(connection, timezone.now()).isoformat()}
    return overview, selectors.orders_with_lines(connection, rows[:SHOWN_OPEN], currency)
