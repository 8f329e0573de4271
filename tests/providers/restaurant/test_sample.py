import time
from collections import Counter
from datetime import timedelta

from django.db.models import Sum

from connectors.providers.restaurant import selectors
from connectors.providers.restaurant.connector import Restaurant
from connectors.providers.restaurant.dates import today
from connectors.providers.restaurant.models import TABLES, Feedback, Location, MenuItem, Order, OrderLine
from connectors.providers.restaurant.sample import seed
from tests.providers.restaurant.conftest import open_restaurant


def test_a_new_restaurant_has_a_year_of_sales_up_to_today(bistro):
    orders = selectors.owned(Order, bistro.connection)
    days = set(orders.values_list("business_date", flat=True))
    last = today(bistro.connection)
    assert min(days) <= last - timedelta(days=362)
    assert max(days) <= last
    assert len(days) > 355
    assert 6_000 < orders.count() < 12_000
    assert not orders.filter(placed_at__gt=bistro_now(bistro)).exists()
    assert selectors.owned(Location, bistro.connection).count() == 3
    assert selectors.owned(Feedback, bistro.connection).count() > 100


def bistro_now(ctx):
    from django.utils import timezone

    return timezone.now()


def test_the_year_has_weekdays_and_closed_days(bistro):
    orders = selectors.owned(Order, bistro.connection).filter(business_date__lt=today(bistro.connection))
    by_weekday = Counter(day.weekday() for day in orders.values_list("business_date", flat=True))
    assert by_weekday[5] > 1.3 * by_weekday[0]
    monday_houses = {
        code for day, code in orders.values_list("business_date", "location__code") if day.weekday() == 0
    }
    assert monday_houses == {"old-town", "station"}


def test_every_total_is_the_sum_of_its_lines(bistro):
    orders = selectors.owned(Order, bistro.connection).order_by("code")[:200]
    lines: dict[object, object] = {}
    for line in selectors.owned(OrderLine, bistro.connection).filter(
        order__in=[order.pk for order in orders]
    ):
        lines[line.order_id] = lines.get(line.order_id, 0) + line.quantity * line.unit_price
    assert {order.pk: order.total for order in orders} == lines


def test_the_same_connection_always_gets_the_same_past(fresh):
    ctx = fresh(days=10)
    day = today(ctx.connection) - timedelta(days=3)
    orders = selectors.owned(Order, ctx.connection).filter(business_date=day)
    before = list(orders.order_by("code").values_list("code", "customer", "total"))
    for model in reversed(TABLES):
        selectors.owned(model, ctx.connection).delete()
    seed(ctx.connection, days=10)
    assert list(orders.all().order_by("code").values_list("code", "customer", "total")) == before


def test_a_year_is_written_in_a_few_seconds_of_work(fresh):
    started = time.process_time()
    ctx = fresh(days=365)
    assert time.process_time() - started < 6  # two on a quiet machine; row by row it would be many more
    assert selectors.owned(Order, ctx.connection).aggregate(total=Sum("total"))["total"] > 100_000


def test_the_connector_fills_a_new_connection(fresh):
    ctx = open_restaurant(days=1)
    for model in reversed(TABLES):
        selectors.owned(model, ctx.connection).delete()
    Restaurant.on_created(ctx.connection)
    assert selectors.owned(MenuItem, ctx.connection).count() == 25
