"""The rules of a new order, checked before the database is asked."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from connectors.providers.restaurant.models import CODE, Order
from connectors.providers.restaurant.types import OrderInput

MAX_LINES = 50
MAX_QUANTITY = 100


class OrderRefused(Exception):
    """An order that was not accepted, with what the customer may know of the reason."""

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details


def invalid_order(problems: Iterable[tuple[str, str]]) -> OrderRefused:
    """INVALID_ORDER with the fields that break a rule."""
    fields = [{"field": field, "message": message} for field, message in problems]
    said = "; ".join(f"{entry['field']}: {entry['message']}" for entry in fields)
    return OrderRefused("INVALID_ORDER", _("The order is not valid: %s") % said, fields=fields)


def insufficient_stock(short: list[dict[str, Any]]) -> OrderRefused:
    """INSUFFICIENT_INVENTORY with what is left of the items that are short."""
    said = ", ".join(f"{entry['name']} ({entry['available']}/{entry['requested']})" for entry in short)
    return OrderRefused(
        "INSUFFICIENT_INVENTORY",
        _("Not enough in stock; available of what was asked for: %s") % said,
        available_items=short,
    )


@dataclass(frozen=True, slots=True)
class OrderDraft:
    """A new order that keeps the rules; ``wanted`` is item id -> quantity, equal items added up."""

    customer: str
    location: str
    kind: str
    notes: str
    wanted: dict[str, int]
    positions: dict[str, int]

    def position(self, code: str) -> int:
        """The line in which an item was first asked for."""
        return self.positions[code]


def draft_of(order: OrderInput) -> OrderDraft:
    """Check a new order. Raises OrderRefused naming every field that breaks a rule."""
    problems = [(name, _("Unknown field.")) for name in order.model_extra or ()]
    customer, notes = order.customer.strip() or "Guest", order.notes.strip()
    for field, text, longest in (("customer", customer, 120), ("notes", notes, 500)):
        if len(text) > longest:
            problems.append((field, _("At most %d characters.") % longest))
        elif not text.replace("\n", " ").isprintable():
            problems.append((field, _("Holds a control character.")))
    if order.order_type not in Order.Kind.values:
        problems.append(("order_type", _("One of %s.") % ", ".join(Order.Kind.values)))
    if not 1 <= len(order.items) <= MAX_LINES:
        problems.append(("items", _("Name 1 to %d items.") % MAX_LINES))
    wanted: dict[str, int] = {}
    positions: dict[str, int] = {}
    for index, line in enumerate(order.items[:MAX_LINES]):
        problems += [(f"items/{index}/{name}", _("Unknown field.")) for name in line.model_extra or ()]
        if not re.fullmatch(CODE[1:-1], line.item_id):
            problems.append((f"items/{index}/item_id", _("An id has 8 capital letters and digits.")))
        if not 1 <= line.quantity <= MAX_QUANTITY:
            problems.append((f"items/{index}/quantity", _("A whole number from 1 to %d.") % MAX_QUANTITY))
        wanted[line.item_id] = wanted.get(line.item_id, 0) + line.quantity
        positions.setdefault(line.item_id, index)
    if problems:
        raise invalid_order(problems)
    return OrderDraft(customer, order.location.strip(), order.order_type, notes, wanted, positions)
