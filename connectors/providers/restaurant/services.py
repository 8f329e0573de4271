"""Changing the restaurant: stock, menu and orders. Each function is one transaction."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from connectors.base import ConnectionRef
from connectors.errors import Conflict, InvalidInput
from connectors.providers.restaurant import selectors
from connectors.providers.restaurant.dates import today
from connectors.providers.restaurant.models import Location, MenuItem, Order, OrderLine, StockItem
from connectors.providers.restaurant.orders import OrderDraft, insufficient_stock, invalid_order
from connectors.updates import updated_on_commit

logger = logging.getLogger(__name__)

NEXT: Mapping[str, frozenset[str]] = {
    "received": frozenset({"preparing", "cancelled"}),
    "preparing": frozenset({"ready", "cancelled"}),
    "ready": frozenset({"completed", "cancelled"}),
    "completed": frozenset(),
    "cancelled": frozenset(),
}


def inventory_set(connection: ConnectionRef, code: str, quantity: int) -> int:
    """Set the portions at hand of a menu item; the number that is stored now."""
    with transaction.atomic():
        item = selectors.menu_item_find(connection, code)
        StockItem.objects.update_or_create(
            tenant_id=connection.tenant_id,
            connection_id=connection.id,
            item=item,
            defaults={"quantity": quantity},
        )
    return quantity


def menu_item_update(connection: ConnectionRef, code: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change name, price, description or category of a menu item; the changed fields as stored."""
    values = dict(changes)
    if not values:
        raise InvalidInput(_("updates: name at least one of name, price, description and category."))
    for field in ("name", "description", "category"):
        if field in values:
            values[field] = _line(field, values[field], required=field != "description")
    if "price" in values:
        price = Decimal(str(values["price"]))
        if price != round(price, 2):
            raise InvalidInput(_("updates/price: a price has at most two decimals."))
        values["price"] = price
    with transaction.atomic():
        item = selectors.menu_item_find(connection, code)
        for field, value in values.items():
            setattr(item, field, value)
        item.save(update_fields=[*values, "updated_at"])
    return {field: selectors.money(value) if field == "price" else value for field, value in values.items()}


def _line(field: str, value: str, *, required: bool) -> str:
    text = value.strip()
    if required and not text:
        raise InvalidInput(_("updates/%(field)s: must not be blank.") % {"field": field})
    if not text.isprintable():
        raise InvalidInput(_("updates/%(field)s: holds a control character.") % {"field": field})
    return text


LIVE_ORDERS = "restaurant://live_orders"


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An accepted order."""

    order: Order
    minutes: int


def order_process(connection: ConnectionRef, draft: OrderDraft) -> PlacedOrder:
    """Take the items from the stock and store the order, all or nothing.

    Raises OrderRefused: an unknown item or location is INVALID_ORDER, too little stock is
    INSUFFICIENT_INVENTORY. Concurrent orders never sell a portion twice: the stock rows are
    locked in the order of their ids (no deadlock), and SQLite's write transactions are
    exclusive from their beginning.
    """
    now = timezone.now()
    with transaction.atomic():
        location = _location(connection, draft.location)
        items = {
            item.code: item for item in selectors.owned(MenuItem, connection).filter(code__in=draft.wanted)
        }
        if unknown := sorted(set(draft.wanted) - set(items)):
            raise invalid_order(
                [
                    (f"items/{draft.position(code)}/item_id", _("There is no menu item %s.") % code)
                    for code in unknown
                ]
            )
        _take(connection, draft, items)
        minutes = _minutes(connection, location, items)
        order = Order.objects.create(
            tenant_id=connection.tenant_id,
            connection_id=connection.id,
            location=location,
            customer=draft.customer,
            kind=draft.kind,
            notes=draft.notes,
            total=sum((items[code].price * count for code, count in draft.wanted.items()), Decimal(0)),
            business_date=today(connection),
            placed_at=now,
            ready_at=now + timedelta(minutes=minutes),
        )
        OrderLine.objects.bulk_create(
            OrderLine(
                tenant_id=connection.tenant_id,
                connection_id=connection.id,
                order=order,
                item=items[code],
                name=items[code].name,
                quantity=count,
                unit_price=items[code].price,
            )
            for code, count in draft.wanted.items()
        )
        _tell(connection)
    return PlacedOrder(order, minutes)


def _location(connection: ConnectionRef, text: str) -> Location:
    known = list(selectors.owned(Location, connection))
    if not known:
        raise invalid_order([("location", _("This restaurant has no location yet."))])
    wanted = text.casefold()
    for location in known:
        if not wanted or wanted in (location.code.casefold(), location.name.casefold()):
            return location
    raise invalid_order([("location", _("Not one of %s.") % ", ".join(location.code for location in known))])


def _take(connection: ConnectionRef, draft: OrderDraft, items: Mapping[str, MenuItem]) -> None:
    by_item = {item.pk: code for code, item in items.items()}
    rows = selectors.owned(StockItem, connection).filter(item__in=list(by_item))
    stock = {by_item[row.item_id]: row for row in rows.order_by("id").select_for_update()}
    short = [
        {
            "item_id": code,
            "name": items[code].name,
            "requested": count,
            "available": stock[code].quantity if code in stock else 0,
        }
        for code, count in draft.wanted.items()
        if code not in stock or stock[code].quantity < count
    ]
    if short:
        raise insufficient_stock(short)
    for code, row in stock.items():
        selectors.owned(StockItem, connection).filter(pk=row.pk).update(
            quantity=F("quantity") - draft.wanted[code], updated_at=timezone.now()
        )


def _minutes(connection: ConnectionRef, location: Location, items: Mapping[str, MenuItem]) -> int:
    """The longest preparation, plus three minutes for each open order of the last hour (at most 45)."""
    recently = timezone.now() - timedelta(hours=1)
    waiting = selectors.open_orders(connection).filter(location=location, placed_at__gte=recently).count()
    return max(item.prep_minutes for item in items.values()) + 5 + min(45, 3 * waiting)


def order_status_set(connection: ConnectionRef, code: str, status: str) -> tuple[Order, str]:
    """Move an order on; the order and its status before. Cancelling gives the stock back.

    Setting the status that it has changes nothing. Raises Conflict for a step that is not
    in :data:`NEXT`.
    """
    with transaction.atomic():
        found = selectors.order_find(connection, code)
        order: Order = (
            selectors.owned(Order, connection).filter(pk=found.pk).select_for_update(of=("self",)).get()
        )
        before = order.status
        if before == status:
            return order, before
        if status not in NEXT[before]:
            possible = ", ".join(sorted(NEXT[before]))
            raise Conflict(
                _("An order that is %(before)s cannot become %(status)s.")
                % {"before": before, "status": status},
                hint=_("Possible now: %s.") % (possible or _("nothing, it is closed")),
            )
        if status == Order.Status.CANCELLED:
            for line in (
                selectors.owned(OrderLine, connection).filter(order=order).order_by("item__stock__id")
            ):
                selectors.owned(StockItem, connection).filter(item_id=line.item_id).update(
                    quantity=F("quantity") + line.quantity, updated_at=timezone.now()
                )
        order.status = status
        order.save(update_fields=["status"])
        _tell(connection)
    return order, before


def _tell(connection: ConnectionRef) -> None:
    """The open orders are others, once this transaction is committed."""
    updated_on_commit(connection.tenant_id, connection.id, LIVE_ORDERS)
