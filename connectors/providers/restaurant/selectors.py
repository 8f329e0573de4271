"""Reading the restaurant's rows. Every query names the tenant and the connection."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from connectors.base import ConnectionRef
from connectors.errors import InvalidInput, NotFound
from connectors.providers.restaurant.dates import local
from connectors.providers.restaurant.models import (
    CODE,
    ORDER_CODE,
    Feedback,
    Location,
    MenuItem,
    Order,
    OrderLine,
    StockItem,
)

OPEN = (Order.Status.RECEIVED, Order.Status.PREPARING, Order.Status.READY)
ZERO = Decimal(0)


def owned(model: Any, connection: ConnectionRef) -> QuerySet[Any]:
    """The connection's rows of a table."""
    rows: QuerySet[Any] = model.objects.filter(tenant_id=connection.tenant_id, connection_id=connection.id)
    return rows


def money(amount: Decimal | None) -> float:
    """An amount as a JSON number; two decimals survive the conversion."""
    return float(round(amount or ZERO, 2))


def searchable(field: str, text: str) -> str:
    """A text to look for, without spaces around it. Raises InvalidInput for control characters."""
    if not text.isprintable():
        raise InvalidInput(_("%(field)s: holds a control character.") % {"field": field})
    return text.strip()


def location_find(connection: ConnectionRef, text: str) -> Location:
    """A location by its code or name, in any case. Raises NotFound naming those that exist."""
    known = list(owned(Location, connection))
    for location in known:
        if text.strip().casefold() in (location.code.casefold(), location.name.casefold()):
            return location
    raise NotFound(
        _("There is no location %(text)r.") % {"text": text[:60]},
        hint=_("Locations: %(known)s.") % {"known": ", ".join(location.code for location in known) or "none"},
    )


def menu_item_find(connection: ConnectionRef, code: str) -> MenuItem:
    """A menu item by its id. Raises NotFound."""
    rows = owned(MenuItem, connection).select_related("stock")
    item: MenuItem | None = rows.filter(code=code).first() if re.fullmatch(CODE, code) else None
    if item is None:
        raise NotFound(
            _("There is no menu item %(code)r.") % {"code": code[:40]},
            hint=_("list_menu_items shows the ids."),
        )
    return item


def order_find(connection: ConnectionRef, code: str) -> Order:
    """An order by its id. Raises NotFound."""
    rows = owned(Order, connection).select_related("location")
    order: Order | None = rows.filter(code=code).first() if re.fullmatch(ORDER_CODE, code) else None
    if order is None:
        raise NotFound(
            _("There is no order %(code)r.") % {"code": code[:40]},
            hint=_("list_orders shows the ids of a day."),
        )
    return order


def feedback_find(connection: ConnectionRef, code: str) -> Feedback:
    """A feedback by its id. Raises NotFound."""
    rows = owned(Feedback, connection).select_related("location")
    feedback: Feedback | None = rows.filter(code=code).first() if re.fullmatch(CODE, code) else None
    if feedback is None:
        raise NotFound(
            _("There is no feedback %(code)r.") % {"code": code[:40]}, hint=_("list_feedback shows the ids.")
        )
    return feedback


def sold(
    connection: ConnectionRef, first: date, last: date, location: Location | None = None
) -> QuerySet[Order]:
    """The orders of some days that count as sales: all but the cancelled ones."""
    orders = owned(Order, connection).filter(business_date__range=(first, last))
    orders = orders.exclude(status=Order.Status.CANCELLED)
    return orders.filter(location=location) if location else orders


def sales_of_day(connection: ConnectionRef, day: date, location: str | None) -> tuple[str, Decimal, int]:
    """The location's code (or ``all``), the sum and the number of a day's orders."""
    found = location_find(connection, location) if location else None
    sums = sold(connection, day, day, found).aggregate(total=Coalesce(Sum("total"), ZERO), count=Count("id"))
    return (found.code if found else "all"), sums["total"], sums["count"]


