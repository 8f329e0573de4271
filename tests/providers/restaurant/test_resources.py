import json

import pytest

from connectors.errors import InvalidInput, NotFound
from connectors.providers.restaurant.connector import Restaurant
from connectors.providers.restaurant.dates import today
from tests.providers.restaurant.calls import call, open_day, restaurant_of


async def test_the_schema_describes_every_table(bistro):
    text = await restaurant_of(bistro).read_schema(bistro)
    for table in ("location", "menuitem", "stockitem", "order", "orderline", "feedback"):
        assert f"## restaurant_{table}\n" in text
    assert "| unit_price | decimal(8,2) |" in text


async def test_every_menu_item_is_listed_and_readable(bistro):
    restaurant = restaurant_of(bistro)
    menu = await restaurant.read_menu(bistro)
    entries = await restaurant.list_menu_entries(bistro)
    assert menu["count"] == len(entries) == 25
    pizza = next(entry for entry in entries if entry.uri == "restaurant://menu_items/MARGHE01")
    assert pizza.meta == {"price": 11.9, "category": "mains"}
    contents = await restaurant.read_menu_item(bistro, "MARGHE01")
    assert contents.uri == pizza.uri
    assert contents.meta == pizza.meta
    assert json.loads(contents.text)["name"] == "Pizza Margherita"
    for unknown in ("NOSUCH99", "marghe01", "\x00", "MARGHE01\n"):
        with pytest.raises(NotFound):
            await restaurant.read_menu_item(bistro, unknown)


async def test_the_ids_of_the_menu_are_completed_by_id_and_name(bistro):
    restaurant = restaurant_of(bistro)
    assert await restaurant.complete_item(bistro, "MAR", {}) == ["MARGHE01"]
    assert await restaurant.complete_item(bistro, "pizza", {}) == ["DIAVOL01", "MARGHE01"]


async def test_the_orders_of_a_day_carry_customer_total_and_status(bistro):
    restaurant = restaurant_of(bistro)
    day = open_day(bistro).isoformat()
    head, *orders = await restaurant.read_orders(bistro, day)
    overview = json.loads(head.text)
    sales = await call(bistro, "get_sales_data", date=day)
    assert overview["orders"] == len(orders) > 0
    assert overview["total_sales"] == sales["total_sales"]
    for contents in orders:
        document = json.loads(contents.text)
        assert set(document) == {"id", "name", "content"}
        assert set(contents.meta) == {"customer", "total", "status"}
        assert contents.uri == f"restaurant://orders/{day}/{document['id']}"
    one = await restaurant.read_order(bistro, day, document["id"])
    assert one == contents
    with pytest.raises(NotFound):
        await restaurant.read_order(bistro, "2001-01-01", document["id"])


async def test_a_day_that_is_none_is_refused(bistro):
    for text in ("2026-02-31", "today", "2026-01-01\n"):
        with pytest.raises(InvalidInput):
            await restaurant_of(bistro).read_orders(bistro, text)


async def test_days_with_orders_are_completed_newest_first(bistro):
    restaurant = restaurant_of(bistro)
    days = await restaurant.complete_date(bistro, "", {})
    assert len(days) == 100
    assert days == sorted(days, reverse=True)
    month = days[50][:7]
    assert all(day.startswith(month) for day in await restaurant.complete_date(bistro, month, {}))
    assert await restaurant.complete_date(bistro, "1999", {}) == []


async def test_a_new_order_is_a_live_order_until_it_is_completed(fresh):
    ctx = fresh(days=1)
    restaurant = restaurant_of(ctx)
    await call(ctx, "update_inventory", item_id="MARGHE01", quantity=10)
    order_id = (
        await call(ctx, "process_order", order_data={"customer": "Ada", "items": [{"item_id": "MARGHE01"}]})
    )["order_id"]

    async def live():
        _head, *orders = await restaurant.read_live_orders(ctx)
        return {json.loads(contents.text)["id"]: contents for contents in orders}

    contents = (await live())[order_id]
    assert contents.meta == {"customer": "Ada", "total": 11.9, "status": "received"}
    assert json.loads(contents.text)["content"]["items"][0]["item_id"] == "MARGHE01"
    for status in ("preparing", "ready", "completed"):
        await call(ctx, "update_order_status", order_id=order_id, status=status)
    assert order_id not in await live()


def test_live_orders_can_be_subscribed_and_every_resource_is_there():
    specs = {spec.uri: spec for spec in Restaurant.resources}
    assert set(specs) == {
        "restaurant://config/database_schema",
        "restaurant://menu_items",
        "restaurant://menu_items/{id}",
        "restaurant://orders/{date}",
        "restaurant://orders/{date}/{order_id}",
        "restaurant://live_orders",
    }
    assert [uri for uri, spec in specs.items() if spec.subscribable] == ["restaurant://live_orders"]
    assert specs["restaurant://config/database_schema"].mime_type == "text/markdown"
    assert "date" in specs["restaurant://orders/{date}"].complete


async def test_the_briefing_names_the_day(bistro):
    restaurant = restaurant_of(bistro)
    assert "2026-03-01" in await restaurant.daily_briefing(bistro, "2026-03-01")
    assert today(bistro.connection).isoformat() in await restaurant.daily_briefing(bistro)
    with pytest.raises(InvalidInput):
        await restaurant.daily_briefing(bistro, "soon")
