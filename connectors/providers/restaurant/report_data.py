"""Gathering what a report says, month by month, so that its progress can be told."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from common.db import in_db
from connectors.base import ConnectionRef
from connectors.providers.restaurant import analytics
from connectors.providers.restaurant.dates import months
from connectors.providers.restaurant.models import Location
from connectors.providers.restaurant.selectors import ZERO, location_find, money, searchable, stock_rows

MONEY, COUNT, TEXT = "money", "count", "text"


@dataclass
class Table:
    """A table of a report; ``kinds`` tells per column whether it holds money, counts or text."""

    title: str
    columns: list[str]
    kinds: list[str]
    rows: list[list[Any]]


@dataclass
class Report:
    """All that a report says, before it takes the form of a file."""

    report_type: str
    title: str
    period: tuple[date, date]
    currency: str
    filters: dict[str, str]
    summary: dict[str, Any] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    chart: list[tuple[str, float]] = field(default_factory=list)
    chart_title: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What a report shall tell."""

    connection: ConnectionRef
    report_type: str
    first: date
    last: date
    currency: str
    location: Location | None
    category: str | None

    @property
    def steps(self) -> int:
        """How many steps :func:`gather` takes."""
        return len(list(months(self.first, self.last))) + 1


async def question_of(
    connection: ConnectionRef,
    report_type: str,
    first: date,
    last: date,
    currency: str,
    location: str | None,
    category: str | None,
) -> Question:
    """A checked question. Raises NotFound for an unknown location, InvalidInput for a bad category."""
    found = await in_db(location_find, connection, location) if location else None
    chosen = searchable("category", category) if category else None
    return Question(connection, report_type, first, last, currency, found, chosen)


async def gather(question: Question, report: Report) -> AsyncIterator[str]:
    """Fill the report; yields a message after each step."""
    totals: dict[str, tuple[Decimal, int]] = {}
    days: list[tuple[date, Decimal, int]] = []
    for first, last in months(question.first, question.last):
        part = await in_db(_part, question, first, last)
        days += part
        totals[first.isoformat()[:7]] = (sum((row[1] for row in part), ZERO), sum(row[2] for row in part))
        yield _("Read %s") % f"{first:%B %Y}"
    await in_db(_FILL[question.report_type], question, report, totals, days)
    yield _("Summed up")


def new_report(question: Question) -> Report:
    """An empty report for a question."""
    filters = {}
    if question.location:
        filters["location"] = question.location.name
    if question.category:
        filters["category"] = question.category
    titles = {
        "sales": _("Sales report"),
        "inventory": _("Inventory report"),
        "customer": _("Customer report"),
    }
    return Report(
        report_type=question.report_type,
        title=titles[question.report_type],
        period=(question.first, question.last),
        currency=question.currency,
        filters=filters,
    )


def _part(question: Question, first: date, last: date) -> list[tuple[date, Decimal, int]]:
    if question.category:
        return analytics.by_day_in_category(
            question.connection, first, last, question.location, question.category
        )
    return analytics.by_day(question.connection, first, last, question.location)


def _sales(
    question: Question,
    report: Report,
    totals: dict[str, tuple[Decimal, int]],
    days: list[tuple[date, Decimal, int]],
) -> None:
    connection, first, last = question.connection, question.first, question.last
    total = sum((amount for amount, _count in totals.values()), ZERO)
    count = sum(number for _amount, number in totals.values())
    items = analytics.by_item(connection, first, last, question.location, question.category)
    best = max(days, key=lambda row: row[1], default=None)
    report.summary = {
        "total_sales": money(total),
        "transactions": count,
        "average_order": money(total / count) if count else 0.0,
        "days_with_sales": len(days),
        "best_day": best[0].isoformat() if best else None,
        "best_item": items[0]["name"] if items else None,
    }
    report.chart_title = _("Sales per month")
    report.chart = [(month, money(amount)) for month, (amount, _count) in totals.items()]
    report.tables.append(
        Table(
            _("Months"),
            [_("Month"), _("Sales"), _("Orders")],
            [TEXT, MONEY, COUNT],
            [[month, money(amount), number] for month, (amount, number) in totals.items()],
        )
    )
    if not question.location and not question.category:
        places = analytics.by_location(connection, first, last)
        rows = [[place["name"], place["sales"], place["transactions"]] for place in places]
        report.tables.append(
            Table(_("Locations"), [_("Location"), _("Sales"), _("Orders")], [TEXT, MONEY, COUNT], rows)
        )
    report.tables.append(
        Table(
            _("Items"),
            [_("Item"), _("Category"), _("Portions"), _("Sales")],
            [TEXT, TEXT, COUNT, MONEY],
            [[item["name"], item["category"], item["quantity"], item["sales"]] for item in items],
        )
    )
    report.tables.append(
        Table(
            _("Days"),
            [_("Day"), _("Sales"), _("Orders")],
            [TEXT, MONEY, COUNT],
            [[day.isoformat(), money(amount), number] for day, amount, number in days],
        )
    )