def lines_sold(
    connection: ConnectionRef, first: date, last: date, location: Location | None = None
) -> QuerySet[OrderLine]:
    """The lines of the orders that count as sales."""
    lines = owned(OrderLine, connection).filter(
        order__connection_id=connection.id, order__business_date__range=(first, last)
    )
    lines = lines.exclude(order__status=Order.Status.CANCELLED)
    return lines.filter(order__location=location) if location else lines


LINE_TOTAL = Sum(F("quantity") * F("unit_price"))


def menu_record(item: MenuItem, currency: str) -> dict[str, Any]:
    """A menu item as tools and resources show it."""
    stock = getattr(item, "stock", None)
    return {
        "item_id": item.code,
        "name": item.name,
        "description": item.description,
        "category": item.category,
        "price": money(item.price),
        "currency": currency,
        "prep_minutes": item.prep_minutes,
        "in_stock": stock.quantity if stock else 0,
    }


def stock_record(stock: StockItem) -> dict[str, Any]:
    """A stock row as tools show it."""
    return {
        "item_id": stock.item.code,
        "name": stock.item.name,
        "category": stock.item.category,
        "quantity": stock.quantity,
        "reorder_level": stock.reorder_level,
        "reorder": stock.quantity < stock.reorder_level,
        "updated_at": stock.updated_at.replace(microsecond=0).isoformat(),
    }


def stock_rows(
    connection: ConnectionRef, category: str | None = None, needs_reorder: bool = False
) -> QuerySet[StockItem]:
    """The stock with its items, in the order of the menu."""
    rows = owned(StockItem, connection).select_related("item").order_by("item__category", "item__name", "id")
    if category:
        rows = rows.filter(item__category__iexact=searchable("category", category))
    return rows.filter(quantity__lt=F("reorder_level")) if needs_reorder else rows


def order_record(connection: ConnectionRef, order: Order, currency: str) -> dict[str, Any]:
    """An order without its lines."""
    record: dict[str, Any] = {
        "order_id": order.code,
        "status": order.status,
        "customer": order.customer,
        "location": order.location.code,
        "order_type": order.kind,
        "date": order.business_date.isoformat(),
        "placed_at": local(connection, order.placed_at).isoformat(),
        "ready_at": local(connection, order.ready_at).isoformat(),
        "total": money(order.total),
        "currency": currency,
    }
    if order.notes:
        record["notes"] = order.notes
    return record


def orders_with_lines(
    connection: ConnectionRef, orders: QuerySet[Order], currency: str
) -> list[dict[str, Any]]:
    """Orders with their lines, in two queries."""
    rows = list(orders.select_related("location"))
    by_order: dict[Any, list[dict[str, Any]]] = {row.pk: [] for row in rows}
    lines = owned(OrderLine, connection).filter(order__in=list(by_order)).select_related("item")
    for line in lines.order_by("item__category", "name"):
        by_order[line.order_id].append(
            {
                "item_id": line.item.code,
                "name": line.name,
                "quantity": line.quantity,
                "unit_price": money(line.unit_price),
            }
        )
    return [{**order_record(connection, row, currency), "items": by_order[row.pk]} for row in rows]


def feedback_record(feedback: Feedback) -> dict[str, Any]:
    """A feedback as tools show it."""
    return {
        "feedback_id": feedback.code,
        "date": feedback.business_date.isoformat(),
        "location": feedback.location.code,
        "customer": feedback.customer,
        "rating": feedback.rating,
        "text": feedback.text,
    }


def open_orders(connection: ConnectionRef) -> QuerySet[Order]:
    """The orders that the kitchen or the guest still waits for, newest first."""
    return owned(Order, connection).filter(status__in=OPEN).order_by("-placed_at")


def order_days(connection: ConnectionRef, prefix: str, limit: int) -> list[date]:
    """The days that have orders and begin with ``prefix``, newest first."""
    days = owned(Order, connection).values_list("business_date", flat=True).distinct()
    return [day for day in days.order_by("-business_date") if day.isoformat().startswith(prefix)][:limit]


def menu_matching(connection: ConnectionRef, text: str) -> QuerySet[MenuItem]:
    """The menu items whose id begins with the text or whose name contains it."""
    text = searchable("search", text)
    return owned(MenuItem, connection).filter(Q(code__istartswith=text) | Q(name__icontains=text))
