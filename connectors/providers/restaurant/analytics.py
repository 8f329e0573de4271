"""Figures over a range of days, for get_analytics and for the reports."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Avg, Count, DecimalField, F, Max, Min, Sum
from django.db.models.functions import Cast, Coalesce, TruncMonth

from connectors.base import ConnectionRef
from connectors.providers.restaurant.models import Feedback, Location, Order
from connectors.providers.restaurant.selectors import (
    LINE_TOTAL,
    ZERO,
    lines_sold,
    money,
    owned,
    sold,
)
from connectors.providers.restaurant.types import Analytics

WEEKDAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def totals(
    connection: ConnectionRef, first: date, last: date, location: Location | None = None
) -> tuple[Decimal, int]:
    """The sum and the number of the orders."""
    sums = sold(connection, first, last, location).aggregate(
        total=Coalesce(Sum("total"), ZERO), count=Count("id")
    )
    return sums["total"], sums["count"]


def by_day(
    connection: ConnectionRef, first: date, last: date, location: Location | None = None
) -> list[tuple[date, Decimal, int]]:
    """Each day that has sales, with sum and number."""
    rows = sold(connection, first, last, location).values("business_date")
    rows = rows.annotate(sum=Sum("total"), count=Count("id")).order_by("business_date")
    return [(row["business_date"], row["sum"], row["count"]) for row in rows]


def by_day_in_category(
    connection: ConnectionRef, first: date, last: date, location: Location | None, category: str
) -> list[tuple[date, Decimal, int]]:
    """Each day on which a category was sold, with its sum and the number of orders it was part of."""
    lines = lines_sold(connection, first, last, location).filter(item__category__iexact=category)
    rows = lines.values(day=F("order__business_date")).annotate(
        sum=Cast(LINE_TOTAL, DecimalField(max_digits=14, decimal_places=2)),
        count=Count("order_id", distinct=True),
    )
    return [(row["day"], row["sum"], row["count"]) for row in rows.order_by("day")]


def by_item(
    connection: ConnectionRef,
    first: date,
    last: date,
    location: Location | None = None,
    category: str | None = None,
) -> list[dict[str, Any]]:
    """What was sold, item by item, the largest sum first."""
    lines = lines_sold(connection, first, last, location)
    if category:
        lines = lines.filter(item__category__iexact=category)
    rows = lines.values("item__code", "item__name", "item__category").annotate(
        portions=Sum("quantity"), sum=Cast(LINE_TOTAL, DecimalField(max_digits=14, decimal_places=2))
    )
    return [
        {
            "item_id": row["item__code"],
            "name": row["item__name"],
            "category": row["item__category"],
            "quantity": row["portions"],
            "sales": money(row["sum"]),
        }
        for row in rows.order_by("-sum", "item__code")
    ]


def by_location(connection: ConnectionRef, first: date, last: date) -> list[dict[str, Any]]:
    """Sum and number of the orders of each location."""
    rows = sold(connection, first, last).values("location__code", "location__name")
    rows = rows.annotate(sum=Sum("total"), count=Count("id")).order_by("-sum")
    return [
        {
            "location": row["location__code"],
            "name": row["location__name"],
            "sales": money(row["sum"]),
            "transactions": row["count"],
        }
        for row in rows
    ]


def analytics(connection: ConnectionRef, first: date, last: date, currency: str) -> Analytics:
    """The figures of get_analytics."""
    total, count = totals(connection, first, last)
    length = (last - first).days + 1
    earlier = first - timedelta(days=length)
    before, _ = totals(connection, earlier, first - timedelta(days=1))
    opened = owned(Order, connection).aggregate(day=Min("business_date"))["day"]
    comparable = bool(before) and opened <= earlier  # half a period is nothing to compare with
    days = by_day(connection, first, last)
    items = by_item(connection, first, last)
    categories: dict[str, list[Decimal]] = {}
    for item in items:
        categories.setdefault(item["category"], []).append(Decimal(str(item["sales"])))
    weekdays: dict[int, list[Decimal]] = {}
    months: dict[str, list[Decimal]] = {}
    for day, amount, _count in days:
        weekdays.setdefault(day.weekday(), []).append(amount)
        months.setdefault(day.isoformat()[:7], []).append(amount)
    best = max(days, key=lambda row: row[1], default=None)
    cancelled = owned(Order, connection).filter(
        business_date__range=(first, last), status=Order.Status.CANCELLED
    )
    return {
        "period": {"start_date": first.isoformat(), "end_date": last.isoformat()},
        "currency": currency,
        "total_sales": money(total),
        "transactions": count,
        "average_order": money(total / count) if count else 0.0,
        "cancelled_orders": cancelled.count(),
        "growth_percent": round(float((total - before) / before * 100), 1) if comparable else None,
        "by_location": by_location(connection, first, last),
        "by_category": [
            {"category": name, "sales": money(sum(sums, ZERO))}
            for name, sums in sorted(categories.items(), key=lambda pair: -sum(pair[1], ZERO))
        ],
        "by_weekday": [
            {
                "weekday": WEEKDAY_NAMES[number],
                "average_sales": money(sum(weekdays[number], ZERO) / len(weekdays[number])),
            }
            for number in sorted(weekdays)
        ],
        "by_month": [
            {"month": name, "sales": money(sum(sums, ZERO))} for name, sums in sorted(months.items())
        ],
        "top_items": items[:10],
        "best_day": {"date": best[0].isoformat(), "sales": money(best[1])} if best else None,
    }


def by_customer(
    connection: ConnectionRef, first: date, last: date, location: Location | None = None
) -> list[dict[str, Any]]:
    """Every customer with visits, sum and last visit, the largest sum first."""
    rows = sold(connection, first, last, location).values("customer")
    rows = rows.annotate(
        visits=Count("id"), sum=Sum("total"), earliest=Min("business_date"), latest=Max("business_date")
    )
    return [
        {
            "customer": row["customer"],
            "visits": row["visits"],
            "sales": money(row["sum"]),
            "last_visit": row["latest"].isoformat(),
        }
        for row in rows.order_by("-sum", "customer")
    ]


def ratings(
    connection: ConnectionRef, first: date, last: date, location: Location | None = None
) -> list[dict[str, Any]]:
    """The average stars of each month that has feedback."""
    rows = owned(Feedback, connection).filter(business_date__range=(first, last))
    if location:
        rows = rows.filter(location=location)
    months = rows.annotate(month=TruncMonth("business_date")).values("month")
    return [
        {
            "month": row["month"].isoformat()[:7],
            "feedback": row["number"],
            "average_rating": round(float(row["stars"]), 2),
        }
        for row in months.annotate(number=Count("id"), stars=Avg(F("rating"))).order_by("month")
    ]
