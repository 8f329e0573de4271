from datetime import timedelta

import pytest

from connectors.errors import InvalidInput, NotFound
from connectors.providers.restaurant import selectors
from connectors.providers.restaurant.dates import months, parse_range, today
from connectors.providers.restaurant.models import Order
from tests.providers.restaurant.calls import call, open_day, refuses


async def test_the_sales_of_a_day_are_the_sum_of_its_locations(bistro):
    day = open_day(bistro).isoformat()
    whole = await call(bistro, "get_sales_data", date=day)
    assert set(whole) == {"date", "location", "total_sales", "transactions", "currency"}
    assert (whole["date"], whole["location"]) == (day, "all")
    assert whole["transactions"] > 5
    parts = [
        await call(bistro, "get_sales_data", date=day, location=location)
        for location in ("old-town", "Riverside", "CENTRAL STATION")
    ]
    assert [part["location"] for part in parts] == ["old-town", "riverside", "station"]
    assert sum(part["transactions"] for part in parts) == whole["transactions"]
    assert sum(part["total_sales"] for part in parts) == pytest.approx(whole["total_sales"])


async def test_a_day_without_sales_has_none(bistro):
    answer = await call(bistro, "get_sales_data", date="1999-01-01")
    assert (answer["total_sales"], answer["transactions"]) == (0.0, 0)


async def test_cancelled_orders_do_not_count_as_sales(fresh):
    ctx = fresh(days=8)
    day = open_day(ctx)
    before = await call(ctx, "get_sales_data", date=day.isoformat())
    from common.db import in_db

    def cancel_one():
        order = selectors.sold(ctx.connection, day, day).first()
        Order.objects.filter(tenant_id=ctx.connection.tenant_id, pk=order.pk).update(status="cancelled")
        return float(order.total)

    total = await in_db(cancel_one)
    after = await call(ctx, "get_sales_data", date=day.isoformat())
    assert after["transactions"] == before["transactions"] - 1
    assert after["total_sales"] == pytest.approx(before["total_sales"] - total)


@pytest.mark.parametrize("day", ["2026-02-30", "2026-13-01"])
async def test_a_day_that_the_calendar_does_not_know_is_refused(bistro, day):
    with pytest.raises(InvalidInput, match="no day of the calendar"):
        await call(bistro, "get_sales_data", date=day)


@pytest.mark.parametrize("day", ["yesterday", "2026-1-1", "2026-W01-1", "01.02.2026", 5])
def test_a_day_in_another_form_breaks_the_schema(day):
    assert refuses("get_sales_data", date=day)


async def test_an_unknown_location_is_answered_with_the_known_ones(bistro):
    with pytest.raises(NotFound) as caught:
        await call(bistro, "get_sales_data", date="2026-01-01", location="the moon")
    assert "old-town, riverside, station" in caught.value.hint


async def test_analytics_agree_with_the_days(bistro):
    last = today(bistro.connection) - timedelta(days=1)
    first = last - timedelta(days=2)
    answer = await call(
        bistro, "get_analytics", date_range={"start_date": first.isoformat(), "end_date": last.isoformat()}
    )
    days = [
        await call(bistro, "get_sales_data", date=(first + timedelta(days=n)).isoformat()) for n in range(3)
    ]
    assert answer["total_sales"] == pytest.approx(sum(day["total_sales"] for day in days))
    assert answer["transactions"] == sum(day["transactions"] for day in days)
    for part in ("by_location", "by_category", "by_month"):
        assert sum(row["sales"] for row in answer[part]) == pytest.approx(answer["total_sales"])
    assert answer["best_day"]["sales"] == pytest.approx(max(day["total_sales"] for day in days))
    assert answer["growth_percent"] is not None
    assert len(answer["top_items"]) == 10


async def test_analytics_of_nothing_are_zeros(bistro):
    answer = await call(
        bistro, "get_analytics", date_range={"start_date": "1999-01-01", "end_date": "1999-12-31"}
    )
    assert (answer["total_sales"], answer["average_order"], answer["growth_percent"]) == (0.0, 0.0, None)
    assert answer["best_day"] is None


async def test_growth_is_told_only_against_a_whole_period_before(bistro):
    last = today(bistro.connection)
    for length, known in ((100, True), (250, False)):
        first = last - timedelta(days=length)
        period = {"start_date": first.isoformat(), "end_date": last.isoformat()}
        answer = await call(bistro, "get_analytics", date_range=period)
        assert (answer["growth_percent"] is not None) is known


async def test_a_range_is_held_to_its_rules(bistro):
    with pytest.raises(InvalidInput, match="after"):
        await call(bistro, "get_analytics", date_range={"start_date": "2026-02-01", "end_date": "2026-01-01"})
    with pytest.raises(InvalidInput, match="731 days"):
        await call(bistro, "get_analytics", date_range={"start_date": "2020-02-01", "end_date": "2026-01-01"})
    assert refuses("get_analytics", date_range={"start_date": "2026-02-01"})
    assert refuses("get_analytics", date_range="last week")


def test_a_range_is_cut_at_the_ends_of_months():
    parts = [(str(a), str(b)) for a, b in months(*parse_range("2025-12-30", "2026-02-01"))]
    assert parts == [("2025-12-30", "2025-12-31"), ("2026-01-01", "2026-01-31"), ("2026-02-01", "2026-02-01")]