def _inventory(
    question: Question,
    report: Report,
    totals: dict[str, tuple[Decimal, int]],
    days: list[tuple[date, Decimal, int]],
) -> None:
    length = (question.last - question.first).days + 1
    stock = list(stock_rows(question.connection, question.category))
    used = {
        item["item_id"]: item["quantity"]
        for item in analytics.by_item(
            question.connection, question.first, question.last, question.location, question.category
        )
    }
    rows, low, value = [], 0, ZERO
    for row in stock:
        per_day = used.get(row.item.code, 0) / length
        low += row.quantity < row.reorder_level
        value += row.quantity * row.item.price
        rows.append(
            [
                row.item.code,
                row.item.name,
                row.item.category,
                row.quantity,
                row.reorder_level,
                used.get(row.item.code, 0),
                round(row.quantity / per_day, 1) if per_day else None,
            ]
        )
    report.summary = {
        "items": len(stock),
        "below_reorder_level": low,
        "portions_in_stock": sum(row.quantity for row in stock),
        "portions_sold": sum(used.values()),
        "stock_at_menu_prices": money(value),
    }
    report.tables.append(
        Table(
            _("Stock today and use in the period"),
            [_("Id"), _("Item"), _("Category"), _("At hand"), _("Reorder at"), _("Sold"), _("Days of cover")],
            [TEXT, TEXT, TEXT, COUNT, COUNT, COUNT, COUNT],
            rows,
        )
    )
    report.chart_title = _("Portions at hand, the ten lowest")
    lowest = sorted(stock, key=lambda row: row.quantity)[:10]
    report.chart = [(row.item.name, float(row.quantity)) for row in lowest]


def _customer(
    question: Question,
    report: Report,
    totals: dict[str, tuple[Decimal, int]],
    days: list[tuple[date, Decimal, int]],
) -> None:
    connection, first, last = question.connection, question.first, question.last
    customers = analytics.by_customer(connection, first, last, question.location)
    stars = analytics.ratings(connection, first, last, question.location)
    returning = sum(1 for customer in customers if customer["visits"] > 1)
    number = sum(month["feedback"] for month in stars)
    average = sum(month["feedback"] * month["average_rating"] for month in stars) / number if number else None
    report.summary = {
        "customers": len(customers),
        "returning_customers": returning,
        "returning_percent": round(100 * returning / len(customers), 1) if customers else 0.0,
        "feedback": number,
        "average_rating": round(average, 2) if average is not None else None,
    }
    report.chart_title = _("Average rating per month")
    report.chart = [(month["month"], month["average_rating"]) for month in stars]
    report.tables.append(
        Table(
            _("Best customers"),
            [_("Customer"), _("Visits"), _("Sales"), _("Last visit")],
            [TEXT, COUNT, MONEY, TEXT],
            [[c["customer"], c["visits"], c["sales"], c["last_visit"]] for c in customers[:50]],
        )
    )
    report.tables.append(
        Table(
            _("Feedback"),
            [_("Month"), _("Feedback"), _("Average stars")],
            [TEXT, COUNT, COUNT],
            [[month["month"], month["feedback"], month["average_rating"]] for month in stars],
        )
    )


_FILL = {"sales": _sales, "inventory": _inventory, "customer": _customer}
